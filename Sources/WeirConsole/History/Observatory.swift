import Synchronization
import WeirFlow
import WeirGates
import WeirNode
import WeirWorld

/// Everything that a page or an answer of the API shows, seen at one moment.
struct Snapshot: Sendable {
    var at: WallTime
    var version: String
    var started: WallTime
    /// Sorted by id. Those of connectors only while there are few, and the one that was asked for.
    var gates: [GateReading]
    /// Gates of connectors that are not among them.
    var gatesLeft: Int
    var sources: [SourceStatus]
    var destinations: [DestinationStatus]
    /// By id of the gate, name of the source.
    var histories: [String: LevelHistory]
    var sourceRates: [String: Double]
    /// Those without an owner included.
    var queues: [QueueStatus]

    var orphans: [QueueStatus] { queues.filter(\.isOrphan) }

    func rates(_ gate: String) -> GateView.RatesView { histories[gate]?.rates ?? GateView.RatesView() }

    func view(_ reading: GateReading) -> GateView {
        var reading = reading
        if reading.kind == .connector { reading.forecast = histories[reading.id]?.forecast(reading) ?? .init() }
        return GateView(reading, rates: rates(reading.id), at: at)
    }

    /// Worst state first, then the fullest, then by name.
    var mostPressedFirst: [GateReading] {
        gates.sorted { left, right in
            if left.state.severity != right.state.severity { return left.state.severity > right.state.severity }
            let (leftRatio, rightRatio) = (left.ratio ?? .infinity, right.ratio ?? .infinity)
            return leftRatio != rightRatio ? leftRatio > rightRatio : left.id < right.id
        }
    }
}

/// Looks at the node: at any time for an answer, and once a second to remember what was.
final class Observatory: Sendable {
    private struct Memory {
        var histories: [String: LevelHistory] = [:]
        var sources: [String: RateWindow] = [:]
        /// Gates of connectors that somebody looks at, with the last look.
        var watched: [String: Moment] = [:]
    }

    /// With more connectors than this their gates are on the connectors' pages only: nobody would find anything else
    /// on the overview, and reading a hundred thousand gates once a second would take a core.
    static let connectorGatesMost = 50
    /// What nobody has looked at for so long is not remembered any more.
    static let watchedFor = Duration.seconds(60)
    static let watchedMost = 200

    let node: any NodeAccess
    private let memory = Mutex(Memory())

    init(node: any NodeAccess) { self.node = node }

    /// The node as it is now, with what is remembered.
    /// - Parameter gate: comes along, and is remembered from now on, also where there are too many of its kind.
    func look(at gate: String? = nil) -> Snapshot {
        var (gates, left) = few
        if let gate, !gates.contains(where: { $0.id == gate }), let reading = node.gates.reading(gate) {
            gates.append(reading)
            gates.sort { $0.id < $1.id }
            left -= 1
            let now = node.world.time.now
            memory.withLock { memory in
                guard memory.watched.count < Self.watchedMost || memory.watched[gate] != nil else { return }
                memory.watched[gate] = now
            }
        }
        let memory = memory.withLock { $0 }
        return Snapshot(
            at: node.world.time.wall, version: node.version, started: node.started, gates: gates, gatesLeft: left,
            sources: node.sources,
            destinations: node.destinations, histories: memory.histories,
            sourceRates: memory.sources.mapValues { $0.perSecond.first ?? 0 },
            queues: node.queues)
    }

    private var few: (readings: [GateReading], left: Int) {
        node.gates.readings(crowd: GateKind.connectorPrefix, most: Self.connectorGatesMost, orNone: true)
    }

    func sample() {
        let now = node.world.time.now
        let watched = memory.withLock { memory in
            memory.watched = memory.watched.filter { now - $0.value < Self.watchedFor }
            return memory.watched.keys.sorted()
        }
        let few = few.readings
        let shown = Set(few.map(\.id))
        let gates = few + watched.filter { !shown.contains($0) }.compactMap { node.gates.reading($0) }
        let sources = node.sourceReadings
        memory.withLock { memory in
            // What left the configuration is forgotten, so that the memory is bounded by what is configured.
            let ids = Set(gates.map(\.id))
            memory.histories = memory.histories.filter { ids.contains($0.key) }
            for reading in gates { memory.histories[reading.id, default: LevelHistory()].add(reading, at: now) }
            let names = Set(sources.map(\.name))
            memory.sources = memory.sources.filter { names.contains($0.key) }
            for source in sources {
                memory.sources[source.name, default: RateWindow(window: LevelHistory.rateWindow)].add(
                    [source.events], at: now)
            }
        }
    }

    /// Samples once a second until the task is cancelled.
    func watch() async throws {
        while true {
            sample()
            try await node.world.time.sleep(for: .seconds(1))
        }
    }
}

extension Snapshot {
    /// A short print of which gates, sources and receivers there are: while it stays, a page can be updated in place.
    var structure: String {
        var print = StructurePrint()
        for gate in gates { print.add([gate.id, gate.receiver] + gate.senders) }
        for orphan in orphans {
            print.add([orphan.name, orphan.drainsTo ?? "", orphan.reading.trouble?.code ?? ""])
        }
        print.add("sources")
        for source in sources { print.add(source.reading.name) }
        print.add(gatesLeft > 0 ? "more" : "all")
        print.add(version)
        return print.text
    }
}

/// Texts in an order, in a few characters: FNV-1a.
struct StructurePrint: Sendable {
    private var hash: UInt64 = 0xCBF2_9CE4_8422_2325

    mutating func add(_ text: String) {
        for byte in text.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
        hash = (hash ^ 0xFF) &* 0x100_0000_01B3
    }

    mutating func add(_ texts: [String]) { for text in texts { add(text) } }

    var text: String { String(hash, radix: 16) }
}
