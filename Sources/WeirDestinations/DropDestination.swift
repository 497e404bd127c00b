package import WeirFlow
package import WeirSettings

/// Takes everything and keeps nothing, on purpose: for routes that end here, and to measure the way without a receiver.
///
/// Never holds back. Events count as delivered (to nowhere). Source: Cribl's DevNull.
package final class DropDestination: Destination {
    package struct Settings: DestinationSettings {
        package static let type = "drop"
        package static let summary = "Takes everything and keeps nothing."
        package init() {}
        package static let fields: [Field<Self>] = []

        package func plan(_ planning: inout DestinationPlanning) -> DestinationOutline? {
            let shape = DeliveryShape(
                bytesMost: 64 << 20, linger: .zero, concurrency: 1, timeout: .seconds(60), canBackpressure: false,
                joinsContexts: true)
            return .receiver(
                DestinationPlan(shape: shape, endpoints: [EndpointPlan(name: "drop") { _ in DropDestination() }]))
        }
    }

    package func open() async throws(DeliveryFailure) {}
    package func send(_ batch: Batch) async throws(DeliveryFailure) -> DeliveryReport { .delivered }
    package func close() async {}
}
