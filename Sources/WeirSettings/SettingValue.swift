package import WeirGates

/// A type that a field can hold: it reads itself from a node, tells its shape, and writes itself back.
package protocol SettingValue: Sendable {
    /// Reads the value, or notes in `reading` why that is not possible and returns `nil`.
    static func read(_ node: SettingNode, _ reading: inout SettingReading) -> Self?
    static var shape: SettingShape { get }
    /// The value as JSON would have it. A secret gives `***`.
    var plain: PlainValue { get }
}

extension Bool: SettingValue {
    /// Only `true` and `false`: what `on`, `yes` or `1` mean differs between YAML 1.1, YAML 1.2 and people.
    package static func read(_ node: SettingNode, _ reading: inout SettingReading) -> Bool? {
        guard case .scalar(let scalar) = node.content, !scalar.isQuoted || ["true", "false"].contains(scalar.text)
        else {
            reading.wrongType(node, wants: "`true` or `false`", help: "write `true` or `false`")
            return nil
        }
        if scalar.isQuoted {
            reading.wrongType(
                node, wants: "`true` or `false`", help: "take the quotes off: `\(scalar.text)`")
            return nil
        }
        switch scalar.text {
        case "true", "True", "TRUE": return true
        case "false", "False", "FALSE": return false
        default:
            let help =
                switch scalar.text.lowercased() {
                case "yes", "on", "y", "1", "enabled": "write `true`"
                case "no", "off", "n", "0", "disabled": "write `false`"
                default: "write `true` or `false`"
                }
            reading.wrongType(node, wants: "`true` or `false`", help: help)
            return nil
        }
    }
    package static var shape: SettingShape { .truth }
    package var plain: PlainValue { .truth(self) }
}

extension Int: SettingValue {
    package static func read(_ node: SettingNode, _ reading: inout SettingReading) -> Int? {
        guard case .scalar(let scalar) = node.content else {
            reading.wrongType(node, wants: "a whole number", help: "write a whole number such as `5`")
            return nil
        }
        let digits = scalar.text.hasPrefix("-") ? scalar.text.dropFirst() : scalar.text[...]
        let isDecimal = !digits.isEmpty && digits.utf8.allSatisfy { (0x30...0x39).contains($0) }
        if isDecimal && scalar.isQuoted {
            reading.wrongType(node, wants: "a whole number", help: "take the quotes off: `\(scalar.text.clipped)`")
            return nil
        }
        if isDecimal && digits.count > 1 && digits.first == "0" {
            let plain = digits.drop { $0 == "0" }
            reading.wrongType(
                node, wants: "a whole number without leading zeros",
                help:
                    "write `\(plain.isEmpty ? "0" : String(plain).clipped)`; some readers take a leading zero for octal"
            )
            return nil
        }
        guard isDecimal, let value = Int(scalar.text) else {
            reading.wrongType(
                node, wants: isDecimal ? "a whole number of at most 63 bits" : "a whole number",
                help: "write a whole number such as `5`")
            return nil
        }
        return value
    }
    package static var shape: SettingShape { .wholeNumber }
    package var plain: PlainValue { .whole(self) }
}

extension Double: SettingValue {
    package static func read(_ node: SettingNode, _ reading: inout SettingReading) -> Double? {
        guard case .scalar(let scalar) = node.content, !scalar.isQuoted, let first = scalar.text.utf8.first,
            (0x30...0x39).contains(first) || first == 0x2D || first == 0x2E,
            scalar.text.utf8.allSatisfy({ (0x30...0x39).contains($0) || "+-.eE".utf8.contains($0) }),
            let value = Double(scalar.text), value.isFinite
        else {
            reading.wrongType(node, wants: "a number", help: "write a number such as `0.5`")
            return nil
        }
        return value
    }
    package static var shape: SettingShape { .number }
    package var plain: PlainValue { .number(self) }
}

extension String: SettingValue {
    /// Any scalar is text, also `no`, `1.10` and `0123`, exactly as written.
    package static func read(_ node: SettingNode, _ reading: inout SettingReading) -> String? {
        guard case .scalar(let scalar) = node.content else {
            reading.wrongType(node, wants: "text", help: "write text, in quotes when it holds `: ` or ` #`")
            return nil
        }
        // A NUL would end the text early wherever it reaches C: a path could then name another file.
        guard !scalar.text.utf8.contains(0) else {
            reading.problem("\(reading.subject) holds a NUL character", at: node.origin, help: "take it out")
            return nil
        }
        return scalar.text
    }
    package static var shape: SettingShape { .text }
    package var plain: PlainValue { .text(self) }
}

/// Types that are written as one word: a size, a duration, a percentage.
protocol UnitValue: SettingValue {
    init(text: String) throws(UnitTextProblem)
    static var wanted: String { get }
    static var sample: String { get }
}

extension UnitValue {
    package static func read(_ node: SettingNode, _ reading: inout SettingReading) -> Self? {
        guard case .scalar(let scalar) = node.content else {
            reading.wrongType(node, wants: wanted, help: "write \(wanted) such as `\(sample)`")
            return nil
        }
        do throws(UnitTextProblem) {
            return try Self(text: scalar.text)
        } catch {
            reading.problem("\(reading.subject) must be \(wanted): \(error.message)", at: node.origin, help: error.help)
            return nil
        }
    }
}

extension ByteCount: SettingValue, UnitValue {
    static var wanted: String { "a size" }
    static var sample: String { "8MB" }
    package static var shape: SettingShape { .size }
    package var plain: PlainValue { .text(exactText) }
}

extension ByteRate: SettingValue, UnitValue {
    static var wanted: String { "a size per second" }
    static var sample: String { "10MB/s" }
    package static var shape: SettingShape { .rate }
    package var plain: PlainValue { .text(description) }
}

extension Duration: SettingValue, UnitValue {
    static var wanted: String { "a duration" }
    static var sample: String { "30s" }
    package static var shape: SettingShape { .duration }
    package var plain: PlainValue { .text(exactText) }
}
