import WeirGates
import WeirNode
import WeirWorld

/// One connector: schedule, capacity, state, works, and what a person can do.
struct ConnectorPage: Sendable {
    let status: ConnectorStatus
    let works: [WorkStatus]
    let audit: [ConnectorAudit]
    let seen: Snapshot

    var markup: Markup {
        let face = ConnectorFace(status, at: seen.at)
        return Frame(title: status.name, structure: seen.structure, place: .connectors).markup {
            tag("div", ["class": "head"]) {
                tag("h1") { status.name }
                face.chip
                tag("span", ["class": "m"]) { status.id }
                tag("span", ["class": "space"])
                for order in orders { link(order) }
            }
            tag(
                "p", ["class": "\(Self.warningClass(status)) warning", "role": "status", "id": "cwarning:\(status.id)"]
            ) {
                ConnectorText.warning(status) ?? ""
            }
            // What the warning above says already is not said twice.
            for trouble in status.troubles where trouble.code != "queue_threshold" {
                tag("p", ["class": "warning"]) { trouble.sentence }
            }
            tag("section", ["class": "panel", "aria-labelledby": "schedule"]) {
                tag("h2", ["id": "schedule"]) { "Schedule and capacity" }
                facts(face)
            }
            tag("section", ["class": "panel", "aria-labelledby": "state"]) {
                tag("h2", ["id": "state"]) { "State" }
                tag("pre", ["id": "cstate:\(status.id)"]) { Self.state(status) }
            }
            tag("section", ["class": "panel", "aria-labelledby": "works"]) {
                tag("h2", ["id": "works"]) { "Works, the newest first" }
                if works.isEmpty {
                    tag("p") { "None yet: each run will be listed here with what it must still deliver." }
                } else {
                    worksTable
                }
            }
            if !audit.isEmpty {
                tag("section", ["class": "panel", "aria-labelledby": "audit"]) {
                    tag("h2", ["id": "audit"]) { "Who did what" }
                    auditTable
                }
            }
        }
    }

    static func warningClass(_ status: ConnectorStatus) -> String { status.isFull ? "shown" : "gone" }

    static func state(_ status: ConnectorStatus) -> String { status.state ?? "none" }

    private var orders: [ConnectorOrder] {
        let run: [ConnectorOrder] = status.isRunning ? [.terminate] : status.canRunNow ? [.run] : []
        return run + [status.isPaused ? .resume : .pause, .reset]
    }

    /// Leads to the page that asks.
    private func link(_ order: ConnectorOrder) -> Markup {
        tag(
            "form",
            ["method": "get", "action": "/connectors/\(PathSegment.encode(status.id))/\(order.rawValue)"]
        ) {
            tag("button") { ConfirmPage.label(order) }
        }
    }

    private func facts(_ face: ConnectorFace) -> Markup {
        tag("table", ["class": "facts"]) {
            for cell in face.cells {
                tag("tr") {
                    tag("th", ["scope": "row"]) { cell.label }
                    tag("td", ["class": "text"]) {
                        tag("span", ["class": cell.tone, "id": "\(cell.key):\(status.id)"]) { cell.text }
                    }
                }
            }
            for (name, value) in more {
                tag("tr") {
                    tag("th", ["scope": "row"]) { name }
                    tag("td", ["class": "text"]) { value }
                }
            }
        }
    }

    private var more: [(String, String)] {
        [
            ("Pushes wait at", ConnectorText.megabytes(status.hardLimit)),
            ("Comes by", status.origin == "opencti" ? "a process of its own (OpenCTI)" : status.origin),
            ("Type", status.type), ("Registered", ConnectorText.at(status.registeredAt)),
            ("Runs that failed in a row", "\(status.failures)"),
        ]
    }

    private var worksTable: Markup {
        tag("table", ["role": "table", "class": "stack"]) {
            tag("thead", ["role": "rowgroup"]) {
                tag("tr", ["role": "row"]) {
                    for name in ["Work", "Status", "Progress", "Delivered", "Messages and errors"] {
                        tag("th", ["scope": "col", "role": "columnheader"]) { name }
                    }
                }
            }
            tag("tbody", ["role": "rowgroup"]) { for work in works { row(work) } }
        }
    }

    private func row(_ work: WorkStatus) -> Markup {
        tag("tr", ["role": "row"]) {
            tag("th", ["scope": "row", "role": "rowheader"]) {
                work.name
                tag("span", ["class": "m trouble"]) { "from \(ConnectorText.at(work.startedAt))" }
            }
            tag("td", ["role": "cell", "id": "wstatus:\(work.id)"]) { work.status }
            tag("td", ["role": "cell"]) {
                tag(
                    "svg",
                    ["class": "work", "viewBox": "0 0 292 7", "width": "120", "height": "7", "aria-hidden": "true"]
                ) {
                    tag("rect", ["class": "track", "width": "292", "height": "7"])
                    tag(
                        "rect",
                        ["class": Self.tone(work), "width": Self.width(work), "height": "7", "id": "wbar:\(work.id)"])
                }
            }
            tag("td", ["role": "cell", "id": "wtext:\(work.id)"]) { ConnectorText.progress(work) }
            tag("td", ["role": "cell", "class": "why"]) {
                (work.errors.suffix(3) + work.messages.suffix(3)).map(\.text).joined(separator: " · ")
            }
        }
    }

    static func tone(_ work: WorkStatus) -> String { work.isInError || work.failed > 0 ? "b-hold" : "b-open" }

    static func width(_ work: WorkStatus) -> String {
        guard work.total > 0 else { return work.status == "complete" ? "292" : "0" }
        return Figures.rounded(292 * min(1, Double(work.delivered + work.failed) / Double(work.total)), 1)
    }

    private var auditTable: Markup {
        tag("table", ["role": "table"]) {
            tag("thead", ["role": "rowgroup"]) {
                tag("tr", ["role": "row"]) {
                    for name in ["At", "Who", "What"] { tag("th", ["scope": "col", "role": "columnheader"]) { name } }
                }
            }
            tag("tbody", ["role": "rowgroup"]) {
                for entry in audit {
                    tag("tr", ["role": "row"]) {
                        tag("th", ["scope": "row", "role": "rowheader"]) { ConnectorText.at(entry.at) }
                        tag("td", ["role": "cell"]) { entry.who }
                        tag("td", ["role": "cell"]) { entry.action }
                    }
                }
            }
        }
    }
}

/// Asks once more before a connector is told something; works without scripts.
struct ConfirmPage: Sendable {
    let status: ConnectorStatus
    let order: ConnectorOrder

    var markup: Markup {
        let path = "/connectors/\(PathSegment.encode(status.id))"
        return Frame(title: Self.label(order), structure: "", place: .connectors, refreshes: false).markup {
            tag("section", ["class": "panel empty", "aria-labelledby": "ask"]) {
                tag("h1", ["id": "ask", "class": "inside"]) { "\(Self.label(order)): \(status.name)?" }
                tag("p") { meaning }
                if order == .reset { tag("pre") { ConnectorPage.state(status) } }
                tag("form", ["method": "post", "action": "\(path)/\(order.rawValue)", "class": "inside"]) {
                    tag("button", ["class": "main"]) { Self.label(order) }
                    " "
                    tag("a", ["href": path]) { "Leave it as it is" }
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
