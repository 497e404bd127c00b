import WeirGates
import WeirNode
import WeirWorld

/// All connectors: when each ran and runs, how full its queue is, and what is wrong.
struct ConnectorsPage: Sendable {
    /// More rows than this make no page; the command lists them all.
    static let rowsMost = 500

    let seen: Snapshot

    var markup: Markup {
        Frame(title: "Connectors", structure: seen.structure, place: .connectors).markup {
            tag("h1") { "Connectors" }
            if seen.connectors.isEmpty {
                nothingYet
            } else {
                tag("section", ["class": "panel", "aria-label": "Connectors"]) { table }
                if seen.connectors.count > Self.rowsMost {
                    tag("p") {
                        "The first \(Self.rowsMost) of \(seen.connectors.count). "
                        tag("code") { "weir get connectors" }
                        " lists them all."
                    }
                }
            }
        }
    }

    private var nothingYet: Markup {
        tag("section", ["class": "panel empty", "aria-labelledby": "empty"]) {
            tag("h2", ["id": "empty"]) { "No connectors yet" }
            tag("p") {
                "Declare one under "
                tag("code") { "connectors:" }
                " in weir.yaml, or open the door to connectors written for OpenCTI with "
                tag("code") { "opencti: { tokens: [ … ] }" }
                " and start one with OPENCTI_URL set to this address."
            }
        }
    }

    private var table: Markup {
        tag("table", ["role": "table", "class": "stack"]) {
            tag("thead", ["role": "rowgroup"]) {
                tag("tr", ["role": "row"]) {
                    for name in [
                        "Connector", "State", "Last run", "Next run", "Server capacity", "Buffering", "Heartbeat",
                    ] {
                        tag("th", ["scope": "col", "role": "columnheader"]) { name }
                    }
                }
            }
            tag("tbody", ["role": "rowgroup"]) {
                for status in seen.connectors.prefix(Self.rowsMost) { row(status) }
            }
        }
    }

    private func row(_ status: ConnectorStatus) -> Markup {
        let face = ConnectorFace(status, at: seen.at)
        return tag("tr", ["role": "row"]) {
            tag("th", ["scope": "row", "role": "rowheader"]) {
                tag("a", ["href": "/connectors/\(PathSegment.encode(status.id))"]) { status.name }
                tag("span", ["class": "\(face.troubleClass) trouble", "id": "ctrouble:\(status.id)"]) { face.trouble }
            }
            tag("td", ["role": "cell"]) { face.chip }
            for cell in face.cells {
                tag("td", ["role": "cell", "data-label": cell.label]) {
                    tag("span", ["class": cell.tone, "id": "\(cell.key):\(status.id)"]) { cell.text }
                }
            }
        }
    }
}

/// What the pages say of a connector: page and live updates are made from the same values.
struct ConnectorFace: Sendable {
    struct Cell: Sendable {
        var key: String
        var label: String
        var text: String
        /// Class: `plain` or `full`.
        var tone = "plain"
    }

    let id: String
    let state: StateFace
    let trouble: String
    let cells: [Cell]

    init(_ status: ConnectorStatus, at now: WallTime) {
        id = status.id
        // The gate's shape and colour, with the word of what the connector does.
        var state = status.activity == "failed" ? .failed : StateFace(status.gate?.state ?? .unknown)
        if status.activity != "outside" { state.word = status.activity }
        self.state = state
        trouble = status.troubles.first?.sentence ?? ""
        cells = [
            Cell(key: "clast", label: "Last run", text: ConnectorText.lastRun(status)),
            Cell(key: "cnext", label: "Next run", text: ConnectorText.nextRun(status)),
            Cell(
                key: "ccapacity", label: "Server capacity", text: ConnectorText.capacity(status),
                tone: status.isFull ? "full" : "plain"),
            Cell(key: "cbuffering", label: "Buffering", text: ConnectorText.buffering(status)),
            Cell(key: "cping", label: "Heartbeat", text: ConnectorText.heartbeat(status, at: now)),
        ]
    }

    var troubleClass: String { trouble.isEmpty ? "gone" : "shown" }

    var chip: Markup { Icon.chip(state, id: "c/\(id)") }
}
