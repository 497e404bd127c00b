package import NIOCore
internal import NIOSSL
package import WeirFlow
package import WeirGates
package import WeirSettings
package import WeirWorld

/// Lines over TCP: text or NDJSON, one event a line. Senders wait while Weir has no room: it stops reading, and TCP
/// does the rest.
package final class TCPSource: Source {
    package struct Settings: WeirSettings.Settings {
        package var listen: OneOrMany<String> = []
        package var format = Format.auto
        package var eventMost = ByteCount.mebibytes(1)
        package var connectionsMost = 10_000
        package var idleTimeout: Duration?
        package var buffer = ByteCount.mebibytes(16)
        package var tls: ServerTLS?

        package init() {}

        package static let fields: [Field<Self>] = [
            field(
                "listen", \.listen, required: true, check: { ListenAddress.check($0) },
                examples: ["127.0.0.1:9000", "unix:/run/weir/lines.sock"], "Where to listen: HOST:PORT, or several."),
            field("format", \.format, "What a line is."),
            field(
                "max_event", \.eventMost, range: ByteCount.kibibytes(1)...ByteCount.mebibytes(64),
                "Longest event; what is longer is cut, ends with …[cut] and counts as malformed `too_long`."),
            field(
                "max_connections", \.connectionsMost, range: 1...1_000_000,
                "Connections at a time; more are closed at once and counted as refused."),
            field("idle_timeout", \.idleTimeout, "Close a connection that sent nothing for so long. Default: never."),
            field(
                "buffer", \.buffer, range: ByteCount.mebibytes(1)...ByteCount.gibibytes(4),
                "What all connections together may hold before the routes take it. Over it, they read in turns."),
            field("tls", \.tls, "TLS, optionally with client certificates."),
        ]
    }

    package enum Format: String, SettingChoice {
        case auto, lines, ndjson
        package var help: String {
            switch self {
            case .auto: "JSON where every line of a batch begins with `{`, else text."
            case .lines: "Text, whatever it looks like."
            case .ndjson: "A JSON object a line; other lines go on as text and count as malformed `not_json`."
            }
        }
    }

    package let canBeDelayed = true
    package let meter: SourceMeter
    private let server: StreamServer

    package init(name: String, settings: Settings, intake: any Intake, world: World, eventLoops: any EventLoopGroup) {
        let meter = SourceMeter(name: name, type: "tcp")
        self.meter = meter
        let format: LineCutter.Format =
            switch settings.format {
            case .auto: .auto
            case .lines: .lines
            case .ndjson: .ndjson
            }
        server = StreamServer(
            listen: settings.listen.values, tls: settings.tls, group: eventLoops,
            shared: StreamShared(
                handing: Handing(intake: intake, meter: meter, world: world),
                streams: OpenStreams(limit: settings.connectionsMost),
                budget: ByteBudget(limit: settings.buffer.asInt), eventMost: settings.eventMost.asInt,
                idleTimeout: settings.idleTimeout)
        ) { LineCutter(format: format, limit: settings.eventMost.asInt, meter: meter) }
    }

    package var addresses: [String] { server.addresses.map { "tcp \($0)" } }
    /// What its connections hold now.
    var heldBytes: Int { server.heldBytes }
    package func open() async throws(SourceFailure) { try await server.open() }
    package func run() async throws { await server.run() }
    package func stop() async { await server.stop() }
}
