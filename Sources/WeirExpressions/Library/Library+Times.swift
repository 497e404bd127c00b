import WeirWorld

extension Library {
    static let times: [Function] =
        [
            part("getFullYear", civil: { Int64($0.year) }),
            part("getMonth", civil: { Int64($0.month - 1) }),
            part("getDate", civil: { Int64($0.day) }),
            part("getDayOfMonth", civil: { Int64($0.day - 1) }),
            part("getDayOfWeek", civil: { Int64($0.weekday) }),
            part("getDayOfYear", civil: { Int64($0.dayOfYear - 1) }),
            part("getHours", span: { $0 / 3_600_000_000_000 }, civil: { Int64($0.hour) }),
            part("getMinutes", span: { $0 / 60_000_000_000 }, civil: { Int64($0.minute) }),
            part("getSeconds", span: { $0 / 1_000_000_000 }, civil: { Int64($0.second) }),
            part("getMilliseconds", span: { $0 / 1_000_000 % 1_000 }, civil: { Int64($0.nanosecond / 1_000_000) }),
            Function(
                "strftime",
                [
                    "(timestamp, string) string", "(int, string) string", "(uint, string) string",
                    "(double, string) string",
                    "(string, string) string",
                ],
                .two { (value, other) throws(ExpressionFailure) in
                    guard case .string(let format) = other else { throw Function.mismatch("strftime", value, other) }
                    return .string(try TimeFormat.format(try TimeFormat.instant(value), format))
                }),
        ]

    private static func part(
        _ name: String, span: (@Sendable (Int64) -> Int64)? = nil, civil body: @escaping @Sendable (CivilDate) -> Int64
    ) -> Function {
        var signatures = ["timestamp.() int", "timestamp.(string) int"]
        if span != nil { signatures.append("duration.() int") }
        return Function(
            name, signatures,
            .many { (values) throws(ExpressionFailure) in
                switch (values[0], values.count) {
                case (.timestamp(let instant), 1): return .int(body(instant.civil()))
                case (.timestamp(let instant), 2):
                    guard case .string(let zone) = values[1] else { break }
                    guard let offset = TimeZones.offset(of: zone, at: instant) else {
                        throw ExpressionFailure(.invalidArgument, "no time zone '\(zone)'")
                    }
                    return .int(body(instant.civil(offset: offset)))
                case (.duration(let duration), 1):
                    if let span { return .int(span(duration.nanoseconds)) }
                default: break
                }
                throw ExpressionFailure(.noSuchOverload, "\(values[0].typeName).\(name)()")
            })
    }
}

/// `strftime`, in UTC: `%Y %m %d %H %M %S %L %f %j %F %T %s %y %e %a %A %b %B %p %I %u %w %Z %z %n %t %%`.
enum TimeFormat {
    /// A point in time from what fields hold: a timestamp, epoch seconds, or RFC 3339 text.
    static func instant(_ value: Value) throws(ExpressionFailure) -> Instant {
        var instant: Instant?
        switch value {
        case .timestamp(let a): return a
        case .int(let a): instant = Instant(seconds: a)
        case .uint(let a): instant = Int64(exactly: a).flatMap { Instant(seconds: $0) }
        case .double(let a):
            if abs(a) < 1e12 {
                let whole = a.rounded(.down)
                instant = Instant(seconds: Int64(whole), nanoseconds: Int64((a - whole) * 1e9))
            }
        case .string(let a): instant = Instant(rfc3339: a)
        default: throw Function.mismatch("strftime", value, .string(""))
        }
        guard let instant else { throw ExpressionFailure(.invalidArgument, "no point in time: \(value.literal)") }
        return instant
    }

    private static let days = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"]
    private static let months = [
        "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
        "December",
    ]

    static func format(_ instant: Instant, _ format: String) throws(ExpressionFailure) -> String {
        let date = instant.civil()
        var result = ""
        var rest = format.unicodeScalars[...]
        while let scalar = rest.popFirst() {
            guard scalar == "%" else {
                result.unicodeScalars.append(scalar)
                continue
            }
            let verb = rest.popFirst()
            switch verb {
            case "Y": result += CivilDate.padded(date.year, 4)
            case "y": result += CivilDate.padded(date.year % 100, 2)
            case "m": result += CivilDate.padded(date.month, 2)
            case "d": result += CivilDate.padded(date.day, 2)
            case "e": result += date.day < 10 ? " \(date.day)" : "\(date.day)"
            case "H": result += CivilDate.padded(date.hour, 2)
            case "I": result += CivilDate.padded((date.hour + 11) % 12 + 1, 2)
            case "p": result += date.hour < 12 ? "AM" : "PM"
            case "M": result += CivilDate.padded(date.minute, 2)
            case "S": result += CivilDate.padded(date.second, 2)
            case "L": result += CivilDate.padded(date.nanosecond / 1_000_000, 3)
            case "f": result += CivilDate.padded(date.nanosecond / 1_000, 6)
            case "j": result += CivilDate.padded(date.dayOfYear, 3)
            case "F": result += date.dateText
            case "T": result += date.clockText
            case "s": result += String(instant.seconds)
            case "a": result += days[date.weekday].prefix(3)
            case "A": result += days[date.weekday]
            case "b", "h": result += months[date.month - 1].prefix(3)
            case "B": result += months[date.month - 1]
            case "u": result += String(date.weekday == 0 ? 7 : date.weekday)
            case "w": result += String(date.weekday)
            case "Z": result += "UTC"
            case "z": result += "+0000"
            case "n": result += "\n"
            case "t": result += "\t"
            case "%": result += "%"
            default:
                let shown = verb.map { String(Character($0)) } ?? ""
                throw ExpressionFailure(.invalidArgument, "strftime: unknown conversion '%\(shown)'")
            }
        }
        return result
    }
}
