package import WeirGates
package import WeirWorld

/// Times by the calendar: five fields (minute, hour, day of the month, month, day of the week) or a word (`@daily`).
///
/// Fields hold `*`, numbers, ranges, steps, lists, and names of months and days. A day matches when both day fields
/// do; when neither of them begins with `*`, one is enough (as in Vixie cron).
///
/// Where the clocks change:
///
/// | | hour is `*` or `*/n` | hours are named |
/// | --- | --- | --- |
/// | hour is skipped (02:00 → 03:00) | nothing in it | what falls into it comes at the first moment after it, once |
/// | hour comes twice (03:00 → 02:00) | both times | the first time only |
///
/// So `30 2 * * *` comes once on every day of the year, and `*/15 * * * *` every fifteen minutes of real time.
package struct CronExpression: Sendable, Hashable {
    /// As it was written.
    package let text: String
    package let zone: CronZone
    private let minute: CronField
    private let hour: CronField
    private let dayOfMonth: CronField
    private let month: CronField
    private let dayOfWeek: CronField

    private static let words = [
        "@hourly": "0 * * * *", "@daily": "0 0 * * *", "@midnight": "0 0 * * *", "@weekly": "0 0 * * 0",
        "@monthly": "0 0 1 * *", "@yearly": "0 0 1 1 *", "@annually": "0 0 1 1 *",
    ]

    /// - Throws: what was wrong and what to write instead.
    package init(_ text: String, zone: CronZone = .utc) throws(UnitTextProblem) {
        self.text = text
        self.zone = zone
        var fields = text
        if text.hasPrefix("@") {
            guard let known = CronExpression.words[text.lowercased()] else {
                throw UnitTextProblem(
                    "`\(text.clipped)` is not a word of cron",
                    help: "known: \(CronExpression.words.keys.sorted().map { "`\($0)`" }.joined(separator: ", "))")
            }
            fields = known
        }
        let parts = fields.split(whereSeparator: { $0 == " " || $0 == "\t" })
        guard parts.count == 5 else {
            let isQuartz = parts.count == 6 || parts.count == 7
            throw UnitTextProblem(
                "`\(text.clipped)` has \(parts.count) field\(parts.count == 1 ? "" : "s"), not five",
                help: isQuartz
                    ? "seconds and years are not understood: write minute, hour, day, month, weekday"
                    : "write minute, hour, day of the month, month, day of the week, such as `30 4 * * MON-FRI`")
        }
        minute = try CronField(parts[0], .minute)
        hour = try CronField(parts[1], .hour)
        dayOfMonth = try CronField(parts[2], .dayOfMonth)
        month = try CronField(parts[3], .month)
        dayOfWeek = try CronField(parts[4], .dayOfWeek)
        guard isPossible else {
            throw UnitTextProblem(
                "`\(text.clipped)` never comes: no month in it has that day", help: "correct the day or the month")
        }
    }

    private var isPossible: Bool {
        // With a day of the week beside it (either is enough) there is always one.
        if dayOfMonth.startsWithStar || !dayOfWeek.startsWithStar { return true }
        let lengths = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
        return lengths.indices.contains { at in
            month.contains(at + 1) && (dayOfMonth.first(from: 1).map { $0 <= lengths[at] } ?? false)
        }
    }

    /// The first time after the given one. `nil` when there is none within 40 years (never, for what `init` takes: a
    /// 29th of February is at most eight years away, and a certain weekday on it at most forty).
    package func next(after time: WallTime) -> WallTime? {
        let local = WallTime(nanoseconds: time.nanoseconds) + .seconds(zone.offset(at: time))
        let start = CivilDate(local)
        // From one day earlier: across a change of the clocks the local date can go back.
        var day = CivilDate.days(year: start.year, month: start.month, day: start.day) - 1
        // What 64 bits of nanoseconds hold ends in 2262.
        let end = min(day + 40 * 366, 106_000)
        while day < end {
            let date = CivilDate(WallTime(nanoseconds: Int64(day) * 86_400_000_000_000))
            guard month.contains(date.month) else {
                day = CivilDate.days(year: date.year, month: date.month + 1, day: 1)
                continue
            }
            if matches(date), let found = first(on: day, after: time) { return found }
            day += 1
        }
        return nil
    }

    private func matches(_ date: CivilDate) -> Bool {
        let isDay = dayOfMonth.contains(date.day)
        let isWeekday = dayOfWeek.contains(date.weekday)
        return dayOfMonth.startsWithStar || dayOfWeek.startsWithStar ? isDay && isWeekday : isDay || isWeekday
    }

    /// The first moment on a local day that comes after `time`.
    private func first(on day: Int, after time: WallTime) -> WallTime? {
        let afterSeconds = Self.floorSeconds(time)
        let dayStart = day * 86_400
        switch zone.day(startingAt: dayStart) {
        case .steady(let offset):
            return firstLocal(dayStart, from: afterSeconds + offset + 1).map { Self.wall($0 - offset) }

        case .changing(let before, let after, let change):
            // Local times up to the change, by the offset before it.
            if let found = firstLocal(dayStart, from: afterSeconds + before + 1), found - before < change {
                return Self.wall(found - before)
            }
            if after > before, !hour.startsWithStar, change > afterSeconds,
                let skipped = firstLocal(dayStart, from: change + before), skipped < change + after
            {
                return Self.wall(change)
            }
            var from = max(afterSeconds + 1, change) + after
            if after < before, !hour.startsWithStar { from = max(from, change + before) }
            return firstLocal(dayStart, from: from).map { Self.wall($0 - after) }
        }
    }

    /// The first matching local time of the day that is not before `from`, both in seconds.
    private func firstLocal(_ dayStart: Int, from: Int) -> Int? {
        let minutes = max(0, (from - dayStart + 59) / 60)
        guard from - dayStart < 86_400, minutes < 1_440 else { return nil }
        let (hourNow, minuteNow) = (minutes / 60, minutes % 60)
        if hour.contains(hourNow), let found = minute.first(from: minuteNow) {
            return dayStart + hourNow * 3_600 + found * 60
        }
        guard let later = hour.first(from: hourNow + 1), let found = minute.first(from: 0) else { return nil }
        return dayStart + later * 3_600 + found * 60
    }

    private static func floorSeconds(_ time: WallTime) -> Int {
        let (seconds, rest) = Int(time.nanoseconds).quotientAndRemainder(dividingBy: 1_000_000_000)
        return rest < 0 ? seconds - 1 : seconds
    }

    private static func wall(_ seconds: Int) -> WallTime {
        WallTime(nanoseconds: Int64(seconds) &* 1_000_000_000)
    }
}

extension CronExpression: CustomStringConvertible {
    package var description: String { zone == .utc ? text : "\(text) (\(zone))" }
}
