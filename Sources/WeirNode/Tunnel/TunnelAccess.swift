package import WeirTunnel

/// What API, page, metrics and command line may see of a hub and ask of it. Looks are snapshots and do not block.
package protocol TunnelAccess: Sendable {
    /// By connector, ascending.
    var tunnels: [TunnelStatus] { get }
    /// By name, ascending; those that left within the past hour are among them.
    var agents: [AgentStatus] { get }
    /// Agents that were refused before they had proven a name, by reason.
    var refusedAgents: [String: UInt64] { get }
    /// The other hubs; `nil` for a hub alone.
    var mesh: MeshStatus? { get }
    /// Connections at the door of which no link came, by reason.
    var doorEnds: [DoorEnd: UInt64] { get }
    /// Decides for others by AuthZEN; `nil` unless the configuration has rules.
    var decisions: DecisionService? { get }
    /// True when NowConnect's names are given beside Weir's.
    var givesNowConnectNames: Bool { get }

    /// The open connections of a connector, longest waiting first, `limit` at the most; `nil` when there is none of
    /// that name.
    func connections(of connector: String, limit: Int) -> [ConnectionFigures]?
    /// Opens one connection as a client would, without sending the target anything.
    func probe(_ connector: String) async -> TunnelProbe?
    /// Makes a one-time token with which an agent may enrol.
    /// - Parameter life: until it must be used; at most 7 days.
    func token(agent: String, connectors: [String], life: Duration, by: String) async throws(TunnelFailure) -> String
    /// The certificate of the hub's own authority, PEM: whoever has it knows the hub, and needs nothing else of it.
    /// - Throws: `own_certificate` or `plain` where agents do not meet a certificate of it.
    func authority() throws(TunnelFailure) -> String
    /// Refuses the agent's certificates from now on and closes its links.
    /// - Returns: false when no agent of that name was ever enrolled.
    func revoke(agent: String, by: String, reason: String) async throws(TunnelFailure) -> Bool
    /// Resets open connections of a connector; `client` is an address with or without a port, `nil` for all.
    /// - Returns: how many.
    func close(_ connector: String, client: String?, by: String) -> Int
}
