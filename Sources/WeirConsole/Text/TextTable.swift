/// A table for a terminal: columns as wide as their widest cell, two spaces between, the last one cut where the line
/// ends.
package struct TextTable: Sendable {
    package struct Cell: Sendable, ExpressibleByStringLiteral {
        package var text: String
        package var ink: Ink

        package init(_ text: String, _ ink: Ink = .plain) {
            self.text = Printable.line(text)
            self.ink = ink
        }
        package init(stringLiteral text: String) { self.init(text) }
    }

    private let header: [String]
    private var rows: [[Cell]] = []

    package init(_ header: [String]) { self.header = header }

    /// Cells beyond the header's number are left out, missing ones are empty.
    package mutating func add(_ cells: [Cell]) {
        rows.append(header.indices.map { $0 < cells.count ? cells[$0] : Cell("") })
    }

    package var isEmpty: Bool { rows.isEmpty }

    /// - Parameters:
    ///   - width: of the terminal, in columns; `nil` cuts nothing (a pipe gets all).
    ///   - hasColours: false writes no escape sequence at all.
    package func lines(width: Int?, hasColours: Bool) -> [String] {
        let all = [header.map { Cell($0.uppercased(), .dim) }] + rows
        let widths = header.indices.map { column in all.map { Display.width($0[column].text) }.max() ?? 0 }
        return all.map { cells in
            var line = ""
            var used = 0
            for (column, cell) in cells.enumerated() {
                // A line never wraps: what stands beyond the edge is cut.
                let room = width.map { $0 - used } ?? .max
                guard room > 0 else { break }
                let text = Display.cut(cell.text, to: room)
                line += hasColours ? cell.ink.wrap(text) : text
                guard column < cells.count - 1 else { break }
                let padding = min(widths[column] - Display.width(text) + 2, room - Display.width(text))
                line += String(repeating: " ", count: padding)
                used += widths[column] + 2
            }
            while line.hasSuffix(" ") { line.removeLast() }
            return line
        }
    }
}

/// Colours of a terminal, by meaning. The word always stands beside the colour.
package enum Ink: Sendable {
    case plain, dim, bold, good, warning, bad, busy, person

    package func wrap(_ text: String) -> String {
        let code: String
        switch self {
        case .plain: return text
        case .dim: code = "2"
        case .bold: code = "1"
        case .good: code = "32"
        case .warning: code = "33"
        case .bad: code = "31"
        case .busy: code = "34"
        case .person: code = "35"
        }
        return text.isEmpty ? text : "\u{1B}[\(code)m\(text)\u{1B}[0m"
    }

    /// The colour of a gate's state, by its word.
    package static func state(_ word: String) -> Ink {
        switch word {
        case "open", "reading": .good
        case "filling", "held": .warning
        case "blocking", "dropping", "buffering", "unknown", "failed": .bad
        case "queueing": .busy
        case "suspended", "paused": .person
        default: .plain
        }
    }
}

/// How many columns of a terminal a text takes.
package enum Display {
    package static func width(_ text: String) -> Int { text.reduce(0) { $0 + width($1) } }

    private static func width(_ character: Character) -> Int {
        guard let scalar = character.unicodeScalars.first else { return 0 }
        switch scalar.properties.generalCategory {
        case .nonspacingMark, .enclosingMark, .format: return 0
        default: break
        }
        // East Asian Wide and Fullwidth blocks, and emoji; near enough for a table.
        switch scalar.value {
        case 0x1100...0x115F, 0x2E80...0x303E, 0x3041...0xA4CF, 0xAC00...0xD7A3, 0xF900...0xFAFF, 0xFE30...0xFE6F,
            0xFF00...0xFF60, 0xFFE0...0xFFE6, 0x1F300...0x1FAFF, 0x20000...0x3FFFD:
            return 2
        default: return 1
        }
    }

    /// The text, or its beginning and an ellipsis.
    package static func cut(_ text: String, to most: Int) -> String {
        guard width(text) > most else { return text }
        var result = ""
        var used = 0
        for character in text {
            let next = width(character)
            guard used + next <= most - 1 else { break }
            result.append(character)
            used += next
        }
        return result + "…"
    }
}
