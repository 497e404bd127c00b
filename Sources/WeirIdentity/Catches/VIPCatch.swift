package import WeirWorld

/// Whether an account is one that is always asked about.
///
/// Sticky: the row that deletes a person also deletes what made them important, so the last known good state counts as
/// the new one does, and who was important stays it for 30 days. An expression that fails means yes.
package enum VIPCatch {
    /// How long somebody stays important after they were last seen to be.
    package static let stickyFor = Duration.seconds(30 * 86_400)

    package enum Finding: Sendable, Hashable {
        case yes, no
        /// The expression gave no Boolean.
        case failed
        /// There is no such state (no last known good one).
        case absent
    }

    package static func isVIP(new: Finding, old: Finding, until: WallTime?, now: WallTime) -> Bool {
        if new == .yes || new == .failed || old == .yes { return true }
        return until.map { now < $0 } ?? false
    }
}
