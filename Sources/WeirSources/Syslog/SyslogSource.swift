package import NIOCore
import Synchronization
package import WeirFlow
package import WeirGates
package import WeirSettings
package import WeirWorld

/// Syslog over TCP and UDP, RFC 5424 and RFC 3164, unparsed: what an expression asks for is found later.
package final class SyslogSource: Source {
    package struct Settings: StreamSourceSettings {
        package var listen: OneOrMany<String> = []
        package var transport = Transport.tcp
        package var eventMost = ByteCount.kibibytes(64)
        package var connectionsMost = 10_000
        package var idleTimeout: Duration?
        package var buffer = ByteCount.mebibytes(16)
        package var receiveBuffer = ByteCount.mebibytes(4)
        package var tls: ServerTLS?

        package init() {}

        package static let fields: [Field<Self>] =
            [
                listenField(
                    examples: ["127.0.0.1:5514"],
                    "Where to listen: HOST:PORT, or several. With `transport: both` TCP and UDP share the port."),
                field("transport", \.transport, "Over what messages come."),
            ]
            + connectionFields(
                event: "message", eventMost: .mebibytes(8), connections: "TCP connections",
                buffer: "What all connections, or the UDP socket, may hold before the routes take it.",
                tls: "TLS for TCP (RFC 5425), optionally with client certificates.")
            + [
                field(
                    "receive_buffer", \.receiveBuffer, range: ByteCount.kibibytes(64)...ByteCount.gibibytes(1),
                    "UDP: what the kernel holds while Weir is busy; it gives at most net.core.rmem_max.")
            ]

        package func mistakes() -> [SettingMistake] {
            guard tls != nil, transport == .udp else { return [] }
            return [
                SettingMistake(
                    "tls", "there is no TLS over UDP here", help: "write `transport: tcp`, or take `tls` away")
            ]
        }
    }

    package enum Transport: String, SettingChoice {
        case tcp, udp, both
        package var help: String {
            switch self {
            case .tcp: "TCP; newline-framed and octet-counted messages (RFC 6587), told apart one by one. Senders wait."
            case .udp:
                "UDP, one message a datagram (RFC 5426). Senders cannot wait: what there is no room for is dropped "
                    + "and counted."
            case .both: "TCP and UDP on the same port."
            }
        }
    }

    /// True for TCP alone: over UDP nobody can be held back.
    package let canBeDelayed: Bool
    package let meter: SourceMeter
    private let settings: Settings
    private let shared: StreamShared
    private let server: StreamServer
    private let intake: any Intake
    private let world: World
    private let eventLoops: any EventLoopGroup
    private let sockets = Mutex<[DatagramSocket]>([])

    package init(name: String, settings: Settings, intake: any Intake, world: World, eventLoops: any EventLoopGroup) {
        let meter = SourceMeter(name: name, type: "syslog")
        self.meter = meter
        self.settings = settings
        self.intake = intake
        self.world = world
        self.eventLoops = eventLoops
        canBeDelayed = settings.transport == .tcp
        let limit = settings.eventMost.asInt
        shared = settings.shared(Handing(intake: intake, meter: meter, world: world))
        server = StreamServer(
            listen: settings.transport == .udp ? [] : settings.listen.values, tls: settings.tls, group: eventLoops,
            shared: shared
        ) { SyslogCutter(limit: limit, meter: meter) }
    }

    package var addresses: [String] {
        server.addresses.map { "tcp \($0)" } + sockets.withLock { $0.compactMap(\.address) }.map { "udp \($0)" }
    }

    package func open() async throws(SourceFailure) {
        try await server.open()
        guard settings.transport != .tcp else { return }
        do throws(SourceFailure) {
            let ports = server.ports
            for (index, text) in settings.listen.values.enumerated() {
                try await openSocket(text, port: index < ports.count ? ports[index] : nil)
            }
        } catch {
            await stop()
            throw error
        }
    }

    /// - Parameter port: the one that TCP was given, when the operator asked for any.
    private func openSocket(_ text: String, port: Int?) async throws(SourceFailure) {
        guard let address = ListenAddress(text) else { return }
        guard case .port = address.place else {
            throw SourceFailure(
                Reason("bad_address", "Datagrams over a Unix domain socket are not read."), help: "Write HOST:PORT.")
        }
        var resolved = try address.resolved()
        if let port { resolved.port = port }
        let socket = DatagramSocket()
        try await socket.open(
            at: resolved, group: eventLoops, receiveBuffer: settings.receiveBuffer.asInt
        ) { [intake, meter, world, shared, settings] in
            DatagramHandler(
                kind: .syslog, intake: intake, meter: meter, world: world, streams: shared.streams,
                bufferMost: settings.buffer.asInt)
        }
        sockets.withLock { $0.append(socket) }
    }

    package func run() async throws { await server.run() }
    package func stop() async { await server.stop() }
}
