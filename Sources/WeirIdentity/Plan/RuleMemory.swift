package import WeirWorld

/// What is kept from before about one rule's identities, as far as a sync's triggers ask for it. By identity.
package struct RuleMemory: Sendable {
    /// An action that is not over.
    package struct Open: Sendable, Hashable {
        package var id: String
        package var identity: String
        package var state: ActionState
        package var reason: ActionReason
        package var fingerprint: Fingerprint
        /// A person approved it, not the expiry.
        package var isHuman: Bool

        package init(
            id: String, identity: String, state: ActionState, reason: ActionReason, fingerprint: Fingerprint,
            isHuman: Bool = false
        ) {
            self.id = id
            self.identity = identity
            self.state = state
            self.reason = reason
            self.fingerprint = fingerprint
            self.isHuman = isHuman
        }
    }

    package var open: [String: Open] = [:]
    /// Rejected until the change is another one.
    package var muted: [String: Fingerprint] = [:]
    package var lastRun: [String: WallTime] = [:]
    /// What an event rule told last.
    package var lastTold: [String: Fingerprint] = [:]
    /// Since when the condition of a rule with a grace holds.
    package var since: [String: WallTime] = [:]
    /// Distinct identities in the look-back.
    package var lookback = 0
    package var quotas: [Rule.QuotaPeriod: QuotaWindow] = [:]

    package init() {}
}
