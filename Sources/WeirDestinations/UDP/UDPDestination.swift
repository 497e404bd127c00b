import NIOCore
package import WeirFlow
package import WeirGates
package import WeirSettings

/// Each event as a datagram.
///
/// Never holds back: UDP has no answer, so there is nothing to hold back for. Delivered means handed to the operating
/// system.
/// Source: seeds/2, UDP.
package final class UDPDestination: Destination {
    package struct Settings: DestinationSettings {
        package static let type = "udp"
        package static let summary = "Each event as a datagram; nothing is held back and nothing is sure to arrive."

        package var address = ""
        package var addresses: [WeightedAddress] = []
        package var format = LineFormat.lines
        package var maxSize = ByteCount(1_500)
        package var resolveEvery = Duration.seconds(600)

        package init() {}

        package static let fields: [Field<Self>] = [
            field(
                "address", \.address, check: StreamSettings.isAddress, examples: ["10.0.0.7:9000"],
                "Where datagrams go."),
            field(
                "addresses", \.addresses,
                examples: ["[{ address: \"10.0.0.7:9000\" }, { address: \"10.0.0.8:9000\" }]"],
                "Several receivers that share the load."),
            field("format", \.format, "How an event becomes the content of a datagram."),
            field(
                "max_size", \.maxSize, range: ByteCount(64)...ByteCount(65_507),
                "Longer events are cut and end with “…”."),
            field(
                "resolve_every", \.resolveEvery, range: .seconds(1)...(.seconds(86_400)),
                "How often the names in `addresses` are looked up again."),
        ]

        package func mistakes() -> [SettingMistake] { StreamSettings.mistakes(address: address, addresses: addresses) }

        package func plan(_ planning: inout DestinationPlanning) -> DestinationOutline? {
            let (format, most) = (format, maxSize.asInt)
            let plan = StreamSettings.plan(
                address: address, addresses: addresses, tls: nil, resolveEvery: resolveEvery, &planning
            ) { means, target in
                UDPDestination(
                    sender: DatagramSender(address: target.address, resolved: target.resolved, means: means),
                    format: format, most: most)
            }
            return plan.map { plan in
                var plan = plan
                plan.shape = DatagramShape.shape
                return .receiver(plan)
            }
        }
    }

    private let sender: DatagramSender
    private let format: LineFormat
    private let most: Int

    init(sender: DatagramSender, format: LineFormat, most: Int) {
        self.sender = sender
        self.format = format
        self.most = most
    }

    package func open() async throws(DeliveryFailure) { try await sender.open() }

    package func send(_ batch: Batch) async throws(DeliveryFailure) -> DeliveryReport {
        try await sender.send((0..<batch.count).map { Datagram.cut(content($0, of: batch), most: most) })
        return .delivered
    }

    private func content(_ index: Int, of batch: Batch) -> ByteBuffer {
        let event = batch.event(at: index)
        guard format == .ndjson, batch.kind != .json else { return event }
        var bytes = ByteBuffer()
        event.withUnsafeReadableBytes { EventJSON.write($0, of: batch.context, to: &bytes) }
        return bytes
    }

    package func close() async { await sender.close() }
}

/// How datagram destinations want their batches.
enum DatagramShape {
    static let shape = DeliveryShape(
        bytesMost: 262_144, linger: .zero, concurrency: 1, isOrdered: true, timeout: .seconds(60),
        canBackpressure: false,
        joinsContexts: true)
}
