import WeirIdentity
import WeirWorld

/// What waits for a decision: grouped by run and rule, then the actions of the group that was chosen, VIPs on top. A
/// page at a time, so that a hundred thousand are as quick as ten.
struct ReviewsPage: Sendable {
    static let rowsMost = 200

    let holds: [HoldView]
    let rule: String?
    let run: String?
    let rows: [ActionView]
    let total: Int
    let next: String?
    let isFirst: Bool
    let at: WallTime

    var markup: Markup {
        Frame(title: "Reviews", structure: "", place: .reviews, live: "/live", refreshes: false).markup {
            tag("h1") { "Reviews" }
            if holds.isEmpty {
                tag("section", ["class": "panel empty", "aria-labelledby": "empty"]) {
                    tag("h2", ["id": "empty"]) { "Nothing waits for a decision" }
                    tag("p") { "What a catch holds stands here until somebody decides or its time is over." }
                }
            } else {
                tag("p") { "What is approved does not run at once: it runs in the next sync that is committed." }
                for hold in holds where isChosen(hold) { card(hold) }
                tag("h2") {
                    "\(Figures.count(Int64(total))) actions" + (rule.map { " of \($0)" } ?? "")
                }
                if rule != nil || run != nil {
                    tag("p") { tag("a", ["href": "/reviews"]) { "Show all" } }
                }
                ActionTable(actions: rows).markup
                Panel.pager(path, next: next, isFirst: isFirst)
            }
        }
    }

    private func isChosen(_ hold: HoldView) -> Bool {
        (rule == nil || hold.rule == rule) && (run == nil || hold.sync == run)
    }

    private var path: String {
        let parts = [rule.map { "rule=\(PathSegment.encode($0))" }, run.map { "run=\(PathSegment.encode($0))" }]
            .compactMap(\.self)
        return parts.isEmpty ? "/reviews" : "/reviews?" + parts.joined(separator: "&")
    }

    private func card(_ hold: HoldView) -> Markup {
        let subject = ApprovalSubject.hold(run: hold.sync, rule: hold.rule)
        return tag("section", ["class": "panel", "aria-label": "\(hold.rule), run \(hold.sync)"]) {
            tag("h2") {
                tag(
                    "a", ["href": "/reviews?rule=\(PathSegment.encode(hold.rule))&run=\(PathSegment.encode(hold.sync))"]
                ) {
                    hold.rule
                }
                " of run \(hold.sync): \(Figures.count(Int64(hold.suspended))) wait"
                if hold.vip > 0 {
                    " "
                    tag("span", ["class": "st susp"]) { "\(hold.vip) VIP" }
                }
            }
            tag("p") {
                HoldNotice.why(hold) + " Undecided in "
                    + Figures.duration(Double((hold.expires - at).nanoseconds) / 1e9)
                    + (hold.onExpiry == .clear ? " they are cleared." : " they count as approved.")
            }
            tag("p") {
                tag("a", ["href": ApprovalLink.path(.approve, subject)]) { "Approve all…" }
                " "
                tag("a", ["href": ApprovalLink.path(.reject, subject)]) { "Reject all…" }
            }
        }
    }
}

/// Syncs and decisions as they were.
struct HistoryPage: Sendable {
    let syncs: Page<SyncView>
    let audit: Page<DecisionView>

    var markup: Markup {
        Frame(title: "History", structure: "", place: .history, live: "/live", refreshes: false).markup {
            tag("h1") { "History" }
            RunTable(syncs: syncs.items, title: "Runs").markup
            Panel.pager("/history", next: syncs.next, isFirst: false)
            Panel.table(
                "Decisions", ["When", "Who", "What", "From → to", "Why"],
                audit.items.map { line in
                    Panel.Row(
                        head: "\(line.at)",
                        cells: [
                            "\(line.person.name) (\(line.person.kind.rawValue))", "\(line.verb) \(line.which)",
                            "\(line.from) → \(line.to)", line.reason,
                        ])
                }, empty: "Nobody has decided anything yet.")
        }
    }
}

/// One sync: each rule with its verdict, each trigger with its reason.
struct SyncPage: Sendable {
    let view: SyncView
    let rule: String?
    let triggers: Page<TriggerView>

