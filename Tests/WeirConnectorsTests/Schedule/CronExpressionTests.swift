import Testing
import WeirConnectors
import WeirGates
import WeirWorld

@Suite("Cron expressions")
struct CronExpressionTests {
    private static func time(_ year: Int, _ month: Int, _ day: Int, _ hour: Int = 0, _ minute: Int = 0) -> WallTime {
        CivilDate.wall(year: year, month: month, day: day, hour: hour, minute: minute)
    }

    /// The next times, as `MM-DD HH:MM` in UTC.
    private func times(_ text: String, _ zone: String = "UTC", after: WallTime, count: Int = 3) throws -> [String] {
        let cron = try CronExpression(text, zone: CronZone(zone))
        var time = after
        return try (0..<count).map { _ in
            time = try #require(cron.next(after: time))
            let date = CivilDate(time)
            #expect(date.second == 0 && date.nanosecond == 0)
            return date.dateText.dropFirst(5) + " " + date.clockText.prefix(5)
        }.map(String.init)
    }

    @Test(
        "say when they come next",
        arguments: [
            ("* * * * *", ["11-21 12:01", "11-21 12:02", "11-21 12:03"]),
            ("*/20 * * * *", ["11-21 12:20", "11-21 12:40", "11-21 13:00"]),
            ("5,10-12 8-9 * * *", ["11-22 08:05", "11-22 08:10", "11-22 08:11"]),
            ("0 0-23/8 * * *", ["11-21 16:00", "11-22 00:00", "11-22 08:00"]),
            ("30 4 * * MON-FRI", ["11-23 04:30", "11-24 04:30", "11-25 04:30"]),
            ("0 0 * * sat-sun", ["11-22 00:00", "11-28 00:00", "11-29 00:00"]),
            ("0 0 * * 7", ["11-22 00:00", "11-29 00:00", "12-06 00:00"]),
            ("0 0 * * 5-7", ["11-22 00:00", "11-27 00:00", "11-28 00:00"]),
            // Either of the day fields is enough.
            ("0 0 25 * MON", ["11-23 00:00", "11-25 00:00", "11-30 00:00"]),
            // Both are needed where one begins with a star.
            ("0 0 */2 * MON", ["11-23 00:00", "12-07 00:00", "12-21 00:00"]),
            ("0 0 31 * *", ["12-31 00:00", "01-31 00:00", "03-31 00:00"]),
            ("0 0 29 FEB *", ["02-29 00:00", "02-29 00:00", "02-29 00:00"]),
            ("@hourly", ["11-21 13:00", "11-21 14:00", "11-21 15:00"]),
            ("@daily", ["11-22 00:00", "11-23 00:00", "11-24 00:00"]),
            ("@weekly", ["11-22 00:00", "11-29 00:00", "12-06 00:00"]),
            ("@monthly", ["12-01 00:00", "01-01 00:00", "02-01 00:00"]),
            ("@yearly", ["01-01 00:00", "01-01 00:00", "01-01 00:00"]),
        ])
    func next(text: String, expected: [String]) throws {
        #expect(try times(text, after: Self.time(2026, 11, 21, 12)) == expected)
    }

    @Test("come strictly after the given time, also within the minute")
    func strictly() throws {
        let cron = try CronExpression("0 12 * * *")
        let noon = Self.time(2026, 11, 21, 12)
        #expect(cron.next(after: noon) == noon + .hours(24))
        #expect(cron.next(after: noon + .nanoseconds(-1)) == noon)
        #expect(cron.next(after: noon + .nanoseconds(1)) == noon + .hours(24))
    }

