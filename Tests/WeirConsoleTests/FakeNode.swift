import Logging
import NIOCore
import Synchronization
import WeirFlow
import WeirGates
import WeirNode
import WeirWorld

/// A node that is what a test says it is.
final class FakeNode: NodeAccess {
    struct Contents: Sendable {
        var sources: [SourceStatus] = []
        var destinations: [DestinationStatus] = []
        var routes: [RouteStatus] = []
        var queues: [QueueStatus] = []
        var health: [HealthCheck] = []
        var warnings: [String] = []
        var tapEvents: [TapEvent] = []
        var letters: [DeadLetterView] = []
    }

    struct Broken: Error {}

    let version = "0.1.0"
    let started = FakeTime.start
    let world: World
    let clock: FakeTime
    let gates = GateRegistry()
    let contents: Mutex<Contents>
    private let given = Mutex<[String]>([])

    let connectors: (any ConnectorAccess)?
    let tunnel: (any TunnelAccess)?

    init(_ contents: Contents = Contents(), connectors: FakeConnectors? = nil, tunnel: FakeTunnel? = nil) {
        self.connectors = connectors
        self.tunnel = tunnel
        clock = FakeTime()
        world = World(
            time: clock, random: SeededRandom(seed: 1), files: NoFiles(), blocking: NoThreads(),
            log: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }))
        self.contents = Mutex(contents)
    }

    var sources: [SourceStatus] { contents.withLock { $0.sources } }
    var sourceReadings: [SourceReading] { sources.map(\.reading) }
    var destinations: [DestinationStatus] { contents.withLock { $0.destinations } }
    var routes: [RouteStatus] { contents.withLock { $0.routes } }
    var queues: [QueueStatus] { contents.withLock { $0.queues } }
    var health: [HealthCheck] { contents.withLock { $0.health } }
    var warnings: [String] { contents.withLock { $0.warnings } }

    /// What was ordered: `hold siem by api`.
    var orders: [String] { given.withLock { $0 } }

    func publish(_ reading: GateReading) {
        gates.publish(
            GateRegistry.Entry(
                id: reading.id, read: { reading },
                order: { [weak self] order in
                    let text =
                        switch order {
                        case .hold(let person): "hold \(reading.id) by \(person)"
                        case .release(let person): "release \(reading.id) by \(person)"
                        }
                    self?.given.withLock { $0.append(text) }
                }))
    }

    func tap(_ name: String, limit: Int, duration: Duration) -> AsyncStream<TapEvent>? {
        let (events, isKnown) = contents.withLock { contents in
            (contents.tapEvents, contents.sources.contains { $0.reading.name == name })
        }
        guard isKnown else { return nil }
        return AsyncStream { continuation in
            for event in events.prefix(limit) { continuation.yield(event) }
            continuation.finish()
        }
    }

    func drainQueue(_ name: String, to destination: String) -> Bool {
        contents.withLock { contents in
            guard let place = contents.queues.firstIndex(where: { $0.name == name && $0.drainsTo == nil }) else {
                return false
            }
            contents.queues[place].drainsTo = destination
            return true
        }
    }

    func deadLetters(_ destination: String, limit: Int) async throws -> [DeadLetterView] {
        Array(contents.withLock { $0.letters }.prefix(limit))
    }

    func replayDeadLetters(_ destination: String) async throws -> Int {
        let count = contents.withLock { $0.letters.count }
        if count == 0 { throw Broken() }
        return count
    }
}

/// A clock that stands still until a test moves it.
final class FakeTime: TimeSource {
    static let start = CivilDate.wall(year: 2026, month: 11, day: 21, hour: 14, minute: 30)
    private let elapsed = Mutex(Duration.zero)

    var now: Moment { Moment.zero + elapsed.withLock { $0 } }
    var wall: WallTime { Self.start + elapsed.withLock { $0 } }
    func advance(_ duration: Duration) { elapsed.withLock { $0 += duration } }
    /// Streams end after their first message in tests; only the development server really waits.
    let isLive = Mutex(false)
    func sleep(until moment: Moment) async throws {
        guard isLive.withLock({ $0 }) else { throw CancellationError() }
        try await ContinuousClock().sleep(for: moment - now)
    }
}

