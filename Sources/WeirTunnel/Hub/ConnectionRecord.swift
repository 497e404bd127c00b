package import WeirWorld

/// One connection of a client, for the audit: written when it is opened or refused, and again at its end. Never what
/// was carried.
package struct ConnectionRecord: Sendable, Hashable {
    /// Rises with each connection since the hub's start; ties a beginning to its end.
    package var id: UInt64
    package var time: WallTime
    package var hub: String
    package var listener: String
    package var connector: String
    /// `10.0.0.9:50123`, as the balancer says where there is one; `nil` when unknown.
    package var client: ClientAddress?
    package var agent: String?
    /// The hub that has the agent, when it is another one.
    package var through: String?
    package var result = ConnectionResult.opened
    /// Why it was refused, or what the decision point said.
    package var reason: String?
    /// What the decision point called its decision.
    package var decision: String?
    /// `nil` in the record of the beginning.
    package var end: End?

    package struct End: Sendable, Hashable {
        /// `fin`, or why the stream was reset.
        package var reason: String
        /// Who began it: `client`, `target` or `hub`.
        package var by: String
        /// In bytes.
        package var toTarget: Int64
        package var toClient: Int64
        package var duration: Duration
    }

    func opened(by agent: String) -> ConnectionRecord {
        var record = self
        record.agent = agent
        record.result = .opened
        return record
    }
}

/// Where records of connections go. Called from event loops: quick, and never blocking.
package protocol ConnectionAuditor: Sendable {
    func record(_ record: ConnectionRecord)
}

/// An address and a port in their text form, brackets left out.
package struct ClientAddress: Sendable, Hashable, CustomStringConvertible {
    package var host: String
    package var port: Int

    package init(host: String, port: Int) {
        self.host = host
        self.port = port
    }

    /// What `description` writes.
    init?(_ text: String) {
        guard let end = HostPort(text, port: nil) else { return nil }
        self.init(host: end.host, port: end.port)
    }

    package var description: String { HostPort(host: host, port: port).description }
}
