package import WeirGates
package import WeirSettings

/// How long the same rule leaves the same identity alone: `30m`, `PT30M`, `1.00:00:00`, `env.NAME`, or `= EXPRESSION`.
package struct ThrottleSetting: Sendable {
    package var throttle: Rule.Throttle
    /// For `= EXPRESSION`, with its place.
    package var expression: ExpressionText?

    package init(_ throttle: Rule.Throttle) { self.throttle = throttle }

    /// `[d.]hh:mm[:ss]`, as .NET writes a time span.
    static func timeSpan(_ text: String) -> Duration? {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 2 || parts.count == 3 else { return nil }
        let first = parts[0].split(separator: ".", omittingEmptySubsequences: false)
        guard first.count <= 2 else { return nil }
        let numbers = (first.count == 2 ? [] : [Substring("0")]) + first + parts.dropFirst()
        var values: [Int] = []
        for number in numbers {
            guard (1...5).contains(number.utf8.count), number.utf8.allSatisfy({ (0x30...0x39).contains($0) }),
                let value = Int(number)
            else { return nil }
            values.append(value)
        }
        if values.count == 3 { values.append(0) }
        guard values[1] < 24, values[2] < 60, values[3] < 60 else { return nil }
        return .seconds(((values[0] * 24 + values[1]) * 60 + values[2]) * 60 + values[3])
    }

    private static let help =
        "write `30m`, `PT30M`, `1.00:00:00`, `env.NAME`, or `= EXPRESSION` for an expression that gives a duration"
}

extension ThrottleSetting: SettingValue {
    package static func read(_ node: SettingNode, _ reading: inout SettingReading) -> ThrottleSetting? {
        guard case .scalar(let scalar) = node.content else {
            reading.wrongType(node, wants: "a duration", help: help)
            return nil
        }
        let text = scalar.text.trimmed
        if text.hasPrefix("=") {
            let source = String(text.dropFirst()).trimmed
            guard !source.isEmpty else {
                reading.problem("nothing is written after `=`", at: node.origin, help: help)
                return nil
            }
            var setting = ThrottleSetting(.expression(source))
            setting.expression = ExpressionText(source, origin: node.origin, path: reading.path)
            return setting
        }
        if text.hasPrefix("env.") { return ThrottleSetting(.variable(String(text.dropFirst(4)))) }
        do throws(UnitTextProblem) {
            let duration = try duration(text)
            return ThrottleSetting(duration == .zero ? .none : .period(duration))
        } catch {
            reading.problem(
                "\(reading.subject) is no throttle: \(error.message)", at: node.origin, help: help)
            return nil
        }
    }

    /// A literal, in any of its forms.
    package static func duration(_ text: String) throws(UnitTextProblem) -> Duration {
        if let span = timeSpan(text) { return span }
        return try Duration(text: text)
    }

    package static var shape: SettingShape { .either([.duration, .text]) }

    package var plain: PlainValue {
        switch throttle {
        case .none: .null
        case .period(let period): .text(period.exactText)
        case .variable(let name): .text("env.\(name)")
        case .expression(let source): .text("= \(source)")
        }
    }
}

extension String {
    var trimmed: String {
        var text = Substring(self)
        while let first = text.first, first.isWhitespace { text.removeFirst() }
        while let last = text.last, last.isWhitespace { text.removeLast() }
        return String(text)
    }
}
