package import NIOCore
internal import NIOSSL
package import WeirFlow
package import WeirGates
package import WeirSettings
package import WeirWorld

/// Lines over TCP: text or NDJSON, one event a line. Senders wait while Weir has no room: it stops reading, and TCP
/// does the rest.
package final class TCPSource: Source {
    package struct Settings: StreamSourceSettings {
        package var listen: OneOrMany<String> = []
        package var format = LineFormat.auto
        package var eventMost = ByteCount.mebibytes(1)
        package var connectionsMost = 10_000
        package var idleTimeout: Duration?
        package var buffer = ByteCount.mebibytes(16)
        package var tls: ServerTLS?

        package init() {}

        package static let fields: [Field<Self>] =
            [
                listenField(
                    examples: ["127.0.0.1:9000", "unix:/run/weir/lines.sock"],
                    "Where to listen: HOST:PORT, or several."),
                field("format", \.format, "What a line is."),
            ]
            + connectionFields(
                event: "event", eventMost: .mebibytes(64), connections: "Connections",
                buffer: "What all connections together may hold before the routes take it. Over it, they read in "
                    + "turns; of a sender that has closed, what the kernel still holds comes on top.",
                tls: "TLS, optionally with client certificates.")
    }

    package let canBeDelayed = true
    package let meter: SourceMeter
    private let server: StreamServer

    package init(name: String, settings: Settings, intake: any Intake, world: World, eventLoops: any EventLoopGroup) {
        let meter = SourceMeter(name: name, type: "tcp")
        self.meter = meter
        server = StreamServer(
            listen: settings.listen.values, tls: settings.tls, group: eventLoops,
            shared: settings.shared(Handing(intake: intake, meter: meter, world: world))
        ) { LineCutter(format: settings.format, limit: settings.eventMost.asInt, meter: meter) }
    }

    package var addresses: [String] { server.addresses.map { "tcp \($0)" } }
    /// What its connections hold now.
    var heldBytes: Int { server.heldBytes }
    package func open() async throws(SourceFailure) { try await server.open() }
    package func run() async throws { await server.run() }
    package func stop() async { await server.stop() }
}
