/// Where an action stands. See docs/design/2026-11-22-identity.md for the picture.
package enum ActionState: String, Sendable, Codable, CaseIterable {
    /// Waits for a person. Can become: approved, rejected, expired, superseded, obsolete.
    case suspended
    /// Runs in the next committed sync, if the change is still the same. Can become: executing, rejected (revoked),
    /// superseded, obsolete.
    case approved
    /// Its intent is journalled. Can become: executed, failed, unknown, approved (a crash, and nothing was done).
    case executing
    /// The answer did not come. Can become, after the target was read: executed, or approved (nothing was done).
    case unknown
    /// Done and verified. Can become: confirmed.
    case executed
    /// A later scan saw it.
    case confirmed
    /// The target refused it; the rule may trigger again.
    case failed
    case rejected
    /// The time to decide is over and the default is to clear.
    case expired
    /// The change is another one now; it was asked again.
    case superseded
    /// No longer needed.
    case obsolete

    package var isOpen: Bool { self == .suspended || self == .approved }
}

/// What became of one trigger in one sync: every trigger ends in exactly one of these.
package enum TriggerOutcome: String, Sendable, Codable, CaseIterable {
    case executed, throttled, suspended, postponed, skipped, failed
}

/// Why an action waits or did not run. Stable strings.
package enum ActionReason: String, Sendable, Codable, CaseIterable {
    case throttled, vip, volume
    case volumeLookback = "volume-lookback"
    case clamped, window, quota
    case scanIncomplete = "scan-incomplete"
    case scanShrunk = "scan-shrunk"
    case superseded, muted, simulated, preview
    case evalError = "eval-error"
    case errorRate = "error-rate"
    case approved, passed, refused, unavailable
    /// The condition has not held for the rule's grace yet.
    case grace
    /// Revoked, or decided otherwise, while the sync was sealed.
    case revoked
}
