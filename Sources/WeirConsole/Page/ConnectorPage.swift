import WeirGates
import WeirNode
import WeirWorld

/// One connector: schedule, capacity, state, works, and what a person can do.
struct ConnectorPage: Sendable {
    let status: ConnectorStatus
    let works: [WorkStatus]
    /// See `ConnectorLettersPanel`.
    let letters: [LetterStatus]?
    let audit: [ConnectorAudit]
    let at: WallTime
    let version: String

    /// Changes when something comes or goes that stands in a place of its own: buttons, troubles, works, dead letters.
    static func structure(_ status: ConnectorStatus, version: String) -> String {
        var print = StructurePrint()
        print.add([status.name, "\(status.isPaused)", "\(status.canRunNow)", "\(status.isRunning)", version])
        print.add(status.troubles.map(\.code))
        // One that is replayed and comes back is another one, though there are as many.
        print.add(["\(status.deadLetters)", "\(status.gate?.counters.deadLetteredEvents ?? 0)"])
        print.add(status.openWorks.map(\.id))
        return print.text
    }

    var markup: Markup {
        let face = ConnectorFace(status, at: at)
        return Frame(
            title: status.name, structure: Self.structure(status, version: version), place: .connectors,
            live: "/live/connectors/\(PathSegment.encode(status.id))"
        ).markup {
            tag("nav", ["class": "crumbs", "aria-label": "Where this is"]) {
                tag("a", ["href": "/connectors"]) { "Connectors" }
            }
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
                tag("div", ["class": "warning"]) {
                    tag("span", ["id": "ctrouble:\(trouble.code):\(status.id)"]) { trouble.sentence }
                    if let since = trouble.since {
                        tag("br")
                        tag("span", ["class": "m"]) { "since \(ConnectorText.at(since))" }
                    }
                    if !trouble.advice.isEmpty {
                        tag("br")
                        trouble.advice
                    }
                    if let page = Runbook.connector(trouble.code) {
                        tag("br")
                        "What to do: "
                        tag("code") { page }
                    }
                }
            }
            tag("section", ["class": "panel", "aria-labelledby": "schedule"]) {
                tag("h2", ["id": "schedule"]) { "Schedule and capacity" }
                facts(face)
            }
            tag("section", ["class": "panel", "aria-labelledby": "state"]) {
                tag("h2", ["id": "state"]) { "State" }
                tag("pre", ["id": "cstate:\(status.id)", "tabindex": "0", "aria-labelledby": "state"]) {
                    Self.state(status)
                }
            }
            tag("section", ["class": "panel", "aria-labelledby": "works"]) {
                tag("h2", ["id": "works"]) { "Works, the newest first" }
                if works.isEmpty {
                    tag("p") { "None yet: each run will be listed here with what it must still deliver." }
                } else {
                    worksTable
                }
            }
            if status.deadLetters > 0 { ConnectorLettersPanel(status: status, letters: letters).markup }
            if !audit.isEmpty {
                tag("section", ["class": "panel", "aria-labelledby": "audit"]) {
                    tag("h2", ["id": "audit"]) { "Who did what" }
                    auditTable
                }
            }
        }
    }

    static func warningClass(_ status: ConnectorStatus) -> String { status.isFull ? "shown" : "gone" }

    static func state(_ status: ConnectorStatus) -> String { ConnectorText.state(status.state) }

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
            tag("button") { ConfirmPage.Question.label(order) }
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
            if let gate = status.gate {
                tag("tr") {
                    tag("th", ["scope": "row"]) { "Gate" }
                    tag("td", ["class": "text"]) {
                        tag("a", ["href": "/gates/\(PathSegment.encode(gate.id))"]) { "Why" }
                        ": "
                        tag("span", ["id": "cgate:\(status.id)"]) { gate.reason.sentence }
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
        let isOutside = status.origin == "opencti"
        return [
            ("Runs are put off at", ConnectorText.threshold(status)),
            ("Pushes wait at", ConnectorText.megabytes(status.hardLimit)),
            ("Comes by", isOutside ? "a process of its own (OpenCTI)" : status.origin),
            ("Type", status.type), ("Registered", ConnectorText.at(status.registeredAt)),
        ] + (isOutside ? [] : [("Runs that failed in a row", "\(status.failures)")])
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
                    for name in ["At", "Who", "What", "Why"] {
                        tag("th", ["scope": "col", "role": "columnheader"]) { name }
                    }
                }
            }
            tag("tbody", ["role": "rowgroup"]) {
                for entry in audit {
                    tag("tr", ["role": "row"]) {
                        tag("th", ["scope": "row", "role": "rowheader"]) { ConnectorText.at(entry.at) }
                        tag("td", ["role": "cell", "data-label": "Who"]) { entry.who }
                        tag("td", ["role": "cell", "data-label": "What"]) { entry.action }
                        tag("td", ["role": "cell", "class": "why"]) { entry.why }
                    }
                }
            }
        }
    }
}