    @Test(
        "agree with a search minute by minute", arguments: ["UTC", "Europe/Rome", "America/New_York", "Asia/Kolkata"])
    func model(zone: String) throws {
        // No changes of the clocks in these days.
        let start = Self.time(2026, 7, 1)
        let shifts = ["UTC": 0, "Europe/Rome": 120, "America/New_York": -240, "Asia/Kolkata": 330]
        let shift = Duration.minutes(try #require(shifts[zone]))
        func matches(_ time: WallTime) -> Bool {
            let date = CivilDate(time + shift)
            return date.minute % 7 == 3 && (date.hour == 1 || date.hour >= 20)
                && (date.day == 13 || date.weekday == 2)
        }
        let cron = try CronExpression("3-59/7 1,20-23 13 * TUE", zone: CronZone(zone))
        var expected: [WallTime] = []
        for minute in 0..<(14 * 1_440) where matches(start + .minutes(minute)) {
            expected.append(start + .minutes(minute))
        }
        var found: [WallTime] = []
        var time = start + .nanoseconds(-1)
        while found.count < expected.count, let next = cron.next(after: time) {
            found.append(next)
            time = next
        }
        #expect(found == expected)
        #expect(expected.count > 100)
    }

    @Test("with named hours come once a day where an hour is skipped, at the first moment after it")
    func gap() throws {
        // Rome, 2026-03-29: 02:00 becomes 03:00, at 01:00 UTC.
        let before = Self.time(2026, 3, 28, 12)
        #expect(
            try times("30 2 * * *", "Europe/Rome", after: before) == ["03-29 01:00", "03-30 00:30", "03-31 00:30"])
        // All that falls into the gap comes once.
        #expect(
            try times("*/15 2,3 * * *", "Europe/Rome", after: Self.time(2026, 3, 29, 0, 59), count: 3)
                == ["03-29 01:00", "03-29 01:15", "03-29 01:30"])
        // Nothing else is moved.
        #expect(try times("30 3 * * *", "Europe/Rome", after: before, count: 1) == ["03-29 01:30"])
    }

    @Test("with named hours come once a day where an hour comes twice, the first time")
    func overlap() throws {
        // Rome, 2026-10-25: 03:00 becomes 02:00, at 01:00 UTC.
        let before = Self.time(2026, 10, 24, 12)
        #expect(
            try times("30 2 * * *", "Europe/Rome", after: before) == ["10-25 00:30", "10-26 01:30", "10-27 01:30"])
        #expect(
            try times("*/30 2-3 * * *", "Europe/Rome", after: before, count: 5)
                == ["10-25 00:00", "10-25 00:30", "10-25 02:00", "10-25 02:30", "10-26 01:00"])
    }

    @Test("of every hour go by real time where the clocks change")
    func everyHour() throws {
        #expect(
            try times("*/30 * * * *", "Europe/Rome", after: Self.time(2026, 3, 29, 0, 29), count: 4)
                == ["03-29 00:30", "03-29 01:00", "03-29 01:30", "03-29 02:00"])
        #expect(
            try times("*/30 * * * *", "Europe/Rome", after: Self.time(2026, 10, 24, 23, 59), count: 5)
                == ["10-25 00:00", "10-25 00:30", "10-25 01:00", "10-25 01:30", "10-25 02:00"])
        #expect(
            try times("@hourly", "America/New_York", after: Self.time(2026, 11, 1, 4, 30), count: 4)
                == ["11-01 05:00", "11-01 06:00", "11-01 07:00", "11-01 08:00"])
    }

    @Test("hold at midnight changes, half-hour changes and a day that a country left out")
    func oddChanges() throws {
        // Beirut, 2026-03-29: 00:00 becomes 01:00.
        #expect(
            try times("@daily", "Asia/Beirut", after: Self.time(2026, 3, 28, 12), count: 2)
                == ["03-28 22:00", "03-29 21:00"])
        // Lord Howe, 2026-04-05: 02:00 becomes 01:30; at 15:00 UTC the day before.
        #expect(
            try times("45 1 * * *", "Australia/Lord_Howe", after: Self.time(2026, 4, 4, 12), count: 2)
                == ["04-04 14:45", "04-05 15:15"])
        // Samoa had no 30th of December 2011.
        #expect(
            try times("0 12 * * *", "Pacific/Apia", after: Self.time(2011, 12, 29, 12), count: 3)
                == ["12-29 22:00", "12-30 10:00", "12-30 22:00"])
    }

    @Test("never come twice at the same time nor go back, in any zone with changes, through two years")
    func monotone() throws {
        for zone in ["Europe/Rome", "Australia/Lord_Howe", "Asia/Beirut", "America/St_Johns", "Africa/Casablanca"] {
            for text in ["17 2 * * *", "*/20 0-3 * * *", "0 */6 * * *"] {
                let cron = try CronExpression(text, zone: CronZone(zone))
                var time = Self.time(2026, 1, 1)
                var count = 0
                while time < Self.time(2028, 1, 1) {
                    let next = try #require(cron.next(after: time))
                    #expect(next > time && next - time <= .hours(26))
                    time = next
                    count += 1
                }
                if text.hasPrefix("17") { #expect((729...731).contains(count)) }
            }
        }
    }

    @Test(
        "that cannot be read say why",
        arguments: [
            ("", "has 0 fields, not five"), ("* * * *", "has 4 fields"), ("0 0 12 * * *", "has 6 fields"),
            ("60 * * * *", "`60` is out of range in the field minute"),
            ("* 24 * * *", "`24` is out of range in the field hour"),
            ("* * 0 * *", "`0` is out of range in the field day of the month"),
            ("* * * 13 *", "`13` is out of range in the field month"),
            ("* * * * 8", "`8` is out of range in the field day of the week"),
            ("*/0 * * * *", "has no step that counts"), ("5/15 * * * *", "has a step but no range"),
            ("* 22-2 * * *", "goes backwards"), ("* * L * *", "is not understood here"),
            ("* * ? * *", "is not understood here"), ("* * * * MON#2", "is not understood here"),
            ("* * * FOO *", "is not a value of the field month"), ("@reboot", "is not a word of cron"),
            ("0 0 30 2 *", "never comes"), ("0 0 31 4,6,9,11 *", "never comes"), (",, * * * *", "is not a value"),
            ("99999999999999999999 * * * *", "is not a value"), ("-1 * * * *", "is not a value"),
        ])
    func problems(text: String, message: String) {
        #expect {
            try CronExpression(text)
        } throws: { error in
            (error as? UnitTextProblem)?.message.contains(message) == true
        }
    }

    @Test("Zones go by their names", arguments: ["CST", "Mars/Olympus", "", "+02:00", "Europe/rome\u{0}"])
    func zones(name: String) {
        #expect(throws: UnitTextProblem.self) { try CronZone(name) }
    }
}
