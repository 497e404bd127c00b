/// Reads a duration as pydantic's parser does. Its grammar, found by asking it:
///
///     period  = [sign] ("P" parts | days [[","] [" "] clock] | clock)
///     parts   = one or more of number unit, "T" once between date and time units, in any order, also repeated;
///               a fraction (with "." or ",") only in the last number
///     date    = Y (365 days) | M (30 days) | W | D        time = H | M | S
///     days    = digits [" "] ("d" | "D") ["ay" ["s"]]
///     clock   = hours ":" 2 digits [":" 2 digits ["." digits]], at least five characters without days before it
///
/// Nothing is trimmed, and the letters of ISO 8601 are capitals.
struct PeriodReader {
    private let text: String
    private let bytes: [UInt8]
    private var place = 0

    init(_ text: String) {
        self.text = text
        // No valid period is longer; a value from outside may be megabytes.
        bytes = Array(text.utf8.prefix(200))
    }

    private static let second: Int128 = 1_000_000_000

    /// - Returns: nanoseconds.
    mutating func read() throws(UnitTextProblem) -> Int128 {
        guard let first = bytes.first, bytes.count < 200 else {
            throw bytes.isEmpty ? UnitTextProblem("the period is empty", help: Period.help) : wrong()
        }
        var isNegative = false
        if first == UInt8(ascii: "+") || first == UInt8(ascii: "-") {
            isNegative = first == UInt8(ascii: "-")
            place = 1
        }
        let value: Int128
        if take("P") {
            value = try readParts()
        } else if bytes.contains(where: { $0 | 0x20 == UInt8(ascii: "d") }) {
            value = try readDays()
        } else {
            if let plain = plainNumber { throw plain }
            guard bytes.count >= 5 else { throw wrong() }
            value = try readClock()
        }
        if isNegative && value != 0 { throw Period.negative }
        return value
    }

    // MARK: Forms

    private mutating func readParts() throws(UnitTextProblem) -> Int128 {
        let date: [UInt8: Int128] = [
            UInt8(ascii: "Y"): 365 * 86_400, UInt8(ascii: "M"): 30 * 86_400, UInt8(ascii: "W"): 604_800,
            UInt8(ascii: "D"): 86_400,
        ]
        let time: [UInt8: Int128] = [UInt8(ascii: "H"): 3_600, UInt8(ascii: "M"): 60, UInt8(ascii: "S"): 1]
        var total: Int128 = 0
        var isTime = false
        var count = 0
        var hadFraction = false
        while place < bytes.count {
            if !isTime && take("T") {
                isTime = true
                continue
            }
            if hadFraction {
                throw UnitTextProblem(
                    "in `\(text.clipped)` only the last number may have a fraction", help: Period.help)
            }
            let number = try readNumber()
            hadFraction = number.hasFraction
            guard place < bytes.count else { throw wrong("the last number has no unit") }
            guard let unit = (isTime ? time : date)[bytes[place]] else {
                let needsT = !isTime && time[bytes[place]] != nil
                throw needsT ? wrong("there must be a `T` before hours, minutes and seconds") : wrong()
            }
            place += 1
            total += number.times(unit * Self.second)
            count += 1
        }
        guard count > 0 else { throw wrong() }
        return total
    }

    private mutating func readDays() throws(UnitTextProblem) -> Int128 {
        let number = try readNumber()
        guard !number.hasFraction else { throw wrong("days have no fraction here; `P0.5D` may") }
        _ = take(" ")
        guard take("d") || take("D") else { throw wrong() }
        if take("ay") { _ = take("s") }
        var total = number.times(86_400 * Self.second)
        if place == bytes.count { return total }
        _ = take(",")
        _ = take(" ")
        total += try readClock()
        return total
    }

    private mutating func readClock() throws(UnitTextProblem) -> Int128 {
        let hours = try readNumber()
        guard !hours.hasFraction, take(":") else { throw wrong() }
        var total = hours.times(3_600 * Self.second)
        total += Int128(try readSixty("minutes")) * 60 * Self.second
        if take(":") {
            total += Int128(try readSixty("seconds")) * Self.second
            if take(".") {
                place -= 1
                total += try readFraction().times(Self.second)
            }
        }
        guard place == bytes.count else { throw wrong() }
        return total
    }

    // MARK: Pieces

    private struct Number {
        var whole: Int128 = 0
        var fraction: Int128 = 0
        var scale: Int128 = 1
        var hasFraction = false

        func times(_ unit: Int128) -> Int128 { whole * unit + fraction * unit / scale }
    }

    private mutating func readNumber() throws(UnitTextProblem) -> Number {
        let digits = readDigits()
        // 12 digits of years are beyond the most; more would overflow.
        guard !digits.isEmpty else { throw wrong() }
        guard digits.count <= 12 else { throw wrong("it is too long") }
        var number = Number()
        number.whole = digits.reduce(0) { $0 * 10 + Int128($1) }
        if place < bytes.count, bytes[place] == UInt8(ascii: ".") || bytes[place] == UInt8(ascii: ",") {
            let fraction = try readFraction()
            number.fraction = fraction.fraction
            number.scale = fraction.scale
            number.hasFraction = true
        }
        return number
    }

    /// From the point on. Beyond nine digits nothing can be told from zero.
    private mutating func readFraction() throws(UnitTextProblem) -> Number {
        place += 1
        var number = Number()
        for digit in readDigits().prefix(9) {
            number.fraction = number.fraction * 10 + Int128(digit)
            number.scale *= 10
        }
        return number
    }

    private mutating func readSixty(_ name: String) throws(UnitTextProblem) -> Int {
        let digits = readDigits()
        guard digits.count == 2 else { throw wrong("\(name) have two digits") }
        let value = Int(digits[0]) * 10 + Int(digits[1])
        guard value < 60 else { throw wrong("\(name) go to 59") }
        return value
    }

    private mutating func readDigits() -> [UInt8] {
        let digits = bytes[place...].prefix { (0x30...0x39).contains($0) }.map { $0 - 0x30 }
        place += digits.count
        return digits
    }

    private mutating func take(_ word: StaticString) -> Bool {
        let wanted = UnsafeBufferPointer(start: word.utf8Start, count: word.utf8CodeUnitCount)
        guard bytes[place...].starts(with: wanted) else { return false }
        place += wanted.count
        return true
    }

    // MARK: Complaints

    /// `3600`: seconds? Minutes?
    private var plainNumber: UnitTextProblem? {
        guard bytes.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
        return UnitTextProblem(
            "`\(text.clipped)` has no unit",
            help: "write `PT\(text.clipped)S` for seconds, or `\(Period.sampleMinutes)`")
    }

    private func wrong(_ why: String? = nil) -> UnitTextProblem {
        // `pt5h`, ` PT5H`: one cannot see at once what is wrong with them.
        let corrected = text.prefix(40).filter { $0 != " " }.uppercased()
        let isNear = corrected.hasPrefix("P") && corrected != text && (try? Period(iso: corrected)) != nil
        let help = isNear ? "write `\(corrected)`" : Period.help
        return UnitTextProblem("`\(text.clipped)` is not a period" + (why.map { ": \($0)" } ?? ""), help: help)
    }
}

extension Period {
    fileprivate static let sampleMinutes = "PT30M"
}
