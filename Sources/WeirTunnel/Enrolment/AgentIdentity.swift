package import WeirWorld

/// Who an agent has proven to be, by certificate or token, before its first message.
package struct AgentIdentity: Sendable, Hashable {
    package enum Proof: String, Sendable, Hashable, CaseIterable {
        /// Of the hub's own authority: enrolled, known by its serial, revocable.
        case certificate
        /// Of an authority that the operator has named.
        case mtls
        case jwt
        /// Nobody asked: tests and the plain listener that says so.
        case none
    }

    package var agent: String
    /// The connectors that it may serve; `nil` for all.
    package var connectors: Set<String>?
    /// When the proof ends: the link is closed then unless it was renewed.
    package var expiry: WallTime?
    package var proof: Proof

    package init(agent: String, connectors: Set<String>? = nil, expiry: WallTime? = nil, proof: Proof) {
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

    /// Names of agents stand in certificates, paths and metrics: letters, digits, `.`, `_` and `-`, 64 at the most.
    package static func isName(_ text: String) -> Bool {
        (1...64).contains(text.utf8.count)
            && text.utf8.allSatisfy { byte in
                (48...57).contains(byte) || (65...90).contains(byte) || (97...122).contains(byte)
                    || [45, 46, 95].contains(byte)
            }
    }
}
