/// Problems for a terminal, as a good compiler prints them: place, what, the line, a caret, what to do, and a count at
/// the end.
///
///     weir.yaml:14:5: error: `actoin` is not a setting of `destinations.siem`
///      14 |     actoin: block
///         |     ^^^^^^
///         = did you mean `action`?
///
/// The exit code (78) is the caller's business.
package struct ProblemText: Sendable {
    /// Whether to use colours: the caller knows whether a person looks.
    package var isColoured: Bool
    /// Longer source lines are cut around the caret. Default 120.
    package var width: Int

    package init(isColoured: Bool = false, width: Int = 120) {
        self.isColoured = isColoured
        self.width = max(40, width)
    }

    /// All problems and the closing count; empty when there are none.
    package func text(_ problems: [SettingProblem]) -> String {
        if problems.isEmpty { return "" }
        return problems.map { text($0) }.joined(separator: "\n") + "\n" + count(problems) + "\n"
    }

    /// One problem, ending in a line break.
    package func text(_ problem: SettingProblem) -> String {
        let colour = problem.severity == .error ? "31" : "33"
        let place = problem.origin == .standard ? "" : style(clean(problem.origin.precise) + ":", "1") + " "
        var text =
            "\(place)\(style("\(problem.severity.rawValue):", "1;\(colour)")) \(style(clean(problem.message), "1"))\n"
        var margin = "    "
        if let place = problem.origin.place, !place.text.isEmpty, place.column <= place.text.unicodeScalars.count + 1 {
            let (line, column, length) = window(place)
            let number = String(place.line)
            margin = String(repeating: " ", count: max(2, number.count) + 2)
            let gap = String(repeating: " ", count: margin.count - 1 - number.count)
            let lead = String(repeating: " ", count: column - 1)
            let caret = String(repeating: "^", count: length)
            text += "\(style("\(gap)\(number) |", "34")) \(line)\n"
            text += "\(margin)\(style("|", "34")) \(lead)\(style(caret, "1;\(colour)"))\n"
        }
        if !problem.help.isEmpty { text += "\(margin)\(style("=", "34")) \(clean(problem.help))\n" }
        return text
    }

    /// "2 errors, 1 warning".
    package func count(_ problems: [SettingProblem]) -> String {
        func counted(_ count: Int, _ word: String) -> String? {
            count == 0 ? nil : "\(count) \(word)\(count == 1 ? "" : "s")"
        }
        let errors = problems.count { $0.severity == .error }
        return [counted(errors, "error"), counted(problems.count - errors, "warning")].compactMap { $0 }
            .joined(separator: ", ")
    }

    /// The part of the line round the caret, cleaned and masked, and where the caret stands in it.
    private func window(_ place: SettingPlace) -> (line: String, column: Int, length: Int) {
        let scalars = Array(SecretText.masked(place.text).unicodeScalars)
        let column = min(max(1, place.column), scalars.count + 1)
        var start = 0
        var end = scalars.count
        if scalars.count > width {
            start = max(0, min(column - 1 - width / 3, scalars.count - width))
            end = min(scalars.count, start + width)
        }
        var view = String.UnicodeScalarView()
        view.append(contentsOf: scalars[start..<end])
        let line = (start > 0 ? "…" : "") + clean(String(view)) + (end < scalars.count ? "…" : "")
        let shift = start > 0 ? 1 - start : 0
        let visible = max(1, min(place.length, end - column + 1))
        return (line, column + shift, visible)
    }

    /// Text from outside must not steer the terminal: control and direction characters become `·`, a tab one space.
    private func clean(_ text: String) -> String {
        var view = String.UnicodeScalarView()
        for scalar in text.unicodeScalars {
            switch scalar.value {
            case 0x09: view.append(" ")
            case 0..<0x20, 0x7F..<0xA0, 0x200E, 0x200F, 0x2028...0x202E, 0x2066...0x2069, 0xFEFF: view.append("·")
            default: view.append(scalar)
            }
        }
        return String(view)
    }

    private func style(_ text: String, _ code: String) -> String {
        isColoured ? "\u{1B}[\(code)m\(text)\u{1B}[0m" : text
    }
}
