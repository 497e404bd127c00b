import WeirGates
import WeirNode
import WeirWorld

/// The bundles of a connector that could not be unpacked: why, and what can be done with each.
struct ConnectorLettersPanel: Sendable {
    /// Letters that are shown; the command lists all.
    static let shown = 20
    /// A reason of more characters than that is shown by the command.
    private static let whyMost = 300

    let status: ConnectorStatus
    /// The oldest of them, `shown` at the most; `nil` when they cannot be read.
    let letters: [LetterStatus]?

    var markup: Markup {
        tag("section", ["class": "panel", "aria-labelledby": "letters"]) {
            tag("h2", ["id": "letters"]) { "Dead letters" }
            tag("p") {
                "\(Figures.count(Int64(status.deadLetters))) of its bundles could not be unpacked. They wait here: "
                    + "push them once more when the cause is mended, or delete them."
            }
            tag("div", ["class": "acts"]) {
                for deed in LetterDeed.allCases { link(deed, nil, "\(ConfirmPage.Question.label(deed)) all") }
            }
            if let letters {
                table(letters)
            } else {
                tag("p") { "They cannot be read just now; the log of the node says why." }
            }
            tag("p") {
                letters.map { $0.count < status.deadLetters ? "These are the oldest. " : "" } ?? ""
                "All of them, and what is in them: "
                tag("code") { "weir connector dead-letters ls \(status.id)" }
            }
        }
    }

    private func table(_ letters: [LetterStatus]) -> Markup {
        tag("table", ["role": "table", "class": "stack"]) {
            tag("thead", ["role": "rowgroup"]) {
                tag("tr", ["role": "row"]) {
                    for name in ["Letter", "At", "Size", "Why"] {
                        tag("th", ["scope": "col", "role": "columnheader"]) { name }
                    }
                    tag("th", ["scope": "col", "role": "columnheader"]) {
                        tag("span", ["class": "unseen"]) { "Action" }
                    }
                }
            }
            tag("tbody", ["role": "rowgroup"]) { for letter in letters { row(letter) } }
        }
    }

    private func row(_ letter: LetterStatus) -> Markup {
        tag("tr", ["role": "row"]) {
            tag("th", ["scope": "row", "role": "rowheader"]) { "\(letter.id)" }
            tag("td", ["role": "cell", "data-label": "At"]) { ConnectorText.at(letter.at) }
            tag("td", ["role": "cell", "data-label": "Size"]) { Self.size(letter) }
            tag("td", ["role": "cell", "class": "why"]) { Self.why(letter) }
            tag("td", ["role": "cell", "class": "act"]) {
                for deed in LetterDeed.allCases where deed == .discard || letter.canReplay {
                    link(deed, letter.id, ConfirmPage.Question.label(deed))
                }
            }
        }
    }

    static func size(_ letter: LetterStatus) -> String { letter.bytes.map(Figures.bytes) ?? "in a file" }

    static func why(_ letter: LetterStatus) -> String {
        let tries = letter.attempts > 1 ? " Tried \(letter.attempts) times." : ""
        let part = letter.canReplay ? "" : " Only a part of it is left."
        return String(letter.reason.sentence.prefix(whyMost)) + tries + part
    }

    /// Leads to the page that asks.
    private func link(_ deed: LetterDeed, _ letter: UInt64?, _ label: String) -> Markup {
        tag(
            "form",
            ["method": "get", "class": "choice", "action": Self.path(of: status.id, letter) + "/\(deed.rawValue)"]
        ) {
            tag("button", letter.map { ["aria-label": "\(label) \($0)"] } ?? [:]) { label }
        }
    }

    static func path(of id: String, _ letter: UInt64?) -> String {
        "/connectors/\(PathSegment.encode(id))/dead-letters" + (letter.map { "/\($0)" } ?? "")
    }
}
