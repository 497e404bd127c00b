/// The names under which a connector publishes, as OpenCTI gives them.
package struct ConnectorTopology: Sendable, Hashable {
    package static let workerExchange = "amqp.worker.exchange"
    package static let connectorExchange = "amqp.connector.exchange"
    private static let pushPrefix = "push_routing_"

    package let id: ConnectorID

    package init(_ id: ConnectorID) { self.id = id }

    package var listenQueue: String { "listen_\(id)" }
    package var listenRouting: String { "listen_routing_\(id)" }
    package var pushQueue: String { "push_\(id)" }
    package var pushRouting: String { ConnectorTopology.pushPrefix + id }

    /// Whose push a message with this address is; `nil` when it is nobody's.
    package static func connector(exchange: String, routingKey: String) -> ConnectorID? {
        guard exchange == workerExchange, routingKey.hasPrefix(pushPrefix) else { return nil }
        let id = routingKey.dropFirst(pushPrefix.count)
        return id.isEmpty ? nil : String(id)
    }
}
