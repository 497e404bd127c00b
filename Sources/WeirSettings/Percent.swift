package import WeirGates

/// A share of a whole: `5%`, 0 to 100. The percent sign is required, so that `5` cannot be mistaken for a count.
package struct Percent: Sendable, Hashable, Comparable, CustomStringConvertible {
    /// 0...100.
    package var value: Double

    package init(_ value: Double) { self.value = value }

    /// 0...1.
    package var fraction: Double { value / 100 }

    package init(text: String) throws(UnitTextProblem) {
        let tight = text.filter { $0 != " " }
        let digits = tight.dropLast()
        guard tight.hasSuffix("%"), let first = digits.utf8.first, (0x30...0x39).contains(first),
            digits.utf8.allSatisfy({ (0x30...0x39).contains($0) || $0 == 0x2E }), let value = Double(digits)
        else {
            throw UnitTextProblem("`\(text.clipped)` is not a percentage", help: "write `5%`")
        }
        guard value <= 100 else {
            throw UnitTextProblem("`\(text.clipped)` is more than the whole", help: "write 0% to 100%")
        }
        self.value = value
    }

    package static func < (left: Percent, right: Percent) -> Bool { left.value < right.value }
    package var description: String { PlainValue.number(value).text + "%" }
}

extension Percent: SettingValue, UnitValue {
    static var wanted: String { "a percentage" }
    static var sample: String { "5%" }
    package static var shape: SettingShape { .percent }
    package var plain: PlainValue { .text(description) }
}
