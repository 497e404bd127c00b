import NIOCore
package import WeirCalls
package import WeirFlow
import WeirGates
package import WeirSettings
import WeirWorld

/// Lines over TCP or TLS: one connection per endpoint, events in order.
///
/// Holds back when the receiver reads slower than we write (the socket's buffers fill), cannot be reached, closes,
/// resets, or takes nothing for `write_timeout`. Source: seeds/2, TCP-Based Destinations.
///
/// Delivered means that the operating system has taken every byte of the batch. The protocol has no answer, so what is
/// in the kernel's buffers when a receiver dies is lost; use `http` or another protocol that answers where that
/// matters. What was cut by a broken connection is sent again whole, so a receiver may see the beginning of a batch
/// twice.
package final class TCPDestination: Destination {
    package struct Settings: DestinationSettings {
        package static let type = "tcp"
        package static let summary = "Lines over TCP or TLS, one connection to each address."

        package var address = ""
        package var addresses: [WeightedAddress] = []
        package var format = LineFormat.lines
        package var tls: TLSSettings?
        package var connectTimeout = Duration.seconds(10)
        package var writeTimeout = Duration.seconds(60)
        package var keepalive = true
        package var resolveEvery = Duration.seconds(600)

        package init() {}

        package static let fields: [Field<Self>] = [
            field(
                "address", \.address, check: StreamSettings.isAddress, examples: ["10.0.0.7:9000"],
                "Where to connect to."),
            field(
                "addresses", \.addresses,
                examples: ["[{ address: \"10.0.0.7:9000\", weight: 2 }, { address: \"10.0.0.8:9000\" }]"],
                "Several receivers that share the load. A name with several addresses counts as that many receivers."),
            field("format", \.format, "How events become lines."),
            field("tls", \.tls, "Speak TLS; `tls: {}` is enough where the receiver's certificate is publicly trusted."),
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

        package func mistakes() -> [SettingMistake] { StreamSettings.mistakes(address: address, addresses: addresses) }

        package func plan(_ planning: inout DestinationPlanning) -> DestinationOutline? {
            let format = format
            let plan = StreamSettings.plan(
                address: address, addresses: addresses, tls: tls, resolveEvery: resolveEvery, &planning
            ) { means, target in
                var target = target
                target.connectTimeout = connectTimeout
                target.writeTimeout = writeTimeout
                target.keepsAlive = keepalive
                return TCPDestination(target: target, format: format, world: means.world, eventLoops: means.eventLoops)
            }
            return plan.map { .receiver($0) }
        }
    }

    private let sender: StreamSender
    private let format: LineFormat

    init(target: StreamTarget, format: LineFormat, world: World, eventLoops: any EventLoopGroup) {
        sender = StreamSender(target: target, world: world, eventLoops: eventLoops)
        self.format = format
    }

    package func open() async throws(DeliveryFailure) { try await sender.open() }

    package func send(_ batch: Batch) async throws(DeliveryFailure) -> DeliveryReport {
        try await send([batch])
    }

    package func send(_ batches: [Batch]) async throws(DeliveryFailure) -> DeliveryReport {
        let pieces = batches.filter { !$0.isEmpty }.map { format.bytes(of: $0) }
        if !pieces.isEmpty { try await sender.send(pieces) }
        return .delivered
    }

    package func close() async { await sender.close() }
}
