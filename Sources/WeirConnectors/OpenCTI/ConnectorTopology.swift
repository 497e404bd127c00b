/// The names under which a connector publishes, as OpenCTI gives them.
package struct ConnectorTopology: Sendable, Hashable {
    package static let workerExchange = "amqp.worker.exchange"
    package static let connectorExchange = "amqp.connector.exchange"
    static let exchanges = [workerExchange, connectorExchange]
    private static let routingPrefix = "push_routing_"
    private static let queuePrefix = "push_"

    /// Longest id, in bytes: names of queues and routing keys have at most 255 (AMQP 0-9-1, shortstr), and
    /// `listen_routing_` is the longest that stands before one.
    static let idBytesMost = 240

    package let id: ConnectorID

    package init(_ id: ConnectorID) { self.id = id }

    package var listenQueue: String { "listen_\(id)" }
    package var listenRouting: String { "listen_routing_\(id)" }
    package var pushQueue: String { "push_\(id)" }
    /// Only where each connector has a user of its own in a RabbitMQ.
    package var ownExchange: String { pushQueue }
    package var pushRouting: String { ConnectorTopology.routingPrefix + id }

    /// Whose push a message with this address is; `nil` when it is nobody's. The exchange without a name takes the name
    /// of a queue.
    package static func connector(exchange: String, routingKey: String) -> ConnectorID? {
        guard exchange == workerExchange || exchange.isEmpty else { return nil }
        let prefix = exchange.isEmpty ? queuePrefix : routingPrefix
        guard routingKey.hasPrefix(prefix), routingKey.utf8.count > prefix.utf8.count else { return nil }
        return String(routingKey.dropFirst(prefix.count))
    }
}
