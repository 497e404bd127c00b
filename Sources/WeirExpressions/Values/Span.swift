/// A CEL duration: signed nanoseconds in 64 bits (± 292 years, the range that the reference implementation has too).
package struct Span: Sendable, Hashable, Comparable, CustomStringConvertible {
    package var nanoseconds: Int64

    package init(nanoseconds: Int64) { self.nanoseconds = nanoseconds }

    package static func < (left: Span, right: Span) -> Bool { left.nanoseconds < right.nanoseconds }

    /// Seconds with as much fraction as needed: `90s`, `-1.5s`.
    package var description: String {
        let magnitude = nanoseconds.magnitude
        let rest = Instant.fraction(Int32(magnitude % 1_000_000_000))
        return (nanoseconds < 0 ? "-" : "") + String(magnitude / 1_000_000_000) + rest + "s"
    }

    /// Reads `1h30m`, `-1.5s`, `250ms`, `3us`, `4ns`, `0`: a sum of decimal numbers with units `h m s ms us µs ns`.
    /// Nil for anything else and out of range.
    package init?(_ text: String) {
        var rest = Substring(text).utf8
        var isNegative = false
        if rest.first == UInt8(ascii: "-") || rest.first == UInt8(ascii: "+") {
            isNegative = rest.removeFirst() == UInt8(ascii: "-")
        }
        if rest.elementsEqual("0".utf8) {
            nanoseconds = 0
            return
        }
        guard !rest.isEmpty else { return nil }
        // Summed up as a negative number, which reaches one further than the positive side.
        var total: Int64 = 0
        while !rest.isEmpty {
            var whole: Int64 = 0
            var digits = 0
            var fraction: [UInt8] = []
            while let byte = rest.first, byte >= 48, byte <= 57 {
                rest.removeFirst()
                digits += 1
                let (scaled, overflow) = whole.multipliedReportingOverflow(by: 10)
                let (sum, again) = scaled.addingReportingOverflow(Int64(byte - 48))
                guard !overflow, !again else { return nil }
                whole = sum
            }
            if rest.first == UInt8(ascii: ".") {
                rest.removeFirst()
                while let byte = rest.first, byte >= 48, byte <= 57 {
                    rest.removeFirst()
                    digits += 1
                    if fraction.count < 18 { fraction.append(byte - 48) }
                }
            }
            guard digits > 0 else { return nil }
            var unit: [UInt8] = []
            while let byte = rest.first, byte != UInt8(ascii: "."), !(byte >= 48 && byte <= 57), unit.count < 4 {
                unit.append(rest.removeFirst())
            }
            let scale: Int64
            switch String(decoding: unit, as: UTF8.self) {
            case "h": scale = 3_600_000_000_000
            case "m": scale = 60_000_000_000
            case "s": scale = 1_000_000_000
            case "ms": scale = 1_000_000
            case "us", "µs", "μs": scale = 1_000
            case "ns": scale = 1
            default: return nil
            }
            var part: Int64 = 0
            var step = scale
            for digit in fraction {
                let above = step
                step /= 10
                // The digit times a tenth of the unit; what integer division lost comes back by the remainder.
                part += Int64(digit) * above / 10
                if step == 0 { break }
            }
            let (product, overflow) = whole.multipliedReportingOverflow(by: scale)
            let (sum, again) = total.subtractingReportingOverflow(product)
            let (final, once) = sum.subtractingReportingOverflow(part)
            guard !overflow, !again, !once else { return nil }
            total = final
        }
        guard isNegative || total != .min else { return nil }
        nanoseconds = isNegative ? total : -total
    }
}
