package import WeirWorld

/// Dates as HTTP writes them (RFC 9110 section 5.6.7): the fixed form `Sun, 06 Nov 1994 08:49:37 GMT`, which we write,
/// and the two old ones, which a recipient must still read.
package enum HTTPDate {
    private static let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
    private static let weekdays = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]

    package static func text(_ time: WallTime) -> String {
        let date = CivilDate(time)
        return weekdays[date.weekday] + ", " + CivilDate.padded(date.day, 2) + " " + months[date.month - 1] + " "
            + CivilDate.padded(date.year, 4) + " " + date.clockText + " GMT"
    }

    /// - Returns: `nil` when it is no date in one of the three forms.
    package static func parse(_ text: Substring) -> WallTime? {
        guard text.utf8.count <= 64 else { return nil }
        let words = text.split { $0 == " " || $0 == "," }.map(String.init)
        switch words.count {
        // Sun, 06 Nov 1994 08:49:37 GMT
        case 6 where words[5] == "GMT":
            return wall(day: words[1], month: words[2], year: words[3], clock: words[4])
        // Sunday, 06-Nov-94 08:49:37 GMT
        case 4 where words[3] == "GMT":
            let parts = words[1].split(separator: "-").map(String.init)
            guard parts.count == 3, let year = number(parts[2], 0...99) else { return nil }
            // RFC 9110 moves what seems more than 50 years ahead into the past; a fixed pivot says the same until 2050.
            return wall(
                day: parts[0], month: parts[1], year: String(year >= 70 ? 1900 + year : 2000 + year), clock: words[2])
        // Sun Nov  6 08:49:37 1994
        case 5: return wall(day: words[2], month: words[1], year: words[4], clock: words[3])
        default: return nil
        }
    }

    private static func wall(day: String, month: String, year: String, clock: String) -> WallTime? {
        let parts = clock.split(separator: ":").map(String.init)
        guard parts.count == 3, let day = number(day, 1...31), let month = months.firstIndex(of: month),
            let year = number(year, 1970...2200), let hour = number(parts[0], 0...23),
            let minute = number(parts[1], 0...59), let second = number(parts[2], 0...60)
        else { return nil }
        return CivilDate.wall(year: year, month: month + 1, day: day, hour: hour, minute: minute, second: second)
    }

    private static func number(_ text: String, _ range: ClosedRange<Int>) -> Int? {
        guard !text.isEmpty, text.utf8.allSatisfy({ $0 >= 0x30 && $0 <= 0x39 }), let value = Int(text),
            range.contains(value)
        else { return nil }
        return value
    }
}
