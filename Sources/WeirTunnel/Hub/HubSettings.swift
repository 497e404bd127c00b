extension Hub {
    package struct Settings: Sendable {
        /// How this hub calls itself.
        package var name = "hub"
        package var version = ""
        package var listeners: [Listener] = []
        /// For the agent's answer to an open, the dial included.
        package var connectTimeout = Duration.seconds(5)
        /// For what is open when the hub stops; 30 s.
        package var drainMost = Duration.seconds(30)
        package var session = Session.Settings(role: .server)

        package init() {}
    }

    /// An address where clients come in, and the connector that they reach.
    package struct Listener: Sendable, Hashable {
        package var name: String
        package var host: String
        package var port: Int
        package var connector: String

        package init(name: String, host: String, port: Int, connector: String) {
            self.name = name
            self.host = host
            self.port = port
            self.connector = connector
        }
    }
}
