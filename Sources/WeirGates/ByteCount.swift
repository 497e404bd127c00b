/// An amount of bytes: a limit, a level, a size.
///
/// Text: `8MB` is 8·10⁶ (decimal, as disks and networks count), `8MiB` is 8·2²⁰ (binary, as memory counts), `1.5GB`,
/// `0`; a plain number is bytes. Units are read without regard to case; a bare `8M` is refused, because Docker,
/// Kubernetes and OpenCTI each mean something else by it.
package struct ByteCount: Sendable, Hashable, Comparable {
    package var bytes: Int64

    package init(_ bytes: Int64) { self.bytes = bytes }
    package init(_ bytes: Int) { self.bytes = Int64(bytes) }

    package static let zero = ByteCount(Int64(0))
    package static let max = ByteCount(Int64.max)

    package static func kilobytes(_ count: Int64) -> ByteCount { ByteCount(saturating: count, times: 1_000) }
    package static func megabytes(_ count: Int64) -> ByteCount { ByteCount(saturating: count, times: 1_000_000) }
    package static func gigabytes(_ count: Int64) -> ByteCount { ByteCount(saturating: count, times: 1_000_000_000) }
    package static func kibibytes(_ count: Int64) -> ByteCount { ByteCount(saturating: count, times: 1 << 10) }
    package static func mebibytes(_ count: Int64) -> ByteCount { ByteCount(saturating: count, times: 1 << 20) }
    package static func gibibytes(_ count: Int64) -> ByteCount { ByteCount(saturating: count, times: 1 << 30) }

    private init(saturating count: Int64, times unit: Int64) {
        let (product, overflow) = count.multipliedReportingOverflow(by: unit)
        bytes = overflow ? (count < 0 ? .min : .max) : product
    }

    /// As an `Int`, for buffers and indexes.
    package var asInt: Int { Int(clamping: bytes) }

    package static func < (left: ByteCount, right: ByteCount) -> Bool { left.bytes < right.bytes }

    /// Saturates instead of overflowing: a level never wraps into a small number.
    package static func + (left: ByteCount, right: ByteCount) -> ByteCount {
        let (sum, overflow) = left.bytes.addingReportingOverflow(right.bytes)
        return overflow ? ByteCount(left.bytes < 0 ? Int64.min : Int64.max) : ByteCount(sum)
    }

    package static func - (left: ByteCount, right: ByteCount) -> ByteCount {
        let (difference, overflow) = left.bytes.subtractingReportingOverflow(right.bytes)
        return overflow ? ByteCount(left.bytes < 0 ? Int64.min : Int64.max) : ByteCount(difference)
    }

    package static func += (left: inout ByteCount, right: ByteCount) { left = left + right }
    package static func -= (left: inout ByteCount, right: ByteCount) { left = left - right }
}

extension ByteCount {
    private struct Unit {
        var name: String
        var bytes: Int64
    }

    private static let decimalUnits = [
        Unit(name: "EB", bytes: 1_000_000_000_000_000_000), Unit(name: "PB", bytes: 1_000_000_000_000_000),
        Unit(name: "TB", bytes: 1_000_000_000_000), Unit(name: "GB", bytes: 1_000_000_000),
        Unit(name: "MB", bytes: 1_000_000), Unit(name: "kB", bytes: 1_000),
    ]
    private static let binaryUnits = [
        Unit(name: "EiB", bytes: 1 << 60), Unit(name: "PiB", bytes: 1 << 50), Unit(name: "TiB", bytes: 1 << 40),
        Unit(name: "GiB", bytes: 1 << 30), Unit(name: "MiB", bytes: 1 << 20), Unit(name: "KiB", bytes: 1 << 10),
    ]

