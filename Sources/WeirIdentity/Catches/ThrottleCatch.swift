package import WeirWorld

/// The least time between two attempts of one rule for one identity.
///
/// The clock starts when an attempt is sent off, whatever comes of it: spacing retries is one of its purposes. Allowed
/// again when `now - last >= period`.
package enum ThrottleCatch {
    package enum Verdict: Sendable, Hashable {
        case passes
        /// `last` is what the last attempt's time shall be kept as from now on.
        case waits(until: WallTime, last: WallTime)
    }

    /// - Parameter last: nil where the rule never ran for the identity.
    package static func verdict(last: WallTime?, period: Duration, now: WallTime) -> Verdict {
        guard let last, period > .zero else { return .passes }
        // A clock that was put back must not hold an identity for longer than one period from now on. The attempt is
        // moved to now, once; else every look would begin the period anew.
        let known = min(last, now)
        return now - known >= period ? .passes : .waits(until: known + period, last: known)
    }

    /// Of two identities that became one: the later attempt counts.
    package static func merged(_ first: WallTime?, _ second: WallTime?) -> WallTime? {
        guard let first, let second else { return first ?? second }
        return max(first, second)
    }
}
