import WeirGates
import WeirWorld

/// Numbers as people read them: three figures and a unit, the same in console and terminal.
package enum Figures {
    /// Decimal, as disks and limits are sold: `812 B`, `9.90 MB`, `39.6 MB`, `262 kB`.
    package static func bytes(_ count: Int64) -> String { ByteCount(count).shortText }

    /// With separators: `1,284`.
    package static func count(_ count: Int64) -> String {
        let digits = String(count.magnitude)
        var text = count < 0 ? "-" : ""
        for (place, digit) in digits.enumerated() {
            if place > 0, (digits.count - place) % 3 == 0 { text += "," }
            text.append(digit)
        }
        return text
    }

    /// `1 event`, `1,284 events`.
    package static func events(_ number: Int64) -> String { "\(count(number)) event\(number == 1 ? "" : "s")" }

    /// A rate: `0`, `0.4`, `903`, `1,284`, `1.52 M`.
    package static func rate(_ perSecond: Double) -> String {
        guard perSecond.isFinite, perSecond > 0 else { return "0" }
        if perSecond < 9.95 { return rounded(perSecond, 1) }
        if perSecond < 999_999.5 { return count(Int64(perSecond.rounded())) }
        if perSecond < 999_995_000 { return rounded(perSecond / 1e6, 2) + " M" }
        return rounded(min(perSecond / 1e9, 1e9), 2) + " G"
    }

    /// The two largest units: `84 ms`, `46 s`, `2 min 11 s`, `3 h 5 min`, `12 d 4 h`.
    package static func duration(_ seconds: Double) -> String {
        guard seconds.isFinite else { return "ever" }
        let seconds = min(max(seconds, 0), 1e10)
        if seconds == 0 { return "0 s" }
        if seconds < 0.0995 { return milliseconds(seconds) }
        if seconds < 0.9995 { return "\(Int((seconds * 1_000).rounded())) ms" }
        if seconds < 9.95 { return short(seconds) + " s" }
        let whole = Int(seconds.rounded())
        if whole < 60 { return "\(whole) s" }
        if whole < 3_600 { return pair(whole / 60, "min", whole % 60, "s") }
        if whole < 86_400 { return pair(whole / 3_600, "h", whole / 60 % 60, "min") }
        return pair(whole / 86_400, "d", whole / 3_600 % 24, "h")
    }

    /// An amount in a gate's own unit: `9.90 MB`, `5 requests`.
    package static func amount(_ amount: Int64, _ unit: String) -> String {
        unit == LevelUnit.bytes.rawValue ? bytes(amount) : "\(count(amount)) \(unit)"
    }

    /// Level and limit in one unit: `6.20 / 8.00 MB`, `4 / 5 requests`; `? / 8.00 MB` where nothing can be measured,
    /// and `524 kB, limit 262 kB` where one batch more than the limit is held.
    package static func pressure(_ level: Int64?, of limit: Int64, _ unit: String) -> String {
        let limitText = amount(limit, unit)
        guard let level else { return "? / \(limitText)" }
        let levelText = amount(level, unit)
        guard level <= limit else { return "\(levelText), limit \(limitText)" }
        let unitOf = { (text: String) in text.split(separator: " ").last.map(String.init) ?? "" }
        guard unitOf(levelText) == unitOf(limitText) else { return "\(levelText) / \(limitText)" }
        return "\(levelText.split(separator: " ").first.map(String.init) ?? levelText) / \(limitText)"
    }

    /// Time of day in UTC: `14:32:08`.
    static func clock(_ time: WallTime) -> String { CivilDate(time).clockText }

    static func rounded(_ value: Double, _ places: Int) -> String {
        var scale = 1
        for _ in 0..<places { scale *= 10 }
        let total = Int64((value * Double(scale)).rounded())
        let whole = total / Int64(scale)
        guard places > 0 else { return "\(whole)" }
        let sign = total < 0 && whole == 0 ? "-" : ""
        return sign + "\(whole)." + CivilDate.padded(Int((total % Int64(scale)).magnitude), places)
    }

    private static func milliseconds(_ seconds: Double) -> String {
        let value = seconds * 1_000
        return (value < 0.95 ? rounded(value, 2) : value < 9.95 ? short(value) : rounded(value, 0)) + " ms"
    }

    /// One decimal, unless it is a zero.
    private static func short(_ value: Double) -> String {
        let text = rounded(value, 1)
        return text.hasSuffix(".0") ? String(text.dropLast(2)) : text
    }

    private static func pair(_ large: Int, _ largeUnit: String, _ small: Int, _ smallUnit: String) -> String {
        small == 0 ? "\(large) \(largeUnit)" : "\(large) \(largeUnit) \(small) \(smallUnit)"
    }
}
