package import WeirSettings

/// A share as operators write it, in hundredths of a percent, so that limits are whole-number arithmetic: `5%`,
/// `0.25%`, 0 to 100.
package struct SharePercent: Sendable, Hashable {
    /// 500 is 5 %.
    package var basisPoints: Int

    package init(basisPoints: Int) { self.basisPoints = basisPoints }

    /// - Returns: `nil` when it is none, or finer than a hundredth of a percent.
    init?(_ text: String) {
        let tight = text.filter { $0 != " " }
        guard tight.hasSuffix("%") else { return nil }
        let parts = tight.dropLast().split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
        guard let whole = parts.first, (1...3).contains(whole.utf8.count), Self.isDigits(whole), let units = Int(whole)
        else { return nil }
        var hundredths = 0
        if parts.count == 2 {
            guard (1...2).contains(parts[1].utf8.count), Self.isDigits(parts[1]), let value = Int(parts[1]) else {
                return nil
            }
            hundredths = parts[1].utf8.count == 1 ? value * 10 : value
        }
        let total = units * 100 + hundredths
        guard total <= 10_000 else { return nil }
        basisPoints = total
    }

    private static func isDigits(_ text: Substring) -> Bool { text.utf8.allSatisfy { (0x30...0x39).contains($0) } }

    package var text: String {
        let (whole, rest) = basisPoints.quotientAndRemainder(dividingBy: 100)
        if rest == 0 { return "\(whole)%" }
        return rest % 10 == 0 ? "\(whole).\(rest / 10)%" : "\(whole).\(rest < 10 ? "0" : "")\(rest)%"
    }
}

extension SharePercent: SettingValue {
    package static func read(_ node: SettingNode, _ reading: inout SettingReading) -> SharePercent? {
        guard case .scalar(let scalar) = node.content, let share = SharePercent(scalar.text) else {
            reading.wrongType(
                node, wants: "a percentage of 0% to 100%, with two decimals at most", help: "write `5%` or `0.25%`")
            return nil
        }
        return share
    }
    package static var shape: SettingShape { .percent }
    package var plain: PlainValue { .text(text) }
}
