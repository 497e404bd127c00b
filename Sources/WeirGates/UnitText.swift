/// Why a size, a duration or a rate could not be read, and what to write instead.
package struct UnitTextProblem: Error, Sendable, Hashable {
    /// What is wrong, without a full stop: "`8M` has no clear unit".
    package var message: String
    /// What to do: "write `8MB` or `8MiB` (binary)".
    package var help: String

    package init(_ message: String, help: String) {
        self.message = message
        self.help = help
    }
}

/// A decimal number without floating point, so that `1.1GB` is exactly 1 100 000 000 bytes.
struct DecimalNumber {
    var whole: Int64
    /// The fraction as digits over a power of ten.
    var fraction: Int64
    var fractionScale: Int64

    /// At most 18 digits on each side; `_` may group digits.
    init?(_ text: some StringProtocol) {
        var whole: Int64 = 0
        var fraction: Int64 = 0
        var scale: Int64 = 1
        var digits = 0
        var wholeDigits = 0
        var seenPoint = false
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"):
                let digit = Int64(byte - UInt8(ascii: "0"))
                digits += 1
                if seenPoint {
                    guard scale <= 100_000_000_000_000_000 else { return nil }
                    fraction = fraction * 10 + digit
                    scale *= 10
                } else {
                    wholeDigits += 1
                    let (product, over) = whole.multipliedReportingOverflow(by: 10)
                    let (sum, overflow) = product.addingReportingOverflow(digit)
                    if over || overflow { return nil }
                    whole = sum
                }
            case UInt8(ascii: "."):
                if seenPoint || wholeDigits == 0 { return nil }
                seenPoint = true
            case UInt8(ascii: "_"):
                if digits == 0 || seenPoint { return nil }
            default:
                return nil
            }
        }
        if wholeDigits == 0 || (seenPoint && scale == 1) { return nil }
        self.whole = whole
        self.fraction = fraction
        fractionScale = scale
    }

    /// The number times a unit; `nil` beyond 64 bits, `isWhole` false when something is left over.
    func times(_ unit: Int64) -> (whole: Int64, isWhole: Bool)? {
        let (product, overflow) = whole.multipliedReportingOverflow(by: unit)
        if overflow { return nil }
        // 128 bits: a fraction of 18 digits of an exabyte needs them.
        let wide = Int128(fraction) * Int128(unit)
        let (part, left) = wide.quotientAndRemainder(dividingBy: Int128(fractionScale))
        let (sum, over) = product.addingReportingOverflow(Int64(part))
        return over ? nil : (sum, left == 0)
    }
}

extension String {
    /// Short enough for a message: a value from outside may be megabytes long.
    package var clipped: String { clipped(to: 60) }

    package func clipped(to most: Int) -> String {
        // Looks at no more than it keeps.
        guard index(startIndex, offsetBy: most + 1, limitedBy: endIndex) != nil else { return self }
        return "\(prefix(most - 3))..."
    }
}
