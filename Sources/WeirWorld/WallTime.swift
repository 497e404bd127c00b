/// A point on the calendar clock, in nanoseconds since 1970-01-01T00:00:00Z. For schedules and for what people read;
/// it may jump, so nothing waits by it.
package struct WallTime: Sendable, Hashable, Comparable, CustomStringConvertible {
    package var nanoseconds: Int64

    package init(nanoseconds: Int64) { self.nanoseconds = nanoseconds }

    package init(secondsSince1970 seconds: Double) {
        // Clamped first: a value from outside may be NaN or beyond what 64 bits hold.
        let bounded = seconds.isNaN ? 0 : min(max(seconds, -9.2e9), 9.2e9)
        nanoseconds = Int64(bounded * 1e9)
    }

    package var secondsSince1970: Double { Double(nanoseconds) / 1e9 }

    package static func < (left: WallTime, right: WallTime) -> Bool { left.nanoseconds < right.nanoseconds }

    package static func + (time: WallTime, duration: Duration) -> WallTime {
        WallTime(nanoseconds: time.nanoseconds &+ duration.nanoseconds)
    }

    package static func - (later: WallTime, earlier: WallTime) -> Duration {
        .nanoseconds(later.nanoseconds &- earlier.nanoseconds)
    }

    /// RFC 3339 in UTC with milliseconds: `2026-11-21T13:03:21.250Z`.
    package var description: String {
        let date = CivilDate(self)
        return date.dateText + "T" + date.clockText + "." + CivilDate.padded(date.nanosecond / 1_000_000, 3) + "Z"
    }
}

/// Kept as one number, the nanoseconds.
extension WallTime: Codable {
    package init(from decoder: any Decoder) throws {
        nanoseconds = try decoder.singleValueContainer().decode(Int64.self)
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(nanoseconds)
    }
}

/// A wall time taken apart in the proleptic Gregorian calendar, UTC.
///
/// Own arithmetic instead of Foundation's calendar: it is called for every partition and every log line, and the C
/// library's time functions take a lock. Source of the day count: Hinnant, "chrono-Compatible Low-Level Date
/// Algorithms".
package struct CivilDate: Sendable, Hashable {
    package var year: Int
    package var month: Int
    package var day: Int
    package var hour: Int
    package var minute: Int
    package var second: Int
    package var nanosecond: Int
    /// 0 is Sunday.
    package var weekday: Int
    /// 1 is January 1st.
    package var dayOfYear: Int

    package init(_ time: WallTime) {
        let second = 1_000_000_000
        let total = Int(time.nanoseconds)
        let seconds = total >= 0 ? total / second : (total - (second - 1)) / second
        nanosecond = total - seconds * second
        let days = seconds >= 0 ? seconds / 86_400 : (seconds - 86_399) / 86_400
        let rest = seconds - days * 86_400
        hour = rest / 3_600
        minute = rest / 60 % 60
        self.second = rest % 60
        weekday = ((days % 7) + 11) % 7

        let shifted = days + 719_468
        let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayFromMarch = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let monthFromMarch = (5 * dayFromMarch + 2) / 153
        day = dayFromMarch - (153 * monthFromMarch + 2) / 5 + 1
        month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
        year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
        dayOfYear = days - CivilDate.days(year: year, month: 1, day: 1) + 1
    }

    /// Days from 1970-01-01 to the given date.
    package static func days(year: Int, month: Int, day: Int) -> Int {
        let shifted = month <= 2 ? year - 1 : year
        let era = (shifted >= 0 ? shifted : shifted - 399) / 400
        let yearOfEra = shifted - era * 400
        let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
        return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
    }

    /// The wall time of a date in UTC. Values out of range carry over, as in `timegm`.
    package static func wall(
        year: Int, month: Int, day: Int, hour: Int = 0, minute: Int = 0, second: Int = 0, nanosecond: Int = 0
    ) -> WallTime {
        let seconds = days(year: year, month: month, day: day) &* 86_400 &+ hour &* 3_600 &+ minute &* 60 &+ second
        return WallTime(nanoseconds: Int64(seconds) &* 1_000_000_000 &+ Int64(nanosecond))
    }

    package var dateText: String {
        CivilDate.padded(year, 4) + "-" + CivilDate.padded(month, 2) + "-" + CivilDate.padded(day, 2)
    }

    package var clockText: String {
        CivilDate.padded(hour, 2) + ":" + CivilDate.padded(minute, 2) + ":" + CivilDate.padded(second, 2)
    }

    package static func padded(_ number: Int, _ width: Int) -> String {
        let digits = String(number)
        return digits.count >= width ? digits : String(repeating: "0", count: width - digits.count) + digits
    }
}
