import WeirDelivery
import WeirFlow
import WeirGates
import WeirTestKit
import WeirWorld

/// What a seed makes of the world between source and receivers: destinations, what is composed of them, routes.
///
/// Every event carries a number `k` of 0...7, which alone decides where it goes, so that the model below can say for
/// each event at which receivers it must arrive.
struct FlowWorld: Sendable, CustomStringConvertible {
    struct Leaf: Sendable {
        var settings = DeliverySettings()
        var shape = DeliveryShape()
        var faults = SimulatedReceiver.Faults()

        /// True where the operator said that events may be dropped.
        var mayDrop: Bool {
            settings.onBackpressure == .drop || settings.queueInUse.map { $0.onFull != .block } ?? false
        }
    }

    struct Composed: Sendable {
        var name: String
        var kind: ComposedGate.Kind
        var members: [String]
    }

    struct Rule: Sendable {
        enum Condition: Sendable {
            case all
            case below(Int)
            case even

            var text: String? {
                switch self {
                case .all: nil
                case .below(let most): "event.k < \(most)"
                case .even: "event.k % 2 == 0"
                }
            }

            func holds(_ k: Int) -> Bool {
                switch self {
                case .all: true
                case .below(let most): k < most
                case .even: k % 2 == 0
                }
            }
        }

        var condition: Condition
        var to: [String]
        var isFinal: Bool
    }

    var leaves: [Leaf] = []
    /// Members before those who own them.
    var composed: [Composed] = []
    var rules: [Rule] = []
    var otherwise: String?
    var producers: Int
    var batches: Int
    var eventsMost: Int
    var hasFaults: Bool
    var holds: Bool

    init(_ random: inout SplitMix) {
        func chance(_ part: Double) -> Bool { Double(random.next() >> 11) * 0x1p-53 < part }
        func pick(_ range: ClosedRange<Int>) -> Int { range.lowerBound + Int(random.next() % UInt64(range.count)) }
        hasFaults = chance(0.85)
        holds = hasFaults && chance(0.4)
        producers = pick(1...3)
        batches = pick(2...6)
        // Some batches are larger than any buffer here.
        eventsMost = chance(0.2) ? 100 : 12
        for _ in 0..<pick(2...4) { leaves.append(FlowWorld.leaf(hasFaults: hasFaults, chance, pick)) }
        var names = leaves.indices.map { "d\($0)" }
        for number in 0..<pick(1...2) {
            var members: [String] = []
            for _ in 0..<pick(2...3) {
                let name = names[pick(0...names.count - 1)]
                if !members.contains(name) { members.append(name) }
            }
            let kind = [ComposedGate.Kind.router, .balance, .fallback][pick(0...2)]
            composed.append(Composed(name: "c\(number)", kind: kind, members: members))
            names.append("c\(number)")
        }
        // What is composed is what this world is about: it comes first among the targets.
        let targets = Array(names.reversed())
        for _ in 0..<pick(1...3) {
            var to = [targets[pick(0...targets.count - 1)]]
            if chance(0.5), let more = targets.first(where: { $0 != to[0] }) { to.append(more) }
            let condition = [Rule.Condition.all, .below(pick(1...7)), .even][pick(0...2)]
            rules.append(Rule(condition: condition, to: to, isFinal: chance(0.5)))
        }
        otherwise = chance(0.7) ? targets[0] : nil
    }

    private static func leaf(
        hasFaults: Bool, _ chance: (Double) -> Bool, _ pick: (ClosedRange<Int>) -> Int
    ) -> Leaf {
        var leaf = Leaf()
        leaf.settings.onBackpressure = chance(0.4) ? .queue : chance(0.7) ? .block : .drop
        leaf.settings.buffer = ByteCount(pick(2...12) * 1_000)
        if leaf.settings.onBackpressure == .queue {
            var queue = DiskQueueSettings()
            queue.mode = [.error, .backpressure, .always, .smart][pick(0...3)]
            queue.segmentSize = .kibibytes(64)
            queue.after = .seconds(pick(1...10))
            queue.strictOrdering = chance(0.75)
            if chance(0.4) {
                queue.maxSize = .kibibytes(Int64(pick(16...40)))
                queue.onFull = [.block, .dropNewest, .dropOldest][pick(0...2)]
            }
            leaf.settings.queue = queue
        }
        leaf.shape.isOrdered = chance(0.4)
        leaf.shape.joinsContexts = true
        leaf.shape.concurrency = pick(1...4)
        leaf.shape.bytesMost = chance(0.5) ? 1_500 : 100_000
        leaf.shape.eventsMost = chance(0.3) ? pick(3...20) : .max
        leaf.shape.linger = chance(0.5) ? .zero : .milliseconds(pick(1...500))
        leaf.shape.timeout = .seconds(pick(1...10))
        guard hasFaults, chance(0.7) else { return leaf }
        leaf.faults.outage = chance(0.5) ? 0.2 : 0
        leaf.faults.busy = chance(0.4) ? 0.3 : 0
        leaf.faults.retryAfter = chance(0.3) ? 0.1 : 0
        leaf.faults.lostAnswer = chance(0.3) ? 0.1 : 0
        leaf.faults.reset = chance(0.3) ? 0.2 : 0
        leaf.faults.silence = chance(0.2) ? 0.1 : 0
        leaf.faults.partial = !leaf.shape.isOrdered && chance(0.3) ? 0.3 : 0
        leaf.faults.unauthorized = chance(0.2) ? 0.05 : 0
        return leaf
    }

    // MARK: The model

    /// For each copy of an event with this `k`, the receivers of which one must get it.
    func copies(of k: Int) -> [Set<Int>] {
        var copies: [Set<Int>] = []
        for rule in rules where rule.condition.holds(k) {
            copies += rule.to.map { receivers(of: $0, k) }
            if rule.isFinal { return copies }
        }
        return copies + (otherwise.map { [receivers(of: $0, k)] } ?? [])
    }

    private func receivers(of name: String, _ k: Int) -> Set<Int> {
        guard let composed = composed.first(where: { $0.name == name }) else {
            return Int(name.dropFirst()).map { [$0] } ?? []
        }
        switch composed.kind {
        case .router: return receivers(of: composed.members[k % composed.members.count], k)
        case .balance, .fallback:
            return composed.members.reduce(into: []) { $0.formUnion(receivers(of: $1, k)) }
        }
    }

    var description: String {
        let ends = leaves.enumerated().map { place, leaf in
            let queue = leaf.settings.queueInUse.map { "/\($0.mode.rawValue)/\($0.onFull.rawValue)" } ?? ""
            return "d\(place) \(leaf.settings.onBackpressure.rawValue)\(queue) \(leaf.settings.buffer)"
        }
        let parts = composed.map { "\($0.name) = \($0.kind.rawValue)\($0.members)" }
        let routes = rules.map { "\($0.condition.text ?? "all") -> \($0.to)\($0.isFinal ? "" : ", not final")" }
        return (ends + parts + routes + ["else \(otherwise ?? "nowhere")"]).joined(separator: "; ")
            + "; \(producers) x \(batches) batches\(hasFaults ? "" : ", no faults")"
    }
}
