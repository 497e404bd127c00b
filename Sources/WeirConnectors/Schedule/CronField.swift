import WeirGates

/// One of the five fields of a cron expression: which of its values match, as bits.
struct CronField: Sendable, Hashable {
    enum Kind: Sendable, Hashable {
        case minute, hour, dayOfMonth, month, dayOfWeek
    }

    /// Bit n is value n.
    private(set) var bits: UInt64 = 0
    /// Written as `*` or `*/n`.
    let startsWithStar: Bool

    func contains(_ value: Int) -> Bool { bits & (1 << UInt64(value)) != 0 }

    /// The smallest value that matches and is at least `value`.
    func first(from value: Int) -> Int? {
        guard value < 64 else { return nil }
        let rest = bits & (~0 << UInt64(value))
        return rest == 0 ? nil : rest.trailingZeroBitCount
    }

    /// - Throws: what was wrong and what to write instead.
    init(_ text: Substring, _ kind: Kind) throws(UnitTextProblem) {
        startsWithStar = text.first == "*"
        for item in text.split(separator: ",", omittingEmptySubsequences: false) {
            try add(item, kind)
        }
        // Sunday has two numbers.
        if kind == .dayOfWeek && contains(7) { bits = (bits | 1) & 0x7F }
    }

    private mutating func add(_ item: Substring, _ kind: Kind) throws(UnitTextProblem) {
        let halves = item.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        let range = halves[0]
        var step = 1
        if halves.count == 2 {
            guard let number = Self.number(halves[1]), number > 0 else {
                throw UnitTextProblem(
                    "`\(String(item).clipped)` has no step that counts", help: "write `*/5` or `0-30/10`")
            }
            step = number
        }
        var low = kind.least
        var high = kind.most
        if range != "*" {
            let ends = range.split(separator: "-", maxSplits: 1, omittingEmptySubsequences: false)
            low = try Self.value(ends[0], kind)
            high = low
            if ends.count == 2 {
                high = try Self.value(ends[1], kind)
                // `SAT-SUN`: Sunday ends a week as well as it begins one.
                if kind == .dayOfWeek && high == 0 && low > 0 { high = 7 }
                if high < low { throw Self.backwards(ends[0], ends[1], kind) }
            } else if halves.count == 2 {
                throw UnitTextProblem(
                    "`\(String(item).clipped)` has a step but no range",
                    help: "write `\(low)-\(kind.most)/\(step)` or `*/\(step)`")
            }
        }
        for value in stride(from: low, through: high, by: step) { bits |= 1 << UInt64(value) }
    }

    private static func backwards(_ low: Substring, _ high: Substring, _ kind: Kind) -> UnitTextProblem {
        UnitTextProblem(
            "`\(low)-\(high)` goes backwards in the field \(kind.name)",
            help: "write `\(low)-\(kind.most),\(kind.least)-\(high)`")
    }

    private static func value(_ text: Substring, _ kind: Kind) throws(UnitTextProblem) -> Int {
        if let number = number(text) {
            guard number >= kind.least, number <= kind.most + (kind == .dayOfWeek ? 1 : 0) else {
                throw UnitTextProblem(
                    "`\(String(text).clipped)` is out of range in the field \(kind.name)",
                    help: "write \(kind.least) to \(kind.most)")
            }
            return number
        }
        if let place = kind.names.firstIndex(of: text.uppercased()) { return place + kind.least }
        if text == "?" || text == "L" || text == "W" || text.contains("#") || text.hasSuffix("L") || text.hasSuffix("W")
        {
            throw UnitTextProblem(
                "`\(String(text).clipped)` is not understood here (it is of another kind of cron)",
                help: "write `*`, numbers, ranges, lists and steps")
        }
        let names = kind.names.isEmpty ? "" : ", or \(kind.names[0]) to \(kind.names[kind.names.count - 1])"
        throw UnitTextProblem(
            "`\(String(text).clipped)` is not a value of the field \(kind.name)",
            help: "write \(kind.least) to \(kind.most)\(names)")
    }

    private static func number(_ text: Substring) -> Int? {
        guard !text.isEmpty, text.utf8.count <= 4, text.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else {
            return nil
        }
        return Int(text)
    }
}

extension CronField.Kind {
    var least: Int {
        switch self {
        case .minute, .hour, .dayOfWeek: 0
        case .dayOfMonth, .month: 1
        }
    }

    var most: Int {
        switch self {
        case .minute: 59
        case .hour: 23
        case .dayOfMonth: 31
        case .month: 12
        case .dayOfWeek: 6
        }
    }

    var name: String {
        switch self {
        case .minute: "minute"
        case .hour: "hour"
        case .dayOfMonth: "day of the month"
        case .month: "month"
        case .dayOfWeek: "day of the week"
        }
    }

    var names: [String] {
        switch self {
        case .minute, .hour, .dayOfMonth: []
        case .month: ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"]
        case .dayOfWeek: ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"]
        }
    }
}
