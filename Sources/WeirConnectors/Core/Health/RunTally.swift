import WeirGates
package import WeirWorld

/// Whether a connector's runs bring something: told from when runs end (its last run moves) and when bundles come,
/// because a program whose source is down may well end its runs as if all were good.
///
/// A connector that polls hourly what changes weekly has many empty runs; so an empty stretch is compared with the
/// longest one that this connector had before.
package struct RunTally: Sendable, Hashable, Codable {
    /// When the last run ended, as the connector says it.
    package private(set) var lastEnd: WallTime?
    /// When the last run ended that brought something.
    package private(set) var lastBrought: WallTime?
    /// Runs that brought something.
    package private(set) var bringing = 0
    /// Runs that ended since the last one that brought something, or since the first.
    package private(set) var empty = 0
    /// When the first of these ended.
    package private(set) var emptySince: WallTime?
    /// The longest time between two runs that brought something.
    private(set) var gapLongest: Int64 = 0
    /// Something came since the last run ended.
    private(set) var hasPushed = false

    /// Fewer empty runs than these say nothing.
    static let emptyLeast = 5
    /// From so many runs on, it is known what is usual for a connector.
    static let bringingLeast = 3
    /// Shorter silences are never judged.
    static let silenceLeast = Duration.hours(1)

    package init() {}

    /// A bundle came.
    /// - Returns: true when that is news.
    mutating func pushed() -> Bool {
        if hasPushed { return false }
        hasPushed = true
        return true
    }

    /// The last run ended at this time, as far as is known; told again and again, counted once.
    /// - Returns: true when that is news.
    @discardableResult
    mutating func ended(at time: WallTime) -> Bool {
        guard time != lastEnd else { return false }
        lastEnd = time
        if hasPushed {
            if let lastBrought { gapLongest = max(gapLongest, (time - lastBrought).nanoseconds) }
            lastBrought = time
            bringing += 1
            empty = 0
            emptySince = nil
        } else {
            empty += 1
            emptySince = emptySince ?? time
        }
        hasPushed = false
        return true
    }

    /// Its runs go on and end well, and what they always brought does not come any more, or never came.
    func isSilent(at now: WallTime) -> Bool {
        guard empty >= Self.emptyLeast, !hasPushed, let since = lastBrought ?? emptySince else { return false }
        let silence = now - since
        guard silence >= Self.silenceLeast else { return false }
        return bringing == 0 || bringing >= Self.bringingLeast && silence > .nanoseconds(gapLongest) * 2
    }
}
