/// What happened to a client that came to a listener: the `result` label.
package enum ConnectionResult: String, Sendable, Hashable, CaseIterable {
    case opened, denied, refused
    case noAgent = "no_agent"
    case limit
    case pdpError = "pdp_error"
    /// It was reset by the client before the target had answered.
    case clientLeft = "client_left"
}

/// What a known agent did that no agent does; each costs the stream that it was done with: the `type` label.
package enum AgentMistake: String, Sendable, Hashable, CaseIterable {
    /// It opened a stream beside its conversation: the hub opens all others.
    case openedStream = "opened_stream"
}

/// Where hub and agent tell what they did, to be counted and shown. Every call is quick; calls come from any thread
/// unless said otherwise.
package protocol TunnelObserver: Sendable {
    func agentJoined(_ agent: String, connectors: [String], link: UInt64)
    func agentLeft(_ agent: String, link: UInt64, _ end: LinkEnd, wasLast: Bool)
    func agentRefused(_ code: String)
    func agentMistook(_ agent: String, _ mistake: AgentMistake)
    /// A connection at the door did not become an agent's link.
    func doorClosed(_ end: DoorEnd)
    /// - Parameter after: how long it took to decide.
    func decided(_ decision: OpenDecision, connector: String, after: Duration)
    func connection(_ connector: String, _ result: ConnectionResult)
    /// - Parameter reason: `nil` when the target answered.
    func dialled(_ connector: String, _ reason: StreamReason?, after: Duration)
    /// An agent did not dial what the hub asked for.
    func openRefused(_ status: DialStatus)
    /// A client could not be taken from the system.
    func failedToAccept(_ connector: String)
    /// A meter for one connection, used on its event loop.
    func meter(_ opening: ConnectionOpening) -> any StreamMeter
}
