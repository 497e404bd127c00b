import WeirIdentity
import WeirWorld

/// What a link leads to: what would change, why it waits, who is asked, and the form. Works without scripts, and has no
/// way to other pages: it is also seen by people who may see nothing else.
struct ApprovalView: Sendable {
    let page: ApprovalPage
    var result: DecisionResult?
    var remark: String?

    var markup: Markup {
        Self.frame(title) {
            tag("section", ["class": "panel empty", "aria-labelledby": "ask"]) {
                tag("h1", ["id": "ask", "class": "inside"]) { title }
                if let remark { tag("p", ["class": "full", "role": "alert"]) { remark } }
                if let result {
                    tag("p", ["role": "status"]) { outcome(result) }
                } else {
                    standing
                    if page.waiting > 0 { facts }
                    if page.verb == nil, page.waiting > 0 { choices }
                    if page.form != nil { form }
                    if page.asksToSignIn { signIn }
                }
            }
            if !page.actions.isEmpty { ActionTable(actions: page.actions, links: false).markup }
            if page.waiting > page.actions.count {
                tag("p") { "\(page.actions.count) of \(page.waiting) are listed; the file in the mail has all." }
            }
        }
    }

    private var title: String {
        let what =
            switch page.subject {
            case .action: page.actions.first.map { "\($0.label): \($0.rule)" } ?? "this action"
            case .hold(_, let rule): "\(Figures.count(Int64(page.waiting))) actions of \(rule)"
            }
        if result != nil { return "Decided" }
        if page.waiting == 0 { return "Nothing to decide any more" }
        return switch page.verb {
        case .approve?: "Approve \(what)?"
        case .reject?: "Reject \(what)?"
        case nil: "Approve or reject \(what)?"
        }
    }

    private func outcome(_ result: DecisionResult) -> String {
        var text = result.text.isEmpty ? "\(result.changed) actions decided." : result.text
        if result.waitsForSecond { text += " One more person must approve." }
        if page.verb == .approve, !result.waitsForSecond {
            text += " Approved actions run in the next sync that is committed, if the change is still the same."
        }
        return text
    }

    /// What became of it where there is nothing to decide.
    @MarkupBuilder private var standing: Markup {
        if page.waiting == 0 {
            for action in page.actions.prefix(1) {
                tag("p") { ActionTable.standing(action) }
            }
        }
        if page.hasChanged, page.waiting > 0 {
            tag("p", ["class": "full"]) { "This has changed since the mail was sent. Below is how it is now." }
        }
    }

    private var facts: Markup {
        tag("table", ["class": "facts"]) {
            tag("tbody") {
                if let hold = page.hold {
                    fact("Why", HoldNotice.why(hold))
                    fact("VIPs", hold.vip == 0 ? "none" : "\(hold.vip)")
                    fact("Run", hold.sync)
                } else if let action = page.actions.first {
                    fact("Why", action.reason.text)
                    fact("Run", action.sync)
                }
                if let expires = page.hold?.expires ?? page.actions.first?.expires {
                    fact(
                        "Undecided",
                        "in \(Figures.duration(Double((expires - page.at).nanoseconds) / 1e9)) "
                            + (page.rule?.review.onExpiry == .approve ? "they count as approved" : "they are cleared")
                            + " (\(expires))")
                }
                if let recipient = page.recipient { fact("You decide as", recipient) }
                fact("Then", "what is approved runs in the next sync that is committed, if the change is the same")
            }
        }
    }

    private func fact(_ name: String, _ value: String) -> Markup {
        tag("tr") {
            tag("th", ["scope": "row"]) { name }
            tag("td", ["class": "text"]) { value }
        }
    }

    private var choices: Markup {
        tag("p") {
            for verb in ApprovalVerb.allCases {
                tag("a", ["href": ApprovalLink.path(verb, page.subject)]) {
                    verb == .approve ? "Approve all" : "Reject all"
                }
                " "
            }
        }
    }

