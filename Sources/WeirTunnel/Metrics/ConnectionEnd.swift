package import WeirWorld

/// How a connection ended: the second of its two audit records.
package struct ConnectionEnd: Sendable, Hashable {
    package var opening: ConnectionOpening
    package var after: Duration
    package var bytesToTarget: UInt64
    package var bytesToClient: UInt64
    /// `nil` when both directions ended as they should.
    package var reason: StreamReason?
    /// True when the agent's side has ended it.
    package var byPeer: Bool

    /// `fin`, `rst`, `timeout` or `drain`.
    package var kind: String {
        switch reason {
        case nil: "fin"
        case .idle, .finishWait, .connectTimeout, .durationLimit: "timeout"
        case .draining: "drain"
        default: "rst"
        }
    }

    /// Who began it: `client`, `agent` or `hub`.
    package var side: String {
        switch reason {
        case .socketReset, nil: byPeer ? "agent" : "client"
        case .idle, .finishWait, .draining, .sessionLost, .durationLimit, .byteLimit, .denied: "hub"
        default: byPeer ? "agent" : "hub"
        }
    }
}
