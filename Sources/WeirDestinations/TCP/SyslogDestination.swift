import Glibc
import NIOCore
package import WeirCalls
package import WeirFlow
package import WeirGates
package import WeirSettings

/// Syslog over TCP, TLS or UDP.
///
/// Over TCP and TLS it holds back and fails as `tcp` does, and delivered means the same; over UDP nothing is held back.
/// Events that came in as syslog go out as they were; others get a header of RFC 5424 or 3164. Sources: RFC 5424, 3164,
/// 6587, 5425 (TLS); research/destinations.md 1.3.
package final class SyslogDestination: Destination {
    package enum Transport: String, SettingChoice, Sendable {
        case tcp, udp
    }

    package struct Settings: DestinationSettings {
        package static let type = "syslog"
        package static let summary = "Syslog over TCP, TLS or UDP."

        package var address = ""
        package var addresses: [WeightedAddress] = []
        package var transport = Transport.tcp
        package var framing = SyslogFraming.newline
        package var messageFormat = SyslogFormat.rfc5424
        package var facility = 1
        package var severity = 5
        package var app = "weir"
        package var host = ""
        package var tls: TLSSettings?
        package var maxSize = ByteCount(1_500)
        package var connectTimeout = Duration.seconds(10)
        package var writeTimeout = Duration.seconds(60)
        package var keepalive = true
        package var resolveEvery = Duration.seconds(600)

        package init() {}

        package static let fields: [Field<Self>] = [
            field(
                "address", \.address, check: StreamSettings.isAddress, examples: ["10.0.0.7:514"],
                "Where messages go."),
            field(
                "addresses", \.addresses, examples: ["[{ address: \"10.0.0.7:514\" }, { address: \"10.0.0.8:514\" }]"],
                "Several receivers that share the load."),
            field("transport", \.transport, "TCP (with `tls` for TLS) or UDP."),
            field("framing", \.framing, "How messages are told apart over TCP."),
            field("message_format", \.messageFormat, "Header of events that are not syslog already."),
            field("facility", \.facility, range: 0...23, "Their facility; 1 is user."),
            field("severity", \.severity, range: 0...7, "Their severity; 5 is notice."),
            field(
                "app", \.app,
                check: {
                    SyslogText.word($0, most: 48) == $0
                        ? nil : "must be 1 to 48 printable ASCII characters without spaces"
                }, "Their application name."),
            field("host", \.host, "Their host, where the source gave none; the name of this machine by default."),
            field("tls", \.tls, "Speak TLS (RFC 5425; it uses `framing: octet_counting`)."),
            field(
                "max_size", \.maxSize, range: ByteCount(480)...ByteCount(65_507),
                "Over UDP, longer messages are cut and end with “…”."),
            field(
                "connect_timeout", \.connectTimeout, range: .milliseconds(1)...(.seconds(600)),
                "Time for connecting, TLS included."),
            field(
                "write_timeout", \.writeTimeout, range: .milliseconds(10)...(.seconds(3_600)),
                "The connection is given up when the receiver takes not one byte for so long."),
            field("keepalive", \.keepalive, "Let the operating system probe an idle connection."),
            field(
                "resolve_every", \.resolveEvery, range: .seconds(1)...(.seconds(86_400)),
                "How often the names in `addresses` are looked up again."),
        ]

        package func mistakes() -> [SettingMistake] {
            var mistakes = StreamSettings.mistakes(address: address, addresses: addresses)
            if transport == .udp, tls != nil {
                mistakes.append(
                    SettingMistake("tls", "TLS needs `transport: tcp`", help: "take `tls` out or change `transport`"))
            }
            return mistakes
        }

        package func plan(_ planning: inout DestinationPlanning) -> DestinationOutline? {
            let text = SyslogText(
                format: messageFormat, facility: facility, severity: severity, host: host.isEmpty ? HostName.own : host,
                app: app)
            let (framing, transport, most) = (framing, transport, maxSize.asInt)
            let plan = StreamSettings.plan(
                address: address, addresses: addresses, tls: tls, resolveEvery: resolveEvery, &planning
            ) { means, target in
                if transport == .udp {
                    let sender = DatagramSender(address: target.address, resolved: target.resolved, means: means)
                    return SyslogDestination(text: text, way: .datagrams(sender, most: most))
                }
                var target = target
                target.connectTimeout = connectTimeout
                target.writeTimeout = writeTimeout
                target.keepsAlive = keepalive
                let sender = StreamSender(target: target, world: means.world, eventLoops: means.eventLoops)
                return SyslogDestination(text: text, way: .stream(sender, framing))
            }
            return plan.map { plan in
                var plan = plan
                if transport == .udp { plan.shape = DatagramShape.shape }
                // The header is the batch's, so batches of different sources stay apart.
                plan.shape.joinsContexts = false
                return .receiver(plan)
            }
        }
    }

    enum Way: Sendable {
        case stream(StreamSender, SyslogFraming)
        case datagrams(DatagramSender, most: Int)
    }

    private let text: SyslogText
    private let way: Way

    init(text: SyslogText, way: Way) {
        self.text = text
        self.way = way
    }

    package func open() async throws(DeliveryFailure) {
        switch way {
        case .stream(let sender, _): try await sender.open()
        case .datagrams(let sender, _): try await sender.open()
        }
    }

    package func send(_ batch: Batch) async throws(DeliveryFailure) -> DeliveryReport { try await send([batch]) }

    package func send(_ batches: [Batch]) async throws(DeliveryFailure) -> DeliveryReport {
        let full = batches.filter { !$0.isEmpty }
        if full.isEmpty { return .delivered }
        switch way {
        case .stream(let sender, let framing): try await sender.send(full.map { text.bytes(of: $0, framing: framing) })
        case .datagrams(let sender, let most):
            try await sender.send(full.flatMap { text.datagrams(of: $0, most: most) })
        }
        return .delivered
    }

    package func close() async {
        switch way {
        case .stream(let sender, _): await sender.close()
        case .datagrams(let sender, _): await sender.close()
        }
    }
}

enum HostName {
    /// The name of this machine; `-` when it has none.
    static let own: String = {
        var name = [CChar](repeating: 0, count: 256)
        guard gethostname(&name, name.count - 1) == 0 else { return "-" }
        return SyslogText.word(
            String(decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self), most: 255)
    }()
}
