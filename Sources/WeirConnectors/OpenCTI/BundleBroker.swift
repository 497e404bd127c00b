/// Where connectors publish in their default mode: Weir's own AMQP ingress, or a RabbitMQ beside it.
package protocol BundleBroker: Sendable {
    /// Address and credentials of one connector, made durably when there are none.
    func connection(for id: ConnectorID) async throws(ConnectorFailure) -> BrokerConnection
    /// The exchange that it publishes to.
    func exchange(for id: ConnectorID) -> String
    /// Ends the credentials and what is connected with them.
    func revoke(_ id: ConnectorID) async throws(ConnectorFailure)
    /// Throws when bundles of the connector wait that would be lost with it.
    func mayRemove(_ id: ConnectorID) async throws(ConnectorFailure)
    /// Looks now how much waits, where that is not known anyway.
    func measure(_ id: ConnectorID) async
}

extension BundleBroker {
    package func exchange(for id: ConnectorID) -> String { ConnectorTopology.workerExchange }
    package func mayRemove(_ id: ConnectorID) async throws(ConnectorFailure) {}
    package func measure(_ id: ConnectorID) async {}
}

/// What a connector is told at its registration. It is its own: no other connector's publishes go through with it.
package struct BrokerConnection: Sendable, Hashable {
    package var host: String
    package var port: Int
    package var vhost: String
    package var usesTLS: Bool
    package var user: String
    package var password: String

    package init(host: String, port: Int, vhost: String = "/", usesTLS: Bool = false, user: String, password: String) {
        self.host = host
        self.port = port
        self.vhost = vhost
        self.usesTLS = usesTLS
        self.user = user
        self.password = password
    }

    /// Where there is no broker: pycti reads all six members even when it sends by the API.
    static let none = BrokerConnection(host: "127.0.0.1", port: 0, user: "", password: "")
}