    private var form: Markup {
        tag(
            "form",
            ["method": "post", "action": page.verb.map { ApprovalLink.path($0, page.subject) } ?? "", "class": "ask"]
        ) {
            tag("input", ["type": "hidden", "name": "form", "value": page.form ?? ""])
            tag("label", ["for": "why"]) { "Why? It is kept with your decision." }
            tag("input", ["type": "text", "id": "why", "name": "why", "autocomplete": "off", "maxlength": "500"])
            if page.verb == .approve, page.waiting > 1 {
                tag("label", ["for": "count"]) { "Type the number of actions: \(page.waiting)" }
                tag(
                    "input",
                    ["type": "text", "id": "count", "name": "count", "inputmode": "numeric", "autocomplete": "off"])
            }
            if page.verb == .reject {
                tag("label", ["for": "mute"]) {
                    tag("input", ["type": "checkbox", "id": "mute", "name": "mute", "checked": "checked"])
                    " Do not ask again until the change is another one. Without this, the same actions may trigger "
                    "again, and run where they are few."
                }
            }
            tag("div") {
                tag("button", ["class": "main"]) {
                    (page.verb == .approve ? "Approve" : "Reject")
                        + (page.waiting > 1 ? " all \(Figures.count(Int64(page.waiting)))" : "")
                }
            }
        }
    }

    private var signIn: Markup {
        tag("p", ["class": "full"]) {
            "This link only shows. The rule asks for a sign-in: decide at the console on Weir's own machine, or there "
                + "with `weir \(page.verb?.rawValue ?? "approve")`."
        }
    }

    static func note(_ title: String, _ text: String) -> Markup {
        frame(title) {
            tag("section", ["class": "panel empty", "aria-labelledby": "note"]) {
                tag("h1", ["id": "note", "class": "inside"]) { title }
                tag("p") { text }
            }
        }
    }

    private static func frame(_ title: String, @MarkupBuilder _ content: () -> Markup) -> Markup {
        tag("html", ["lang": "en"]) {
            tag("head") {
                tag("meta", ["charset": "utf-8"])
                tag("meta", ["name": "viewport", "content": "width=device-width,initial-scale=1"])
                tag("title") { "\(title) · Weir" }
                tag("link", ["rel": "stylesheet", "href": "/console.css"])
                tag("link", ["rel": "icon", "href": "/icon.svg", "type": "image/svg+xml"])
            }
            tag("body") {
                tag("header") {
                    tag("span", ["class": "brand"]) {
                        Icon.weir
                        "Weir"
                    }
                }
                tag("main", ["id": "main"], content)
            }
        }
    }
}

/// Actions as rows: who, before → after, why, and what became of them.
struct ActionTable: Sendable {
    let actions: [ActionView]
    /// With links that ask and decide.
    var links = true

    var markup: Markup {
        tag("section", ["class": "panel", "aria-label": "Actions", "tabindex": "0"]) {
            tag("table", ["role": "table", "class": "stack"]) {
                tag("thead", ["role": "rowgroup"]) {
                    tag("tr", ["role": "row"]) {
                        for name in ["Who", "What would change", "Why it waits", "State"] {
                            tag("th", ["scope": "col", "role": "columnheader"]) { name }
                        }
                    }
                }
                tag("tbody", ["role": "rowgroup"]) { for action in actions { row(action) } }
            }
        }
    }

    private func row(_ action: ActionView) -> Markup {
        tag("tr", ["role": "row"]) {
            tag("th", ["scope": "row", "role": "rowheader"]) {
                if action.isVIP {
                    tag("span", ["class": "st susp"]) { "VIP" }
                    " "
                }
                if links {
                    tag("a", ["href": "/identity/\(PathSegment.encode(action.identity))"]) { action.label }
                } else {
                    action.label
                }
            }
            tag("td", ["class": "text", "role": "cell", "data-label": "Change"]) { ChangeCell.markup(action.changes) }
            tag("td", ["class": "note", "role": "cell", "data-label": "Why"]) { action.reason.text }
            tag("td", ["class": "note", "role": "cell", "data-label": "State"]) {
                if links, action.state == .suspended {
                    for verb in ApprovalVerb.allCases {
                        tag("a", ["href": ApprovalLink.path(verb, .action(action.id))]) {
                            verb == .approve ? "Approve" : "Reject"
                        }
                        " "
                    }
                } else {
                    Self.standing(action)
                }
            }
        }
    }

    /// `approved by anna@example.org at …: fits HR-118`.
    static func standing(_ action: ActionView) -> String {
        var text = action.state.rawValue
        if let person = action.decidedBy { text += " by \(person.name)" }
        if let at = action.decidedAt { text += " at \(at)" }
        if let decision = action.decision, !decision.isEmpty { text += ": \(decision)" }
        if !action.text.isEmpty { text += ". \(action.text)" }
        return text
    }
}

/// A change, line by line.
enum ChangeCell {
    @MarkupBuilder static func markup(_ changes: [Change]) -> Markup {
        for (place, line) in ChangeText(changes).lines.enumerated() {
            if place > 0 { tag("br") }
            tag("code") { line.what }
            " \(line.before) "
            "→"
            " \(line.after)"
        }
    }
}