struct NoFiles: FileSystem {
    private func missing(_ path: String) -> FileFailure {
        FileFailure(kind: .missing, operation: "open", path: path, code: 2)
    }
    func open(_ path: String, _ access: FileAccess) throws(FileFailure) -> any FileHandle { throw missing(path) }
    func rename(_ from: String, to: String) throws(FileFailure) { throw missing(from) }
    func remove(_ path: String) throws(FileFailure) { throw missing(path) }
    func makeDirectory(_ path: String) throws(FileFailure) { throw missing(path) }
    func removeDirectory(_ path: String) throws(FileFailure) { throw missing(path) }
    func list(_ directory: String) throws(FileFailure) -> [String] { throw missing(directory) }
    func status(_ path: String) throws(FileFailure) -> FileStatus? { nil }
    func syncDirectory(_ path: String) throws(FileFailure) { throw missing(path) }
    func space(_ path: String) throws(FileFailure) -> DiskSpace { DiskSpace(total: 0, free: 0) }
    func lock(_ path: String) throws(FileFailure) -> (any FileLock)? { nil }
}

struct NoThreads: BlockingExecutor, BlockingLane {
    func lane(_ name: String) -> any BlockingLane { self }
    func enqueue(_ job: @escaping @Sendable () -> Void) { job() }
    func close() {}
}

extension FakeNode {
    /// Two sources, four gates in different states: what most tests and the screenshots look at.
    static func busy(tunnel: FakeTunnel? = nil) -> FakeNode {
        let node = FakeNode(tunnel: tunnel)
        let start = FakeTime.start
        let meter = SourceMeter(name: "edge", type: "syslog")
        meter.took(events: 41_210, bytes: 10_302_500)
        let feed = SourceMeter(name: "ingest", type: "http")
        feed.took(events: 1_300, bytes: 325_000)
        feed.refused("429")
        node.contents.withLock { contents in
            contents.sources = [
                SourceStatus(
                    reading: meter.reading, addresses: ["tcp 127.0.0.1:5514"], canBeDelayed: true, state: "reading"),
                SourceStatus(
                    reading: feed.reading, addresses: ["http 127.0.0.1:8088"], canBeDelayed: true, state: "held",
                    reason: Reason("gate_blocking", "The gate relay holds it.")),
            ]
            contents.destinations = [
                DestinationStatus(
                    name: "siem", type: "http", gate: .siem,
                    endpoints: [
                        EndpointStatus(
                            name: "http://10.0.0.5/in", weight: 2, breaker: "open", inFlight: 0, concurrency: 1,
                            sentEvents: 12_000, trouble: Reason("http_503", "The receiver answered 503.")),
                        EndpointStatus(
                            name: "http://10.0.0.6/in", weight: 1, breaker: "half_open", inFlight: 1, concurrency: 1,
                            sentEvents: 8_000),
                    ], deadLetters: (3, 750)),
                DestinationStatus(name: "archive", type: "filesystem", gate: .archive, endpoints: []),
            ]
            contents.routes = [
                RouteStatus(
                    name: "alerts", condition: "event.severity <= 3", to: ["siem"], isFinal: true,
                    matchedEvents: 20_000,
                    failedEvents: 2),
                RouteStatus(
                    name: "rest", condition: "", to: ["archive"], isFinal: true, matchedEvents: 21_210,
                    failedEvents: 0),
            ]
            contents.queues = [
                QueueStatus(
                    name: "siem", directory: "weir-data/queues/siem",
                    reading: GateReading.siem.queue
                        ?? .init(
                            mode: "error", bytes: 0, events: 0, maxBytes: 1, oldest: nil, segments: 0,
                            isEngaged: false),
                    isOrphan: false),
                QueueStatus(
                    name: "old", directory: "weir-data/queues/old",
                    reading: .init(
                        mode: "orphan", bytes: 45_100, events: 210, maxBytes: 65_536, oldest: start + .seconds(-7_200),
                        segments: 1, isEngaged: false), isOrphan: true),
            ]
            contents.health = [
                HealthCheck(name: "store", isOK: true, message: "2 queues open"),
                HealthCheck(name: "listeners", isOK: true, message: ""),
            ]
            contents.tapEvents = [
                TapEvent(
                    at: start, source: "edge", kind: .syslog, content: ByteBuffer(string: "<13>hello \u{1B}[31mred"),
                    skipped: 0),
                TapEvent(at: start, source: "edge", kind: .raw, content: ByteBuffer(bytes: [0xFF, 0x41]), skipped: 7),
            ]
            contents.letters = [
                DeadLetterView(
                    at: start, reason: Reason("http_400", "The receiver refused it."), attempts: 1,
                    content: ByteBuffer(string: "{\"a\":1}"))
            ]
        }
        for reading in [GateReading.siem, .archive, .relay, .mirror] { node.publish(reading) }
        return node
    }
}

