/// Reasons for which a hub refuses agents, and what an agent's operator does about each.
package enum RefusalAdvice {
    /// Reasons of the hub's book and of bearer tokens: counters of refused agents begin with these.
    package static let reasons: [String] =
        EnrolmentBook.Refusal.allCases.map(\.rawValue) + [
            "agent_name", "connector_not_allowed", "no_bearer", "no_enrolment", "no_proof", "token_audience",
            "token_early", "token_issuer", "token_key", "token_keys", "token_malformed", "token_signature",
        ]

    /// The hub has struck out what the agent shows, or never had it.
    static func endsCertificate(_ reason: String) -> Bool {
        ["agent_unknown", "agent_revoked", "certificate_unknown"].contains(reason)
    }

    /// - Returns: `nil` when only the hub's operator can know.
    static func text(_ reason: String, agent: String) -> String? {
        let anew =
            "make a new token on the hub with `weir tunnel token --agent \(agent) --connector NAME`, write it to "
            + "--token-file, and start the agent again."
        return switch reason {
        case "token_used", "token_unknown", "agent_unknown", "agent_revoked", "certificate_unknown", "no_proof":
            anew.prefix(1).uppercased() + anew.dropFirst()
        case "token_expired", "certificate_expired": "Look at the clocks of both machines; then \(anew)"
        case "agent_mismatch": "Leave --name out, or use the token that was made for this agent."
        case "connector_not_allowed": "Serve names that the token was made for, or make one for these names."
        case "token_audience", "token_early", "token_issuer", "token_key", "token_malformed", "token_signature",
            "agent_name":
            "Look at the file of --bearer-file and at `tunnel.jwt` of the hub."
        case "token_keys": "Nothing here: the hub reads them at `tunnel.jwt.jwks`. The agent tries again by itself."
        case "no_bearer": "Add `tunnel.jwt` to the hub, or enrol: \(anew)"
        default: nil
        }
    }
}
