import WeirWorld

// Durations as an operator writes and reads them: `5h`, `90s`, `250ms`, `1h30m`, `1.5s`, ISO 8601 `PT5H` and `P1DT2H`,
// `0`.
//
// A plain number is refused (30 what?). Months and years are refused: they have no fixed length. A week is 7 days, a
// day 24 hours. Negative durations are refused. Most: 292 years, what 64 bits of nanoseconds hold.

extension Duration {
    package static func minutes(_ count: Int) -> Duration { .seconds(count) * 60 }
    package static func hours(_ count: Int) -> Duration { .seconds(count) * 3_600 }

    private static let unitNanoseconds: [(name: String, nanoseconds: Int64)] = [
        ("w", 604_800_000_000_000), ("d", 86_400_000_000_000), ("h", 3_600_000_000_000), ("m", 60_000_000_000),
        ("s", 1_000_000_000), ("ms", 1_000_000), ("us", 1_000), ("µs", 1_000), ("ns", 1),
    ]

    /// Reads a duration.
    /// - Throws: what was wrong and what to write instead.
    package init(text: String) throws(UnitTextProblem) {
        let help = "write a duration such as `30s`, `5m`, `1h30m`, `250ms` or `PT5H`"
        let trimmed = text.filter { $0 != " " }
        if trimmed.hasPrefix("-") || trimmed.uppercased().hasPrefix("P-") || trimmed.uppercased().hasPrefix("PT-") {
            throw UnitTextProblem("a duration cannot be negative", help: help)
        }
        if trimmed == "0" {
            self = .zero
            return
        }
        if DecimalNumber(trimmed) != nil {
            throw UnitTextProblem(
                "`\(text.clipped)` has no unit",
                help: "write `\(trimmed)s` for seconds or `\(trimmed)ms` for milliseconds")
        }
        guard let first = trimmed.first else {
            throw UnitTextProblem("the duration is empty", help: help)
        }
        let parts: [(number: Substring, unit: String)]
        if first == "P" || first == "p" {
            parts = try Duration.isoParts(trimmed.dropFirst(), text: text, help: help)
        } else {
            guard let found = Duration.parts(trimmed[...]) else {
                throw UnitTextProblem("`\(text.clipped)` is not a duration", help: help)
            }
            parts = found
        }
        var total: Int64 = 0
        var last = -1
        for part in parts {
            guard let rank = Duration.unitNanoseconds.firstIndex(where: { $0.name == part.unit }) else {
                throw UnitTextProblem("`\(part.unit.clipped)` is not a unit of time", help: help)
            }
            if rank <= last { throw UnitTextProblem("`\(text.clipped)` has its units out of order", help: help) }
            last = rank
            guard let number = DecimalNumber(part.number) else {
                throw UnitTextProblem("`\(text.clipped)` is not a duration", help: help)
            }
            guard let product = number.times(Duration.unitNanoseconds[rank].nanoseconds) else {
                throw UnitTextProblem("`\(text.clipped)` is longer than 292 years", help: help)
            }
            let (sum, overflow) = total.addingReportingOverflow(product.whole)
            if overflow { throw UnitTextProblem("`\(text.clipped)` is longer than 292 years", help: help) }
            if !product.isWhole {
                throw UnitTextProblem("`\(text.clipped)` is finer than a nanosecond", help: help)
            }
            total = sum
        }
        self = .nanoseconds(total)
    }

    private static func parts(_ text: Substring) -> [(number: Substring, unit: String)]? {
        var rest = text
        var parts: [(number: Substring, unit: String)] = []
        while !rest.isEmpty {
            let number = rest.prefix { ("0"..."9").contains($0) || $0 == "." }
            rest = rest.dropFirst(number.count)
            let unit = rest.prefix { !("0"..."9").contains($0) && $0 != "." }
            rest = rest.dropFirst(unit.count)
            if number.isEmpty || unit.isEmpty { return nil }
            parts.append((number, unit.lowercased()))
        }
        return parts.isEmpty ? nil : parts
    }

    private static func isoParts(
        _ text: Substring, text whole: String, help: String
    ) throws(UnitTextProblem) -> [(number: Substring, unit: String)] {
        let upper = text.uppercased()
        let halves = upper.split(separator: "T", maxSplits: 1, omittingEmptySubsequences: false)
        let date = halves[0]
        let time: Substring? = halves.count > 1 ? halves[1] : nil
        var result: [(number: Substring, unit: String)] = []
        if !date.isEmpty {
            guard let parts = parts(date) else {
                throw UnitTextProblem("`\(whole.clipped)` is not a duration", help: help)
            }
            for part in parts {
                if part.unit == "y" || part.unit == "m" {
                    throw UnitTextProblem(
                        "`\(whole.clipped)` has months or years, which have no fixed length", help: "write days: `P30D`"
                    )
                }
                guard part.unit == "d" || part.unit == "w" else {
                    throw UnitTextProblem(
                        "`\(whole.clipped)` lacks the `T` before hours, minutes and seconds",
                        help: "write `PT…`, such as `PT5H`")
                }
                result.append(part)
            }
        }
        if let time {
            guard let parts = parts(time), parts.allSatisfy({ ["h", "m", "s"].contains($0.unit) }) else {
                throw UnitTextProblem("`\(whole.clipped)` is not a duration", help: help)
            }
            result += parts
        }
        if result.isEmpty { throw UnitTextProblem("`\(whole.clipped)` is not a duration", help: help) }
        return result
    }

    /// Exact, and read back as the same duration: `1h30m`, `250ms`, `1d2h`, `0`.
    package var exactText: String {
        var rest = nanoseconds
        if rest == 0 { return "0" }
        let sign = rest < 0 ? "-" : ""
        if rest == .min { rest = .max } else if rest < 0 { rest = -rest }
        var text = ""
        for unit in Duration.unitNanoseconds where unit.name != "w" && unit.name != "µs" {
            let count = rest / unit.nanoseconds
            if count > 0 {
                text += "\(count)\(unit.name)"
                rest -= count * unit.nanoseconds
            }
        }
        return sign + text
    }

    /// At most two units, rounded down, for tables and sentences: `1h30m`, `2m5s`, `1.25s`, `250ms`.
    package var shortText: String {
        let all = nanoseconds
        let sign = all < 0 ? "-" : ""
        let magnitude = all == .min ? Int64.max : abs(all)
        if magnitude == 0 { return "0" }
        let second: Int64 = 1_000_000_000
        if magnitude >= 60 * second {
            let units = Duration.unitNanoseconds.filter { ["d", "h", "m", "s"].contains($0.name) }
            guard let largest = units.firstIndex(where: { magnitude >= $0.nanoseconds }) else { return exactText }
            let next = min(largest + 1, units.count - 1)
            let kept = magnitude - magnitude % units[next].nanoseconds
            return sign + Duration.nanoseconds(kept).exactText
        }
        for unit in Duration.unitNanoseconds where ["s", "ms", "us", "ns"].contains(unit.name) {
            if magnitude < unit.nanoseconds { continue }
            let hundredths = Int64(Double(magnitude) / Double(unit.nanoseconds) * 100)
            let (whole, fraction) = (hundredths / 100, hundredths % 100)
            if whole >= 100 || fraction == 0 || unit.name == "ns" { return "\(sign)\(whole)\(unit.name)" }
            let digits = fraction % 10 == 0 ? "\(fraction / 10)" : fraction < 10 ? "0\(fraction)" : "\(fraction)"
            return "\(sign)\(whole).\(digits)\(unit.name)"
        }
        return exactText
    }
}
