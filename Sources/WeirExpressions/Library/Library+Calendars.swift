import WeirWorld

/// Times as people and directories write them.
extension Library {
    static let calendars: [Function] = [
        Function("parseDate", ["(string, string) timestamp", "(string, string, string) timestamp"], .many(parseDate)),
        Function("startOfDay", ["(timestamp) timestamp", "(timestamp, string) timestamp"], .many(startOfDay)),
        Function(
            "addMonths", ["timestamp.(int) timestamp"],
            .two { (value, other) throws(ExpressionFailure) in
                guard case .timestamp(let instant) = value, case .int(let months) = other else {
                    throw Function.mismatch("addMonths", value, other)
                }
                guard months.magnitude <= 120_000, let moved = CivilText.adding(Int(months), to: instant) else {
                    throw ExpressionFailure(.range, "addMonths(\(months))")
                }
                return .timestamp(moved)
            }),
        Function("filetime", ["(string) timestamp", "(int) timestamp"], .one(filetime)),
        Function(
            "toFiletime", ["(timestamp) int"],
            .one { (value) throws(ExpressionFailure) in
                guard case .timestamp(let instant) = value else { throw Function.mismatch("toFiletime", value) }
                return .int((instant.seconds + CivilText.filetimeStart) * 10_000_000 + Int64(instant.nanoseconds) / 100)
            }),
        Function(
            "generalizedTime", ["(string) timestamp"],
            .one { (value) throws(ExpressionFailure) in
                guard case .string(let text) = value else { throw Function.mismatch("generalizedTime", value) }
                guard let instant = CivilText.generalized(text) else {
                    throw ExpressionFailure(.invalidArgument, "no generalized time: \(value.literal)")
                }
                return .timestamp(instant)
            }),
    ]

    private static func offset(_ zone: String, _ instant: Instant) throws(ExpressionFailure) -> Int64 {
        guard let offset = TimeZones.offset(of: zone, at: instant) else {
            throw ExpressionFailure(.invalidArgument, "no time zone '\(zone)'")
        }
        return offset
    }

    /// `parseDate("22.11.2026", "dd.MM.yyyy")`, with a time zone as third: where the clock shows that time.
    @Sendable
    private static func parseDate(_ values: [Value]) throws(ExpressionFailure) -> Value {
        guard case .string(let text) = values[0], case .string(let format) = values[1] else {
            throw Function.mismatch("parseDate", all: values)
        }
        guard let found = CivilText.parse(text, format) else {
            throw ExpressionFailure(.invalidArgument, "\(values[0].literal) is no date written as '\(format)'")
        }
        guard values.count == 3 else { return .timestamp(found) }
        guard case .string(let zone) = values[2] else { throw Function.mismatch("parseDate", all: values) }
        return .timestamp(try local(found, zone))
    }

    /// The point in time at which a clock of the zone shows what this one shows in UTC. Asked twice, because the offset
    /// is that of the answer and not of the question.
    private static func local(_ shown: Instant, _ zone: String) throws(ExpressionFailure) -> Instant {
        var instant = shown
        for _ in 0..<2 {
            let offset = try offset(zone, instant)
            guard let moved = Instant(seconds: shown.seconds - offset, nanoseconds: Int64(shown.nanoseconds)) else {
                throw ExpressionFailure(.range, "timestamp out of range")
            }
            instant = moved
        }
        return instant
    }

    @Sendable
    private static func startOfDay(_ values: [Value]) throws(ExpressionFailure) -> Value {
        guard case .timestamp(let instant) = values[0] else { throw Function.mismatch("startOfDay", all: values) }
        var zone = "UTC"
        if values.count == 2 {
            guard case .string(let given) = values[1] else { throw Function.mismatch("startOfDay", all: values) }
            zone = given
        }
        let shown = instant.seconds + (try offset(zone, instant))
        let day = shown - (shown % 86_400 + 86_400) % 86_400
        guard let start = Instant(seconds: day) else { throw ExpressionFailure(.range, "timestamp out of range") }
        return .timestamp(try local(start, zone))
    }

    /// 100 nanoseconds since 1601; "never" (0 and the largest number) is an error, as a date that is not there is.
    @Sendable
    private static func filetime(_ value: Value) throws(ExpressionFailure) -> Value {
        var ticks: Int64?
        switch value {
        case .int(let number): ticks = number
        case .string(let text): ticks = Int64(text)
        default: throw Function.mismatch("filetime", value)
        }
        guard let ticks, ticks > 0, ticks != .max,
            let instant = Instant(
                seconds: ticks / 10_000_000 - CivilText.filetimeStart, nanoseconds: ticks % 10_000_000 * 100)
        else { throw ExpressionFailure(.invalidArgument, "\(value.literal) is no file time, or means never") }
        return .timestamp(instant)
    }
}

/// Dates from and to text.
enum CivilText {
    /// Seconds from 1601 to 1970.
    static let filetimeStart: Int64 = 11_644_473_600

    static func hex(_ byte: UInt8) -> String {
        let digits = String(byte, radix: 16)
        return byte < 16 ? "0" + digits : digits
    }