extension GateReading {
    static var siem: GateReading {
        var counters = FlowCounters()
        counters.takenEvents = 41_210
        counters.takenBytes = 10_302_500
        counters.deliveredEvents = 20_000
        counters.deliveredBytes = 5_000_000
        counters.heldEvents = 21_207
        counters.deadLetteredEvents = 3
        counters.attempts = 130
        counters.failures = ["http_503": 12, "request_timeout": 1]
        counters.transitions = ["queueing": 2, "open": 1]
        var buckets = LatencyBuckets()
        for seconds in [0.002, 0.02, 0.02, 0.9, 75] { buckets.record(seconds) }
        return GateReading(
            id: "siem", kind: .stream, state: .queueing, reason: Reason("http_503", "2 of 2 hosts answer 503."),
            since: FakeTime.start + .seconds(-131), level: 1_860_000_000,
            limit: Limit(5_000_000_000, .bytes, origin: "weir.yaml:14"),
            reopens: "when the receiver answers and the queue is empty; next attempt in 4 s",
            details: [.init("in memory", "51.7 kB of 8.00 MB"), .init("in flight", "1 of 5 requests")],
            senders: ["edge"],
            receiver: "http://10.0.0.5/in and 1 more",
            counters: counters,
            queue: .init(
                mode: "error", bytes: 1_860_000_000, events: 21_000, maxBytes: 5_000_000_000,
                oldest: FakeTime.start + .seconds(-131), segments: 28, isEngaged: true),
            forecast: .init(full: .seconds(2_460)), latency: (0.02, 1.2), latencyBuckets: buckets)
    }

    static var archive: GateReading {
        var counters = FlowCounters()
        counters.takenEvents = 21_210
        counters.deliveredEvents = 21_210
        return GateReading(
            id: "archive", kind: .stream, state: .open, reason: Reason("open", "The receiver accepts."),
            since: FakeTime.start, level: 12, limit: Limit(300, .files), reopens: "", senders: ["edge"],
            receiver: "./archive", counters: counters, latency: (0.002, 0.004))
    }

    static var relay: GateReading {
        var counters = FlowCounters()
        counters.takenEvents = 1_300
        counters.deliveredEvents = 300
        counters.heldEvents = 1_000
        return GateReading(
            id: "relay", kind: .stream, state: .blocking,
            reason: Reason("in_flight_limit", "5 of 5 requests are in flight."),
            since: FakeTime.start + .seconds(-9), level: 5, limit: Limit(5, .requests, origin: "weir.yaml:22"),
            reopens: "when a request ends", senders: ["ingest"], receiver: "10.0.0.7:9000", counters: counters)
    }

    static var mirror: GateReading {
        var counters = FlowCounters()
        counters.takenEvents = 100
        counters.deliveredEvents = 60
        counters.droppedEvents = ["buffer_full": 40]
        return GateReading(
            id: "mirror", kind: .stream, state: .paused, reason: Reason("held", "Held by anna."),
            since: FakeTime.start + .seconds(-3_700), level: nil, limit: Limit(1_000, .events),
            reopens: "when somebody releases it", senders: ["ingest"], receiver: "udp 10.0.0.8:514", counters: counters)
    }
}

extension FakeNode {
    /// Names and reasons as an attacker would choose them.
    static let hostileTexts = [
        "<script>alert(1)</script>", "\"><img src=x onerror=alert(1)>", "'onmouseover='alert(1)", "javascript:alert(1)",
        "a\u{202E}gnp.exe", "line\nbreak\u{1B}[31m", "</title><svg onload=alert(1)>", "{{7*7}}", "%3Cscript%3E",
        "名前 ünï/cödé?#&",
    ]

    static func hostile() -> FakeNode {
        let node = FakeNode()
        for (number, text) in hostileTexts.enumerated() {
            node.publish(
                GateReading(
                    id: text, kind: .stream, state: GateState.allCases[number % GateState.allCases.count],
                    reason: Reason("http_503", text), since: FakeTime.start, level: Int64(number),
                    limit: Limit(10, .events, origin: text),
                    reopens: text, details: [.init(text, text)], senders: [text], receiver: text))
        }
        node.contents.withLock { contents in
            contents.sources = hostileTexts.map {
                SourceStatus(
                    reading: SourceMeter(name: $0, type: $0).reading, addresses: [$0], canBeDelayed: true,
                    state: "reading")
            }
            contents.queues = hostileTexts.map { text in
                QueueStatus(
                    name: text, directory: text,
                    reading: .init(
                        mode: text, bytes: 1, events: 1, maxBytes: 1, oldest: nil, segments: 1, isEngaged: false,
                        trouble: Reason("x", text)), isOrphan: true)
            }
            contents.destinations = hostileTexts.prefix(3).map { text in
                DestinationStatus(
                    name: text, type: "http", gate: node.gates.reading(text),
                    endpoints: [
                        EndpointStatus(
                            name: text, weight: 1, breaker: text, inFlight: 0, concurrency: 1, sentEvents: 0,
                            trouble: Reason("x", text))
                    ])
            }
        }
        return node
    }
}
