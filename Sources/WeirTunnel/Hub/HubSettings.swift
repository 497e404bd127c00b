extension Hub {
    package struct Settings: Sendable {
        /// How this hub calls itself.
        package var name = "hub"
        package var version = ""
        package var listeners: [Listener] = []
        /// Clients at the same time, at all listeners together; 2,000 as in the original (`max_conn_total`).
        package var connectionsMost = 2_000
        /// By connector; no limit of its own.
        package var connectorMost: [String: Int] = [:]
        /// By connector, bytes a second in both directions together; no limit.
        package var bandwidth: [String: Int64] = [:]
        /// For the agent's answer to an open, the dial included.
        package var connectTimeout = Duration.seconds(5)
        /// For what is open when the hub stops; 30 s.
        package var drainMost = Duration.seconds(30)
        /// How often the policy is asked again about connections that are open; `nil`: never.
        package var recheckEvery: Duration?
        package var session = Session.Settings(role: .server)

        package init() {}
    }

    /// An address where clients come in, and the connector that they reach.
    package struct Listener: Sendable, Hashable {
        package var name: String
        package var host: String
        package var port: Int
        package var connector: String
        package var limits = ListenerRules.Limits()
        /// Balancers that say by the PROXY protocol (version 1 or 2) who the client is; from them a header must come.
        /// Nobody is asked for one when empty.
        package var balancers: [AddressRange] = []

        package init(name: String, host: String, port: Int, connector: String) {
            self.name = name
            self.host = host
            self.port = port
            self.connector = connector
        }
    }
}
