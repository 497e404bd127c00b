package import WeirWorld

/// Who an agent has proven to be, by certificate or token, before its first message.
package struct AgentIdentity: Sendable, Hashable {
    package var agent: String
    /// The connectors that it may serve; `nil` for all.
    package var connectors: Set<String>?
    /// When the proof ends: the link is closed then unless it was renewed.
    package var expiry: WallTime?
    /// `certificate`, `token` or `jwt`.
    package var proof: String

    package init(agent: String, connectors: Set<String>? = nil, expiry: WallTime? = nil, proof: String) {
        self.agent = agent
        self.connectors = connectors
        self.expiry = expiry
        self.proof = proof
    }

    /// Of the connectors that an agent offers, those that it may serve.
    package func allowed(_ offered: [String]) -> [String] {
        guard let connectors else { return offered }
        return offered.filter(connectors.contains)
    }
}

/// The hub's side of enrolment: what an agent may ask for on its control stream.
package protocol AgentAuthority: Sendable {
    /// Signs a certificate for the key in a PKCS #10 request (PEM), in the name of the agent that asks.
    func certify(_ request: String, for agent: AgentIdentity) async throws(TunnelFailure) -> ControlMessage.Certificate
    /// False when the agent was revoked since it came.
    func isValid(_ agent: AgentIdentity) async -> Bool
}
