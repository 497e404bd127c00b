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
    /// Sorted by id.
    var gates: [GateReading]
    var sources: [SourceStatus]
    var destinations: [DestinationStatus]
    /// By id of the gate, name of the source.
    var histories: [String: LevelHistory]
    var sourceRates: [String: Double]
    /// Those without an owner included.
    var queues: [QueueStatus]
    /// Sorted by name.
    var connectors: [ConnectorStatus]

    var orphans: [QueueStatus] { queues.filter(\.isOrphan) }

    func rates(_ gate: String) -> GateView.RatesView { histories[gate]?.rates ?? GateView.RatesView() }

    func view(_ reading: GateReading) -> GateView { GateView(reading, rates: rates(reading.id), at: at) }

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
        /// Which part of the gates is sampled next, where they are very many.
        var part = 0
    }

    /// Gates that are sampled at a time, so that ten thousand connectors cost no more than these: each of them is then
    /// looked at every twenty seconds instead of every second.
    static let samplesMost = 500

    let node: any NodeAccess
    private let memory = Mutex(Memory())

    init(node: any NodeAccess) { self.node = node }

    /// The node as it is now, with what is remembered.
    func look() -> Snapshot {
        let gates = node.gates.readings
        let memory = memory.withLock { $0 }
        return Snapshot(
            at: node.world.time.wall, version: node.version, started: node.started, gates: gates, sources: node.sources,
            destinations: node.destinations, histories: memory.histories,
            sourceRates: memory.sources.mapValues { $0.perSecond.first ?? 0 },
            queues: node.queues, connectors: node.connectors?.all ?? [])
    }

    func sample() {
        let parts = (node.gates.count - 1) / Self.samplesMost + 1
        let part = memory.withLock { memory in
            memory.part = (memory.part + 1) % parts
            return memory.part
        }
        let gates = node.gates.readings(part: part, of: parts)
        let sources = node.sourceReadings
        let now = node.world.time.now
        memory.withLock { memory in
            // What left the configuration is forgotten, so that the memory is bounded by what is configured.
            if part == 0 {
                let ids = Set(node.gates.ids)
                memory.histories = memory.histories.filter { ids.contains($0.key) }
            }
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
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325  // FNV-1a
        func add(_ text: String) {
            for byte in text.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
            hash = (hash ^ 0xFF) &* 0x100_0000_01B3
        }
        for gate in gates { ([gate.id, gate.receiver] + gate.senders).forEach(add) }
        for orphan in orphans { [orphan.name, orphan.drainsTo ?? "", orphan.reading.trouble?.code ?? ""].forEach(add) }
        add("sources")
        for source in sources { add(source.reading.name) }
        for connector in connectors {
            // What a page shows in other places when it changes: buttons, warnings, works.
            [connector.id, connector.name, "\(connector.isPaused)"].forEach(add)
            connector.troubles.map(\.code).forEach(add)
            connector.openWorks.map(\.id).forEach(add)
        }
        add(version)
        return String(hash, radix: 16)
    }
}
