/// In which order a sync's changes are written.
///
/// Objects are made parents first, then renamed, then changed; members come and go once the people are there, all of a
/// group in one write; then events; what is deleted goes last, children first.
struct ExportPlan: Sendable {
    /// One write: a change, and whose intents it carries out.
    struct Write: Sendable {
        var change: Change
        /// Places in the list of intents.
        var intents: [Int]
        var secrets: [String: String] = [:]
    }

    /// Steps follow one another; the writes of a step may go at once.
    private(set) var steps: [[Int]] = []

    /// - Parameter intents: of the sync.
    init(_ intents: [ExecutionTable.Intent]) {
        let keyed = intents.indices.map { (place: $0, key: Self.key(intents[$0])) }
        var last: Key?
        for (place, key) in keyed.sorted(by: { ($0.key, $0.place) < ($1.key, $1.place) }) {
            if key != last { steps.append([]) }
            steps[steps.count - 1].append(place)
            last = key
        }
    }

    /// The writes for some intents of one step: memberships of one group become one.
    static func writes(_ intents: [ExecutionTable.Intent], _ places: some Sequence<Int>) -> [Write] {
        var writes: [Write] = []
        var groups: [String: Int] = [:]
        for place in places {
            for change in intents[place].changes {
                guard isMembership(change) else {
                    writes.append(Write(change: change, intents: [place], secrets: intents[place].secrets))
                    continue
                }
                let key = "\(change.target)\0\(change.anchor ?? change.name)\0\(change.edits[0].attribute)"
                if let at = groups[key] {
                    writes[at].change.edits[0].adds += change.edits[0].adds
                    writes[at].change.edits[0].removes += change.edits[0].removes
                    writes[at].intents.append(place)
                } else {
                    groups[key] = writes.count
                    writes.append(Write(change: change, intents: [place]))
                }
            }
        }
        for at in groups.values {
            writes[at].change.edits[0].adds.sort()
            writes[at].change.edits[0].removes.sort()
        }
        return writes
    }

    private static func isMembership(_ change: Change) -> Bool {
        change.operation == .modify && change.edits.count == 1 && !change.edits[0].isReplaced
            && change.edits[0].adds.count + change.edits[0].removes.count == 1
    }

    private struct Key: Comparable {
        var phase: Int
        /// How deep in the tree, negative where children go first.
        var depth: Int

        static func < (left: Key, right: Key) -> Bool { (left.phase, left.depth) < (right.phase, right.depth) }
    }

    private static func key(_ intent: ExecutionTable.Intent) -> Key {
        guard let change = intent.changes.first else { return Key(phase: 9, depth: 0) }
        let depth = change.name.utf8.count { $0 == UInt8(ascii: ",") }
        return switch change.operation {
        case .create: Key(phase: 0, depth: depth)
        case .rename: Key(phase: 1, depth: depth)
        case .modify: Key(phase: isMembership(change) ? 3 : 2, depth: 0)
        case .event: Key(phase: 4, depth: 0)
        case .delete: Key(phase: 5, depth: -depth)
        }
    }
}