    /// Reads a size as an operator writes it.
    /// - Throws: what was wrong and what to write instead.
    package init(text: String) throws(UnitTextProblem) {
        let example = "write a size such as `8MB` (8 000 000 bytes), `8MiB` (8 388 608 bytes) or `0`"
        var rest = text[...]
        while rest.last == " " { rest.removeLast() }
        while rest.first == " " { rest.removeFirst() }
        if rest.first == "-" { throw UnitTextProblem("a size cannot be negative", help: example) }
        let number = rest.prefix { ("0"..."9").contains($0) || $0 == "." || $0 == "_" }
        var unit = rest.dropFirst(number.count)
        while unit.first == " " { unit.removeFirst() }
        guard let decimal = DecimalNumber(number) else {
            throw UnitTextProblem("`\(text.clipped)` is not a size", help: example)
        }
        let lowered = unit.lowercased()
        var factor: Int64 = 1
        if !lowered.isEmpty && lowered != "b" {
            let known = ByteCount.decimalUnits + ByteCount.binaryUnits
            guard let match = known.first(where: { $0.name.lowercased() == lowered }) else {
                if let bare = known.first(where: { $0.name.lowercased() == lowered + "b" }) {
                    let other = bare.name.count == 2 ? String(bare.name.prefix(1)).uppercased() + "iB" : nil
                    let choice = ["`\(number)\(bare.name)`"] + (other.map { ["`\(number)\($0)` (binary)"] } ?? [])
                    throw UnitTextProblem(
                        "`\(text.clipped)` has no clear unit", help: "write \(choice.joined(separator: " or "))")
                }
                throw UnitTextProblem("`\(String(unit).clipped)` is not a unit of size", help: example)
            }
            factor = match.bytes
        }
        guard let bytes = decimal.times(factor) else {
            throw UnitTextProblem("`\(text.clipped)` is more than 9.2EB", help: example)
        }
        guard bytes.isWhole else {
            throw UnitTextProblem("`\(text.clipped)` is not a whole number of bytes", help: example)
        }
        self.bytes = bytes.whole
    }

    /// Exact and short, and read back as the same amount: `8MB`, `8MiB`, `1.5GB`, `8388609B`.
    package var exactText: String {
        if bytes == 0 { return "0" }
        if bytes < 0 { return "\(bytes)B" }
        if let text = ByteCount.tidy(bytes, in: ByteCount.binaryUnits, fractionDigits: 0) { return text }
        if let text = ByteCount.tidy(bytes, in: ByteCount.decimalUnits, fractionDigits: 2) { return text }
        return "\(bytes)B"
    }

    private static func tidy(_ bytes: Int64, in units: [Unit], fractionDigits: Int) -> String? {
        for unit in units where bytes >= unit.bytes {
            let (whole, rest) = bytes.quotientAndRemainder(dividingBy: unit.bytes)
            if rest == 0 { return "\(whole)\(unit.name)" }
            if fractionDigits == 0 { continue }
            let step = unit.bytes / 100
            if step > 0 && rest % step == 0 {
                var digits = String(rest / step)
                if digits.count == 1 { digits = "0" + digits }
                if digits.last == "0" { digits.removeLast() }
                return "\(whole).\(digits)\(unit.name)"
            }
            return nil
        }
        return nil
    }

    /// Three figures, decimal, for tables and sentences: `8.38 MB`, `512 B`, `65.5 kB`. Rounded down, so that a level
    /// just under its limit never reads as the limit.
    package var shortText: String {
        let magnitude = bytes.magnitude
        let sign = bytes < 0 ? "-" : ""
        guard let unit = ByteCount.decimalUnits.first(where: { magnitude >= UInt64($0.bytes) }) else {
            return "\(sign)\(magnitude) B"
        }
        let (whole, rest) = magnitude.quotientAndRemainder(dividingBy: UInt64(unit.bytes))
        guard whole < 100 else { return "\(sign)\(whole) \(unit.name)" }
        let isTens = whole >= 10
        let fraction = String(rest / UInt64(unit.bytes / (isTens ? 10 : 100)))
        return "\(sign)\(whole).\(isTens || fraction.count == 2 ? "" : "0")\(fraction) \(unit.name)"
    }
}

extension ByteCount: CustomStringConvertible {
    package var description: String { exactText }
}

/// Bytes per second: `10MB/s`. 0 means: stand still, where it is allowed at all.
package struct ByteRate: Sendable, Hashable, Comparable, CustomStringConvertible {
    package var perSecond: ByteCount

    package init(perSecond: ByteCount) { self.perSecond = perSecond }

    package init(text: String) throws(UnitTextProblem) {
        let tight = text.filter { $0 != " " }
        guard tight.hasSuffix("/s") else {
            throw UnitTextProblem("`\(text.clipped)` is not a rate", help: "write bytes per second, such as `10MB/s`")
        }
        perSecond = try ByteCount(text: String(tight.dropLast(2)))
    }

    package static func < (left: ByteRate, right: ByteRate) -> Bool { left.perSecond < right.perSecond }
    package var description: String { "\(perSecond.exactText)/s" }
}
