import NIOCore
import WeirGates
import WeirNode

/// Asks once more before something is done to a connector, and why; works without scripts.
struct ConfirmPage: Sendable {
    /// What is about to be done.
    enum Question: Sendable {
        case order(ConnectorOrder)
        /// To one dead letter; to all of them with `nil`.
        case letters(LetterDeed, LetterStatus?)
    }

    let status: ConnectorStatus
    let question: Question

    var markup: Markup {
        Frame(title: question.label, structure: "", place: .connectors, refreshes: false).markup {
            tag("section", ["class": "panel empty", "aria-labelledby": "ask"]) {
                tag("h1", ["id": "ask", "class": "inside"]) { "\(question.label): \(status.name)?" }
                tag("p") { meaning }
                subject
                tag("form", ["method": "post", "action": action, "class": "ask"]) {
                    tag("label", ["for": "why"]) { "Why? It is kept with the time under “Who did what”." }
                    tag(
                        "input",
                        [
                            "type": "text", "id": "why", "name": "why", "autocomplete": "off",
                            "maxlength": "\(ConnectorEndpoints.whyMost)",
                        ])
                    tag("div") {
                        tag("button", ["class": "main"]) { question.label }
                        " "
                        tag("a", ["href": path]) { "Leave it as it is" }
                    }
                }
            }
        }
    }

    private var path: String { "/connectors/\(PathSegment.encode(status.id))" }

    private var action: String {
        switch question {
        case .order(let order): "\(path)/\(order.rawValue)"
        case .letters(let deed, let letter):
            ConnectorLettersPanel.path(of: status.id, letter?.id) + "/\(deed.rawValue)"
        }
    }

    /// What it is done to, where a person should see it once more.
    @MarkupBuilder private var subject: Markup {
        switch question {
        case .order(.reset):
            tag("p") { "What it remembers now:" }
            tag("pre", ["tabindex": "0", "aria-label": "State"]) { ConnectorPage.state(status) }
        case .letters(_, let letter?):
            tag("p") { "\(ConnectorText.at(letter.at)): \(ConnectorLettersPanel.why(letter))" }
            tag("p") { letter.isWhole ? "What is in it:" : "How it begins:" }
            tag("pre", ["tabindex": "0", "aria-label": "Content"]) { String(buffer: letter.content) }
        case .order, .letters: Markup()
        }
    }

    private var meaning: String {
        switch question {
        case .order(let order): Self.meaning(order)
        case .letters(let deed, let letter): Self.meaning(deed, letter.map { _ in 1 } ?? status.deadLetters)
        }
    }

    private static func meaning(_ order: ConnectorOrder) -> String {
        switch order {
        case .run: "It runs once, as soon as its work queue has room. Its schedule stays."
        case .terminate:
            "The run under way ends and counts as not run. What it has pushed stays; the next run comes at its time."
        case .pause: "No run starts, and what it pushes waits. Nothing is lost. It lasts until somebody resumes it."
        case .resume: "Its runs start again, and what it pushed and had to wait comes in."
        case .reset:
            "It forgets how far it was and imports from the beginning. What it has pushed stays. This cannot be undone."
        }
    }

    private static func meaning(_ deed: LetterDeed, _ count: Int) -> String {
        let what = count == 1 ? "This bundle" : "These \(Figures.count(Int64(count))) bundles"
        return switch deed {
        case .replay:
            "\(what) will be pushed into its work queue once more, through its gate. Content that is broken comes "
                + "back as a new dead letter; what helps is a repaired disk, or a newer Weir."
        case .discard: "\(what) will be deleted. This cannot be undone."
        }
    }
}

extension ConfirmPage.Question {
    var label: String {
        switch self {
        case .order(let order): Self.label(order)
        case .letters(let deed, nil): "\(Self.label(deed)) all dead letters"
        case .letters(let deed, let letter?): "\(Self.label(deed)) dead letter \(letter.id)"
        }
    }

    static func label(_ order: ConnectorOrder) -> String {
        switch order {
        case .run: "Run now"
        case .terminate: "Stop the run"
        case .pause: "Pause"
        case .resume: "Resume"
        case .reset: "Reset state"
        }
    }

    static func label(_ deed: LetterDeed) -> String {
        switch deed {
        case .replay: "Replay"
        case .discard: "Discard"
        }
    }
}
