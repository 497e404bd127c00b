import WeirNode

/// Asks once more before a connector is told something, and why; works without scripts.
struct ConfirmPage: Sendable {
    let status: ConnectorStatus
    let order: ConnectorOrder

    var markup: Markup {
        let path = "/connectors/\(PathSegment.encode(status.id))"
        return Frame(title: Self.label(order), structure: "", place: .connectors, refreshes: false).markup {
            tag("section", ["class": "panel empty", "aria-labelledby": "ask"]) {
                tag("h1", ["id": "ask", "class": "inside"]) { "\(Self.label(order)): \(status.name)?" }
                tag("p") { meaning }
                if order == .reset {
                    tag("p") { "What it remembers now:" }
                    tag("pre", ["tabindex": "0", "aria-label": "State"]) { ConnectorPage.state(status) }
                }
                tag("form", ["method": "post", "action": "\(path)/\(order.rawValue)", "class": "ask"]) {
                    tag("label", ["for": "why"]) { "Why? It is kept with the time under “Who did what”." }
                    tag(
                        "input",
                        [
                            "type": "text", "id": "why", "name": "why", "autocomplete": "off",
                            "maxlength": "\(ConnectorEndpoints.whyMost)",
                        ])
                    tag("div") {
                        tag("button", ["class": "main"]) { Self.label(order) }
                        " "
                        tag("a", ["href": path]) { "Leave it as it is" }
                    }
                }
            }
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

    private var meaning: String {
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
}
