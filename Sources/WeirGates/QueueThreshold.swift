/// `queue_threshold`: how much may wait in a connector's work queue before its runs are postponed.
///
/// In MB of 10⁶ bytes, as OpenCTI's `CONNECTOR_QUEUE_THRESHOLD`: `500`, `8.5`, and also `500MB`. Another unit is
/// refused: `1GB` there ends the connector after its first run, and would mean another amount here than there.
package struct QueueThreshold: Sendable, Hashable, Comparable {
    package let bytes: ByteCount

    /// 500 MB. Source: seeds/1.
    package static let standard = QueueThreshold(bytes: .megabytes(500))

    private init(bytes: ByteCount) { self.bytes = bytes }

    package static func < (left: QueueThreshold, right: QueueThreshold) -> Bool { left.bytes < right.bytes }

    package var megabytes: Double { Double(bytes.bytes) / 1e6 }

    package static let help = "write a number of MB (1 000 000 bytes) such as `500` or `8.5`"

    /// - Throws: what was wrong and what to write instead.
    package init(text: String) throws(UnitTextProblem) {
        let trimmed = text.filter { $0 != " " }
        let lowered = trimmed.lowercased()
        let number = lowered.hasSuffix("mb") ? String(trimmed.dropLast(2)) : trimmed
        guard number.utf8.allSatisfy({ (0x30...0x39).contains($0) || $0 == UInt8(ascii: ".") }), !number.isEmpty else {
            if let other = try? ByteCount(text: text), other.bytes > 0 {
                let amount = QueueThreshold(bytes: other)
                throw UnitTextProblem(
                    "`\(text.clipped)` is not a number of MB", help: "the threshold is in MB: write `\(amount)`")
            }
            throw UnitTextProblem("`\(text.clipped)` is not a number of MB", help: Self.help)
        }
        let bytes = try ByteCount(text: "\(number)MB")
        guard bytes.bytes > 0 else {
            throw UnitTextProblem(
                "a threshold of 0 would postpone every run for ever",
                help: "write a number of MB above 0; `weir connector pause` stops a connector")
        }
        self.bytes = bytes
    }
}

extension QueueThreshold: CustomStringConvertible {
    /// `500`, `8.5`.
    package var description: String {
        let (whole, rest) = bytes.bytes.quotientAndRemainder(dividingBy: 1_000_000)
        if rest == 0 { return "\(whole)" }
        var digits = String(rest)
        digits = String(repeating: "0", count: 6 - digits.count) + digits
        while digits.last == "0" { digits.removeLast() }
        return "\(whole).\(digits)"
    }
}
