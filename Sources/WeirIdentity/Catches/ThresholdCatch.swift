package import WeirWorld

/// How many actions of a rule pass by themselves in one sync. More than that, and all of them wait.
///
/// The limit is the largest number that passes: `n == limit` passes, `n == limit + 1` holds, 0 always asks. Percents
/// are of the live objects of the target's type, in whole numbers, rounded down:
///
///     base      5 %    1 %
///         10      0      0
///      9,999    499     99
///     10,000    500    100
///     10,001    500    100
///    100,000  5,000  1,000
///
/// On a silo of 10,000 and more no limit is above 5 %, unless an override key is active.
package struct ThresholdCatch: Sendable, Hashable {
    /// From here on a silo is large. Source: seeds/5, "silos with less than 10,000 objects are permitted …".
    package static let largeFrom = 10_000
    /// In hundredths of a percent. Source: seeds/5, "the maximum selectable threshold is 5 %".
    package static let capBasisPoints = 500

    /// What the configuration asks for; nil: no limit.
    package let configured: Int?
    /// What holds now; nil: no limit.
    package let effective: Int?
    package let base: Int
    /// The configured limit is above the cap.
    package let isClamped: Bool

    /// - Parameters:
    ///   - base: live objects of the target's type at the start of the sync.
    ///   - isUnlocked: an override key is active for the silo.
    package init(_ threshold: Rule.Threshold, base: Int, isUnlocked: Bool) {
        self.base = base
        configured =
            switch threshold.limit {
            case .none: nil
            case .count(let count): max(count, threshold.atLeast, 0)
            case .share(let points): max(Self.share(points, of: base), threshold.atLeast, 0)
            }
        let cap = Self.share(Self.capBasisPoints, of: base)
        isClamped = base >= Self.largeFrom && !isUnlocked && (configured.map { $0 > cap } ?? true)
        effective = isClamped ? cap : configured
    }

    /// `floor(base × points / 10,000)`.
    package static func share(_ basisPoints: Int, of base: Int) -> Int {
        let (product, overflow) = base.multipliedReportingOverflow(by: max(basisPoints, 0))
        return overflow ? Int.max : product / 10_000
    }

    /// - Parameters:
    ///   - count: distinct identities of this sync, important ones too, without open actions and throttled ones.
    ///   - lookback: distinct identities that ran without a person's approval in the window.
    /// - Returns: nil where all pass.
    package func reason(count: Int, lookback: Int) -> ActionReason? {
        guard let effective, count > 0, count + lookback > effective else { return nil }
        if isClamped, configured.map({ count + lookback <= $0 }) ?? true { return .clamped }
        return count > effective ? .volume : .volumeLookback
    }

    /// Whether a sync of this kind looks back.
    package static func looksBack(_ threshold: Rule.Threshold, _ kind: SyncRequest.Kind) -> Bool {
        threshold.lookback > .zero && (kind != .full || threshold.looksBackOnFull)
    }

    /// Whether so many failed evaluations hold the rule: an expression's mistake is a mass change too. At least 10 must
    /// fail.
    package static func holdsForErrors(_ rule: Rule, errors: Int, evaluated: Int) -> Bool {
        errors >= 10 && errors > share(rule.errorsMost, of: evaluated)
    }
}

/// What ran without a person's approval, to be counted by distinct identities. `(now - window, now]`.
package struct Lookback: Sendable {
    private var runs: [(identity: String, at: WallTime)] = []

    package init() {}

    package mutating func ran(_ identity: String, at moment: WallTime) { runs.append((identity, moment)) }

    package func count(window: Duration, now: WallTime) -> Int {
        Set(runs.filter { now - $0.at < window && $0.at <= now }.map(\.identity)).count
    }
}
