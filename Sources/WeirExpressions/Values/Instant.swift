package import WeirWorld

/// A CEL timestamp: seconds since 1970-01-01T00:00:00Z and nanoseconds within the second (0 to 999,999,999), from year
/// 1 to
/// 9999. `WallTime` counts nanoseconds in 64 bits and so ends in 2262: too short for what CEL promises.
package struct Instant: Sendable, Hashable, Comparable {
    package var seconds: Int64
    package var nanoseconds: Int32

    static let first: Int64 = -62_135_596_800
    static let last: Int64 = 253_402_300_799

    /// Nil outside the years 1 to 9999.
    package init?(seconds: Int64, nanoseconds: Int64 = 0) {
        var carry = nanoseconds / 1_000_000_000
        var rest = nanoseconds % 1_000_000_000
        if rest < 0 {
            rest += 1_000_000_000
            carry -= 1
        }
        let (sum, overflow) = seconds.addingReportingOverflow(carry)
        guard !overflow, sum >= Self.first, sum <= Self.last else { return nil }
        self.seconds = sum
        self.nanoseconds = Int32(truncatingIfNeeded: rest)
    }

    package init(_ wall: WallTime) {
        let second: Int64 = 1_000_000_000
        var whole = wall.nanoseconds / second
        var rest = wall.nanoseconds % second
        if rest < 0 {
            rest += second
            whole -= 1
        }
        seconds = whole
        nanoseconds = Int32(truncatingIfNeeded: rest)
    }

    /// Clamped to what a wall time can hold (1677 to 2262).
    package var wall: WallTime {
        let (product, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        let (sum, again) = product.addingReportingOverflow(Int64(nanoseconds))
        return WallTime(nanoseconds: overflow || again ? (seconds < 0 ? .min : .max) : sum)
    }

    package static func < (left: Instant, right: Instant) -> Bool {
        left.seconds != right.seconds ? left.seconds < right.seconds : left.nanoseconds < right.nanoseconds
    }

    func adding(_ span: Span) -> Instant? {
        let second: Int64 = 1_000_000_000
        return Instant(
            seconds: seconds &+ span.nanoseconds / second, nanoseconds: Int64(nanoseconds) + span.nanoseconds % second)
    }

    func subtracting(_ span: Span) -> Instant? {
        let second: Int64 = 1_000_000_000
        return Instant(
            seconds: seconds &- span.nanoseconds / second, nanoseconds: Int64(nanoseconds) - span.nanoseconds % second)
    }

    /// Nil where the difference is longer than 64 bits of nanoseconds hold (292 years).
    func since(_ other: Instant) -> Span? {
        let (scaled, overflow) = (seconds - other.seconds).multipliedReportingOverflow(by: 1_000_000_000)
        let (sum, again) = scaled.addingReportingOverflow(Int64(nanoseconds) - Int64(other.nanoseconds))
        return overflow || again ? nil : Span(nanoseconds: sum)
    }

    /// The parts of the calendar, shifted by `offset` seconds east of UTC.
    func civil(offset: Int64 = 0) -> CivilDate {
        // CivilDate works on 64 bits of nanoseconds. The calendar repeats every 400 years, so shift into reach and
        // back.
        let cycle: Int64 = 146_097 * 86_400
        let shifted = seconds + offset
        var cycles: Int64 = 0
        var near = shifted
        while near > 8_000_000_000 { (near, cycles) = (near - cycle, cycles + 1) }
        while near < -8_000_000_000 { (near, cycles) = (near + cycle, cycles - 1) }
        var date = CivilDate(WallTime(nanoseconds: near * 1_000_000_000 + Int64(nanoseconds)))
        date.year += Int(cycles) * 400
        return date
    }

    /// RFC 3339 in UTC; the fraction is as long as it needs to be.
    package var description: String {
        let date = civil()
        return date.dateText + "T" + date.clockText + Self.fraction(nanoseconds) + "Z"
    }

    static func fraction(_ nanoseconds: Int32) -> String {
        guard nanoseconds != 0 else { return "" }
        var digits = CivilDate.padded(Int(nanoseconds), 9)
        while digits.hasSuffix("0") { digits.removeLast() }
        return "." + digits
    }
}

extension Instant: CustomStringConvertible {}

extension Instant {
    /// Reads RFC 3339: `2026-11-21T13:03:21.25Z`, `2026-11-21 13:03:21+01:00`. Nil for anything else and out of range.
    package init?(rfc3339 text: String) {
        let parsed = Text.withBytes(text) { Self.parse(UnsafeRawBufferPointer($0)) }
        guard let parsed else { return nil }
        self = parsed
    }

    static func parse(_ bytes: UnsafeRawBufferPointer) -> Instant? {
        guard bytes.count >= 20 else { return nil }
        func number(_ from: Int, _ count: Int) -> Int? {
            var result = 0
            for at in from..<(from + count) {
                guard at < bytes.count else { return nil }
                let digit = Int(bytes[at]) - 48
                guard digit >= 0, digit <= 9 else { return nil }
                result = result * 10 + digit
            }
            return result
        }
        guard let year = number(0, 4), bytes[4] == UInt8(ascii: "-"), let month = number(5, 2),
            bytes[7] == UInt8(ascii: "-"), let day = number(8, 2),
            bytes[10] == UInt8(ascii: "T") || bytes[10] == UInt8(ascii: "t") || bytes[10] == UInt8(ascii: " "),
            let hour = number(11, 2), bytes[13] == UInt8(ascii: ":"), let minute = number(14, 2),
            bytes[16] == UInt8(ascii: ":"), let second = number(17, 2),
            year >= 1, (1...12).contains(month), day >= 1, day <= Self.days(in: month, of: year),
            hour < 24, minute < 60, second < 60
        else { return nil }
        var at = 19
        var nanoseconds: Int64 = 0
        if bytes[at] == UInt8(ascii: ".") {
            at += 1
            var scale: Int64 = 100_000_000
            let start = at
            while at < bytes.count, bytes[at] >= 48, bytes[at] <= 57 {
                nanoseconds += Int64(bytes[at] - 48) * scale
                scale /= 10
                at += 1
            }
            guard at > start else { return nil }
        }
        guard at < bytes.count else { return nil }
        var offset = 0
        switch bytes[at] {
        case UInt8(ascii: "Z"), UInt8(ascii: "z"): at += 1
        case UInt8(ascii: "+"), UInt8(ascii: "-"):
            guard bytes.count >= at + 6, let hours = number(at + 1, 2), bytes[at + 3] == UInt8(ascii: ":"),
                let minutes = number(at + 4, 2), hours < 24, minutes < 60
            else { return nil }
            offset = (hours * 60 + minutes) * 60 * (bytes[at] == UInt8(ascii: "-") ? -1 : 1)
            at += 6
        default: return nil
        }
        guard at == bytes.count else { return nil }
        let days = CivilDate.days(year: year, month: month, day: day)
        let seconds = Int64(days) * 86_400 + Int64(hour * 3_600 + minute * 60 + second - offset)
        return Instant(seconds: seconds, nanoseconds: nanoseconds)
    }

    private static func days(in month: Int, of year: Int) -> Int {
        switch month {
        case 4, 6, 9, 11: 30
        case 2: year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28
        default: 31
        }
    }
}