    var markup: Markup {
        Frame(title: "Run \(view.id)", structure: "", place: .history, live: "/live", refreshes: false).markup {
            tag("p", ["class": "crumbs"]) { tag("a", ["href": "/history"]) { "History" } }
            tag("h1") { "Run \(view.id): \(view.request.kind.rawValue) \(view.request.mode.rawValue)" }
            if let failure = view.failure { tag("div", ["class": "warning"]) { failure } }
            Panel.table(
                "Rules", ["Rule", "Triggered", "Came of it", "Passes by itself", "Catch"],
                view.rules.map { count in
                    Panel.Row(
                        head: count.rule,
                        link: "/history/\(PathSegment.encode(view.id))?rule=\(PathSegment.encode(count.rule))",
                        cells: [
                            "\(count.triggered)",
                            TriggerOutcome.allCases.compactMap { outcome in
                                count.outcomes[outcome].flatMap { $0 > 0 ? "\($0) \(outcome.rawValue)" : nil }
                            }.joined(separator: ", "),
                            count.limit.map { "up to and including \($0) of \(count.base)" } ?? "any number",
                            count.isHeld ? "tripped: all of them wait" : "",
                        ], isBad: count.isHeld)
                })
            if !view.problems.isEmpty {
                Panel.table(
                    "Problems", ["Code", "Rule", "Identity", "What"],
                    view.problems.prefix(200).map {
                        Panel.Row(head: $0.code, cells: [$0.rule ?? "", $0.identity ?? "", $0.text], isBad: true)
                    })
            }
            tag("section", ["class": "panel", "aria-label": "Triggers", "tabindex": "0"]) {
                tag("h2") { "\(triggers.total) triggers" + (rule.map { " of \($0)" } ?? "") }
                tag("table", ["role": "table", "class": "stack"]) {
                    tag("tbody", ["role": "rowgroup"]) { for trigger in triggers.items { row(trigger) } }
                }
            }
            Panel.pager(
                "/history/\(PathSegment.encode(view.id))" + (rule.map { "?rule=\(PathSegment.encode($0))" } ?? ""),
                next: triggers.next, isFirst: false)
        }
    }

    private func row(_ trigger: TriggerView) -> Markup {
        tag("tr", ["role": "row"]) {
            tag("th", ["scope": "row", "role": "rowheader"]) {
                tag("a", ["href": "/identity/\(PathSegment.encode(trigger.identity))"]) { trigger.label }
                if trigger.isVIP { tag("span", ["class": "st susp"]) { "VIP" } }
            }
            tag("td", ["class": "text", "role": "cell"]) { ChangeCell.markup(trigger.changes) }
            tag("td", ["class": "note", "role": "cell"]) {
                "\(trigger.outcome.rawValue): \(trigger.reason.text)\(trigger.text.isEmpty ? "" : ". \(trigger.text)")"
            }
        }
    }
}

/// One identity: its objects, every rule's verdict, and what was done.
struct PersonPage: Sendable {
    let view: IdentityView

    var markup: Markup {
        Frame(title: view.summary.label, structure: "", place: .identity, live: "/live", refreshes: false).markup {
            tag("p", ["class": "crumbs"]) { tag("a", ["href": "/identity"]) { "Identity" } }
            tag("h1") {
                view.summary.label
                if view.summary.isVIP {
                    " "
                    tag("span", ["class": "st susp"]) { "VIP" }
                }
            }
            if let dispute = view.dispute { tag("div", ["class": "warning"]) { dispute } }
            for object in view.objects {
                Panel.table(
                    "\(object.kind): \(object.name)", ["Attribute", "Value"],
                    object.attributes.sorted { $0.key < $1.key }.map {
                        Panel.Row(head: $0.key, cells: [$0.value.prefix(50).joined(separator: ", ")])
                    })
            }
            Panel.table(
                "Rules", ["Rule", "Verdict now", "Change"],
                view.verdicts.map {
                    Panel.Row(
                        head: $0.rule, link: "/reviews?rule=\($0.rule)",
                        cells: [$0.text, $0.trigger.map { ChangeText($0.changes).text } ?? ""])
                })
            if !view.history.isEmpty { ActionTable(actions: view.history).markup }
        }
    }
}