    private static func days(in month: Int, of year: Int) -> Int {
        switch month {
        case 4, 6, 9, 11: 30
        case 2: year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28
        default: 31
        }
    }

    static func instant(
        _ year: Int, _ month: Int, _ day: Int, _ hour: Int = 0, _ minute: Int = 0, _ second: Int = 0,
        nanoseconds: Int64 = 0
    ) -> Instant? {
        guard (1...9_999).contains(year), (1...12).contains(month), day >= 1, day <= days(in: month, of: year),
            (0..<24).contains(hour), (0..<60).contains(minute), (0..<60).contains(second)
        else { return nil }
        let day = Int64(CivilDate.days(year: year, month: month, day: day))
        return Instant(seconds: day * 86_400 + Int64(hour * 3_600 + minute * 60 + second), nanoseconds: nanoseconds)
    }

    /// The same day so many months later, or the month's last where it has no such day.
    static func adding(_ months: Int, to instant: Instant) -> Instant? {
        let date = instant.civil()
        let index = date.year * 12 + date.month - 1 + months
        guard index >= 12 else { return nil }
        let (year, month) = (index / 12, index % 12 + 1)
        return Self.instant(
            year, month, min(date.day, days(in: month, of: year)), date.hour, date.minute, date.second,
            nanoseconds: Int64(instant.nanoseconds))
    }

    /// `yyyy MM dd HH mm ss`, and `d M H m` for one or two digits; all else stands for itself.
    static func parse(_ text: String, _ format: String) -> Instant? {
        let (text, format) = (Array(text.utf8), Array(format.utf8))
        var at = 0
        var place = 0
        var parts: [UInt8: Int] = [:]
        while place < format.count {
            let letter = format[place]
            guard "yMdHms".utf8.contains(letter) else {
                guard at < text.count, text[at] == letter else { return nil }
                at += 1
                place += 1
                continue
            }
            var width = 0
            while place < format.count, format[place] == letter {
                width += 1
                place += 1
            }
            let most = width == 1 ? 2 : width
            var digits = 0
            var number = 0
            while digits < most, at < text.count, text[at] >= 48, text[at] <= 57 {
                number = number * 10 + Int(text[at] - 48)
                digits += 1
                at += 1
            }
            guard digits >= width, digits > 0, width <= 4 else { return nil }
            if letter == UInt8(ascii: "y"), width == 2 { number += number < 70 ? 2_000 : 1_900 }
            parts[letter] = number
        }
        guard at == text.count, let year = parts[UInt8(ascii: "y")] else { return nil }
        return instant(
            year, parts[UInt8(ascii: "M")] ?? 1, parts[UInt8(ascii: "d")] ?? 1, parts[UInt8(ascii: "H")] ?? 0,
            parts[UInt8(ascii: "m")] ?? 0, parts[UInt8(ascii: "s")] ?? 0)
    }

    /// `20261122053000Z`, `202611220530.5+0100` (RFC 4517, 3.3.13).
    static func generalized(_ text: String) -> Instant? {
        let bytes = Array(text.utf8)
        var at = 0
        func number(_ count: Int) -> Int? {
            guard at + count <= bytes.count else { return nil }
            var result = 0
            for byte in bytes[at..<(at + count)] {
                guard byte >= 48, byte <= 57 else { return nil }
                result = result * 10 + Int(byte - 48)
            }
            at += count
            return result
        }
        guard let year = number(4), let month = number(2), let day = number(2), let hour = number(2) else { return nil }
        let minute = number(2)
        let second = minute == nil ? nil : number(2)
        // A fraction is one of the last unit that is there.
        var fraction = 0.0
        if at < bytes.count, bytes[at] == 46 || bytes[at] == 44 {
            at += 1
            var scale = 0.1
            let start = at
            while at < bytes.count, bytes[at] >= 48, bytes[at] <= 57 {
                fraction += Double(bytes[at] - 48) * scale
                scale /= 10
                at += 1
            }
            guard at > start else { return nil }
        }
        let unit = second != nil ? 1.0 : minute != nil ? 60.0 : 3_600.0
        guard at < bytes.count else { return nil }
        var offset = 0
        let sign = bytes[at]
        at += 1
        switch sign {
        case UInt8(ascii: "Z"): break
        case UInt8(ascii: "+"), UInt8(ascii: "-"):
            guard let hours = number(2), hours < 24 else { return nil }
            let minutes = at < bytes.count ? number(2) : 0
            guard let minutes, minutes < 60 else { return nil }
            offset = (hours * 60 + minutes) * 60 * (sign == UInt8(ascii: "-") ? -1 : 1)
        default: return nil
        }
        guard at == bytes.count, let shown = instant(year, month, day, hour, minute ?? 0, second ?? 0) else {
            return nil
        }
        let whole = (fraction * unit).rounded(.down)
        return Instant(
            seconds: shown.seconds - Int64(offset) + Int64(whole),
            nanoseconds: Int64(((fraction * unit - whole) * 1e9).rounded()))
    }
}
