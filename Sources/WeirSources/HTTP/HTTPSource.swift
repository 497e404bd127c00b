package import NIOCore
internal import NIOHTTP1
internal import NIOSSL
import Synchronization
package import WeirFlow
package import WeirGates
package import WeirSettings
package import WeirWorld

/// Events over HTTP: `POST /`, Splunk's HTTP Event Collector and Elasticsearch's bulk API on one port.
///
/// Success is answered only when every chosen destination has the events or its queue has them on disk. While there is
/// no room a request waits, and is then told when to come back.
package final class HTTPSource: Source {
    package struct Settings: WeirSettings.Settings {
        package var listen: OneOrMany<String> = []
        package var format = Format.auto
        package var tokens: [Secret] = []
        package var wait = Duration.seconds(10)
        package var settleWait = Duration.seconds(30)
        package var busyStatus = BusyStatus.tooManyRequests
        package var hec = true
        package var hecAcknowledges = false
        package var bulk = true
        package var bodyMost = ByteCount.mebibytes(16)
        package var eventMost = ByteCount.mebibytes(1)
        package var buffer = ByteCount.mebibytes(64)
        package var connectionsMost = 10_000
        package var headerTimeout = Duration.seconds(10)
        package var idleTimeout = Duration.seconds(60)
        package var bodyRate = ByteCount(Int64(1_024))
        package var bodyGrace = Duration.seconds(10)
        package var tls: ServerTLS?

        package init() {}

        package static let fields: [Field<Self>] = [
            field(
                "listen", \.listen, required: true, check: { ListenAddress.check($0) }, examples: ["127.0.0.1:8088"],
                "Where to listen: HOST:PORT, or several."),
            field("format", \.format, "What the body of `POST /` is."),
            field(
                "tokens", \.tokens, examples: ["[{ env: INGEST_TOKEN }]"],
                "Who may send: a bearer token, a Splunk token, an API key or the password of basic credentials. "
                    + "Empty: everybody."
            ),
            field(
                "wait", \.wait, range: Duration.zero...Duration.seconds(300),
                "How long a request waits for room, at a stretch, before it is answered with `busy_status`."),
            field(
                "settle_wait", \.settleWait, range: Duration.seconds(1)...Duration.seconds(600),
                "How long a request waits after that until its events are safe. Then the sender is told to repeat it."),
            field(
                "busy_status", \.busyStatus,
                "The status of an answer that says \"come back later\". HEC always says 503."),
            field("hec", \.hec, "Speak Splunk's HTTP Event Collector at /services/collector."),
            field(
                "hec_ack", \.hecAcknowledges,
                "Indexer acknowledgement: answer at once with an `ackId`; every request needs a channel."),
            field("bulk", \.bulk, "Speak Elasticsearch's bulk API at /_bulk and /{index}/_bulk."),
            field(
                "max_body", \.bodyMost, range: ByteCount.kibibytes(1)...ByteCount.gibibytes(1),
                "Largest body, unpacked. More is answered with 413, also when it is a compression bomb. Bodies are "
                    + "handed on while they come, so a large one needs no more memory than a small one."),
            field(
                "max_event", \.eventMost, range: ByteCount.kibibytes(1)...ByteCount.mebibytes(64),
                "Longest event. Longer lines are cut, longer JSON values are left out; both count as malformed "
                    + "`too_long`."
            ),
            field(
                "buffer", \.buffer, range: ByteCount.mebibytes(1)...ByteCount.gibibytes(16),
                "What all bodies together hold in memory. Over it, a body waits until what came of it is handed on, "
                    + "and one of which no event is whole yet is answered with `busy_status`."),
            field(
                "max_connections", \.connectionsMost, range: 1...1_000_000,
                "Connections at a time; more are closed at once and counted as refused."),
            field(
                "header_timeout", \.headerTimeout, range: Duration.milliseconds(10)...Duration.seconds(300),
                "How long the head of a request may take."),
            field(
                "idle_timeout", \.idleTimeout, range: Duration.milliseconds(10)...Duration.seconds(3_600),
                "How long a connection may stay without a request."),
            field(
                "min_body_rate", \.bodyRate, range: ByteCount.zero...ByteCount.gibibytes(1),
                "Bytes a second that a body must bring, over `body_grace`; slower ones are answered with 408."),
            field(
                "body_grace", \.bodyGrace, range: Duration.milliseconds(10)...Duration.seconds(300),
                "Over how long `min_body_rate` is measured."),
            field("tls", \.tls, "TLS, optionally with client certificates."),
        ]
    }

    package enum Format: String, SettingChoice {
        case auto, ndjson
        case jsonArray = "json_array"
        case lines
        package var help: String {
            switch self {
            case .auto:
                "By Content-Type: application/x-ndjson, application/json (an array, one value or several), "
                    + "text/plain; else lines, JSON where all begin with `{`."
            case .ndjson: "A JSON object a line."
            case .jsonArray: "An array of values, or values one after the other."
            case .lines: "Text, a line each."
            }
        }
    }

    package enum BusyStatus: String, SettingChoice {
        case tooManyRequests = "429"
        case unavailable = "503"
        var status: HTTPResponseStatus { self == .unavailable ? .serviceUnavailable : .tooManyRequests }
        package var help: String {
            self == .unavailable ? "Service Unavailable, as Cribl answers." : "Too Many Requests."
        }
    }

    /// Headers of a request, all together; more is answered with 431.
    private static let headerBytesMost = 64 * 1_024
    private static let headerCountMost = 128

    package let canBeDelayed = true
    package let meter: SourceMeter
    private let settings: Settings
    private let shared: HTTPShared
    private let eventLoops: any EventLoopGroup
    private let world: World
    private let listeners = Mutex<[Listener]>([])

    package init(name: String, settings: Settings, intake: any Intake, world: World, eventLoops: any EventLoopGroup) {
        let meter = SourceMeter(name: name, type: "http")
        self.meter = meter
        self.settings = settings
        self.eventLoops = eventLoops
        self.world = world
        let taking = HTTPTaking(intake: intake, meter: meter, world: world, wait: settings.wait)
        let tokens = HTTPTokens(settings.tokens.map(\.text), isRequired: !settings.tokens.isEmpty)
        let eventMost = settings.eventMost.asInt
        let events = HTTPEventsDoor(
            taking: taking, format: settings.format, tokens: tokens, eventMost: eventMost,
            busyStatus: settings.busyStatus.status)
        var doors: [any HTTPDoor] = []
        if settings.bulk {
            let bulk = BulkDoor(
                taking: taking, tokens: tokens, eventMost: eventMost, busyStatus: settings.busyStatus.status)
            doors.append(RootDoor(events: events, bulk: bulk))
            doors.append(bulk)
        } else {
            doors.append(events)
        }
        if settings.hec {
            doors.append(
                HECDoor(taking: taking, tokens: tokens, eventMost: eventMost, acknowledges: settings.hecAcknowledges))
        }
        shared = HTTPShared(
            taking: taking, streams: OpenStreams(limit: settings.connectionsMost),
            budget: ByteBudget(limit: settings.buffer.asInt), settleWait: settings.settleWait, doors: doors,
            bodyMost: settings.bodyMost.asInt,
            headerTimeout: settings.headerTimeout, idleTimeout: settings.idleTimeout,
            bodyRate: Double(settings.bodyRate.bytes), bodyGrace: settings.bodyGrace)
    }

    package var addresses: [String] { listeners.withLock { $0.compactMap(\.address) }.map { "http \($0)" } }
    /// Bytes of bodies that are in memory.
    var heldBytes: Int { shared.budget.bytes }

    package func open() async throws(SourceFailure) {
        let tls: NIOSSLContext?
        if let files = settings.tls { tls = try files.context() } else { tls = nil }
        for text in settings.listen.values {
            guard let address = ListenAddress(text) else { continue }
            let listener = Listener(group: eventLoops, meter: meter, log: world.log)
            do throws(SourceFailure) {
                try await listener.open(at: address, isTuned: false) { [shared] channel in
                    try HTTPSource.build(channel, shared, tls)
                }
            } catch {
                await stop()
                throw error
            }
            listeners.withLock { $0.append(listener) }
        }
    }

    private static func build(_ channel: any Channel, _ shared: HTTPShared, _ tls: NIOSSLContext?) throws {
        let pipeline = channel.pipeline.syncOperations
        if let tls { try pipeline.addHandler(NIOSSLServerHandler(context: tls)) }
        var limits = NIOHTTPDecoderLimitConfiguration()
        limits.maxHeaderFieldSize = 16 * 1_024
        limits.maxHeaderListSize = headerBytesMost
        limits.maxHeaderFieldCount = headerCountMost
        let watch = HTTPByteWatch()
        try pipeline.addHandler(watch)
        try pipeline.addHandler(HTTPResponseEncoder())
        try pipeline.addHandler(ByteToMessageHandler(HTTPRequestDecoder(limitConfiguration: limits)))
        try pipeline.addHandler(HTTPServerPipelineHandler())
        try pipeline.addHandler(HTTPConnection(shared: shared, watch: watch))
    }

    package func run() async throws {
        await withTaskCancellationHandler {
            await shared.streams.finished()
        } onCancel: {
            shared.streams.cancel()
        }
        await closeListeners()
    }

    package func stop() async {
        await closeListeners()
        shared.streams.stop()
    }

    private func closeListeners() async {
        let open = listeners.withLock { $0 }
        for listener in open { await listener.close() }
    }
}

/// `/` belongs to two: clients of Elasticsearch ask there whom they talk to, everybody else sends events.
struct RootDoor: HTTPDoor {
    let events: HTTPEventsDoor
    let bulk: BulkDoor

    func opens(_ path: String) -> Bool { events.opens(path) }
    private func door(_ call: HTTPCall) -> any HTTPDoor { call.method == .GET || call.method == .HEAD ? bulk : events }
    func refusal(for call: HTTPCall) -> HTTPRefusal? { door(call).refusal(for: call) }
    func reading(_ call: HTTPCall) -> any HTTPReading { door(call).reading(call) }
    func say(_ refusal: HTTPRefusal, to call: HTTPCall, accepted: Int?) -> HTTPAnswer {
        door(call).say(refusal, to: call, accepted: accepted)
    }
}
