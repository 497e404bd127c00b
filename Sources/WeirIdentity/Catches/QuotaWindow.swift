package import WeirWorld

/// How many of a rule's actions ran in the running hour, day or week: durable, unlike `Count()`. What is over waits as
/// `postponed` and comes first by the rule's order. Windows follow the calendar in UTC; a week begins on Monday.
package struct QuotaWindow: Sendable, Hashable {
    package var start: WallTime
    package private(set) var used: Int

    package init(start: WallTime, used: Int) {
        self.start = start
        self.used = used
    }

    /// The window of a period at a time.
    package init(_ period: Rule.QuotaPeriod, at now: WallTime) {
        start = Self.start(period, at: now)
        used = 0
    }

    private static func start(_ period: Rule.QuotaPeriod, at now: WallTime) -> WallTime {
        let date = CivilDate(now)
        return switch period {
        case .sync: now
        case .hour: CivilDate.wall(year: date.year, month: date.month, day: date.day, hour: date.hour)
        case .day: CivilDate.wall(year: date.year, month: date.month, day: date.day)
        case .week: CivilDate.wall(year: date.year, month: date.month, day: date.day - (date.weekday + 6) % 7)
        }
    }

    /// Takes one place.
    /// - Returns: false where there is none left.
    package mutating func take(_ quota: Rule.Quota, at now: WallTime) -> Bool {
        move(to: now, quota.per)
        guard used < quota.most else { return false }
        used += 1
        return true
    }

    package func left(_ quota: Rule.Quota, at now: WallTime) -> Int {
        var window = self
        window.move(to: now, quota.per)
        return max(0, quota.most - window.used)
    }

    /// When the window is over and all places are free again.
    package func end(_ period: Rule.QuotaPeriod) -> WallTime {
        switch period {
        case .sync: start
        case .hour: start + .seconds(3_600)
        case .day: start + .seconds(86_400)
        case .week: start + .seconds(7 * 86_400)
        }
    }

    private mutating func move(to now: WallTime, _ period: Rule.QuotaPeriod) {
        guard period != .sync else { return }
        let current = Self.start(period, at: now)
        if current > start { used = 0 }
        // A clock that was put back keeps what was used: it gives nobody a second quota.
        start = current
    }
}
