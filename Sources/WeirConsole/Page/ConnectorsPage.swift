import WeirGates
import WeirNode
import WeirWorld

/// What one page of the list shows: page and live updates are made from it.
struct ConnectorListing: Sendable {
    /// Rows on one page.
    static let rowsMost = 500

    let at: WallTime
    let version: String
    let query: ConnectorQuery
    let index: ConnectorIndex
    let selection: ConnectorSelection
    let statuses: [ConnectorStatus]
    /// How far the index is, while there is none yet: then the list is empty because nobody has looked.
    var progress: ConnectorIndexProgress?

    /// A list by name is loaded anew when other connectors stand in it. One in another order would change all the
    /// time: its rows stay until a person loads it.
    var structure: String {
        var print = StructurePrint()
        if query.order == .name { for status in statuses { print.add([status.id, status.name]) } }
        print.add([version, "\(progress == nil)"])
        return print.text
    }

    var tiles: [Tiles.Tile] {
        [
            Tiles.Tile(key: "connectors", label: "Connectors", value: Figures.count(Int64(index.rows.count))),
            Tiles.Tile(
                key: "running", label: "Running", value: Figures.count(Int64(index.counts["running", default: 0]))),
            Tiles.Tile(key: "held", label: "Held", value: Figures.count(Int64(index.held))),
            Tiles.Tile(key: "troubled", label: "With trouble", value: Figures.count(Int64(index.troubled))),
            Tiles.Tile(key: "waiting", label: "Waits to be delivered", value: Figures.bytes(index.bytes)),
        ]
    }

    /// `12,500 of 100,000 so far`.
    var progressText: String {
        progress.map { "\(Figures.count(Int64($0.looked))) of \(Figures.count(Int64($0.of))) so far" } ?? ""
    }

    /// `1 to 100 of 1,284`.
    var place: String {
        let first = Int64(selection.before)
        let count = { (number: Int64) in Figures.count(number) }
        guard !statuses.isEmpty else { return "0 of \(count(Int64(selection.matching)))" }
        return "\(count(first + 1)) to \(count(first + Int64(statuses.count))) of \(count(Int64(selection.matching)))"
    }

    /// Where this list is, after another connector or from the beginning.
    static func path(_ query: ConnectorQuery, after: String?, base: String = "/connectors") -> String {
        var parts: [String] = []
        if let state = query.state { parts.append("state=\(state)") }
        if !query.text.isEmpty { parts.append("q=\(PathSegment.encode(query.text))") }
        if query.order != .name { parts.append("sort=\(query.order.rawValue)") }
        if query.limit != ConnectorQuery().limit { parts.append("limit=\(query.limit)") }
        if let after { parts.append("after=\(PathSegment.encode(after))") }
        return parts.isEmpty ? base : base + "?" + parts.joined(separator: "&")
    }
}

/// All connectors: when each ran and runs, how full its queue is, and what is wrong.
struct ConnectorsPage: Sendable {
    let seen: ConnectorListing

    var markup: Markup {
        Frame(
            title: "Connectors", structure: seen.structure, place: .connectors,
            live: ConnectorListing.path(seen.query, after: seen.query.after, base: "/live/connectors")
        ).markup {
            tag("h1") { "Connectors" }
            if seen.progress != nil {
                tag("section", ["class": "panel empty", "aria-labelledby": "looking"]) {
                    tag("h2", ["id": "looking"]) { "Weir looks at its connectors" }
                    tag("p", ["role": "status", "id": "progress"]) { seen.progressText }
                    tag("p") { "The list comes by itself." }
                }
            } else if seen.index.rows.isEmpty {
                ConnectorsAbsence().markup
            } else {
                Tiles.markup(seen.tiles)
                ConnectorFilter(query: seen.query).markup
                tag("section", ["class": "panel", "aria-label": "Connectors"]) {
                    if seen.statuses.isEmpty {
                        tag("p") {
                            "No connector fits. "
                            tag("a", ["href": "/connectors"]) { "Show all" }
                        }
                    } else {
                        table
                    }
                }
                pager
            }
        }
    }

    private var pager: Markup {
        tag("nav", ["class": "pager", "aria-label": "Pages of the list"]) {
            tag("span", ["id": "place"]) { seen.place }
            if seen.selection.before > 0 {
                tag("a", ["href": ConnectorListing.path(seen.query, after: nil)]) { "First page" }
            }
            if let next = seen.selection.next {
                tag("a", ["href": ConnectorListing.path(seen.query, after: next), "rel": "next"]) { "Next page" }
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
            tag("tbody", ["role": "rowgroup"]) { for status in seen.statuses { row(status) } }
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

/// What is shown where there is no connector: what to type to get one.
struct ConnectorsAbsence: Sendable {
    var markup: Markup {
        tag("section", ["class": "panel empty", "aria-labelledby": "empty"]) {
            tag("h2", ["id": "empty"]) { "No connectors yet" }
            tag("p") {
                "An import on a schedule needs a few lines in weir.yaml, then "
                tag("code") { "weir check weir.yaml" }
                " and a start of Weir:"
            }
            tag("pre", ["tabindex": "0", "aria-label": "A connector in YAML"]) { Self.yaml }
            tag("p") { "A connector written for OpenCTI runs as it is, when the door is open:" }
            tag("pre", ["tabindex": "0", "aria-label": "The door for OpenCTI connectors in YAML"]) { Self.door }
            tag("p") { "and it is started with Weir in the place of OpenCTI:" }
            tag("pre", ["tabindex": "0", "aria-label": "Commands for a pycti connector"]) { Self.commands }
            tag("p") {
                "The guides docs/guides/opencti-connectors.md and docs/guides/write-a-connector.md say more."
            }
        }
    }

    static let yaml = """
        connectors:
          kev:
            type: http
            url: https://www.cisa.gov/sites/default/files/feeds/known_exploited_vulnerabilities.json
            items: vulnerabilities
            schedule: PT5H
            queue_threshold: 500        # MB
        """

    static let door = """
        opencti:
          tokens: [ { file: ./opencti-token } ]
        """

    static let commands = """
        export OPENCTI_URL=http://127.0.0.1:9471 OPENCTI_TOKEN="$(cat opencti-token)"
        export CONNECTOR_ID="$(uuidgen)"
        python3 main.py
        """
}

/// Search, state and order; a plain form, so that it works without scripts and its answer has an address.
struct ConnectorFilter: Sendable {
    let query: ConnectorQuery

    private static let orders: [(ConnectorQuery.Order, String)] = [
        (.name, "name"), (.state, "trouble and state"), (.lastRun, "last run"), (.nextRun, "next run"),
        (.size, "server capacity"),
    ]

    var markup: Markup {
        tag("form", ["method": "get", "action": "/connectors", "class": "filter", "role": "search"]) {
            tag("label", ["for": "q"]) { "Name or id" }
            tag("input", ["type": "search", "id": "q", "name": "q", "value": query.text, "autocomplete": "off"])
            tag("label", ["for": "state"]) { "State" }
            tag("select", ["id": "state", "name": "state"]) {
                option("", "all", isChosen: query.state == nil)
                option(ConnectorQuery.held, "held", isChosen: query.state == ConnectorQuery.held)
                option(ConnectorQuery.trouble, "with trouble", isChosen: query.state == ConnectorQuery.trouble)
                for word in ConnectorQuery.words { option(word, word, isChosen: query.state == word) }
            }
            tag("label", ["for": "sort"]) { "Sort by" }
            tag("select", ["id": "sort", "name": "sort"]) {
                for (order, name) in Self.orders { option(order.rawValue, name, isChosen: query.order == order) }
            }
            tag("button") { "Show" }
            if query.state != nil || !query.text.isEmpty || query.order != .name {
                tag("a", ["href": "/connectors"]) { "Show all" }
            }
        }
    }

    private func option(_ value: String, _ text: String, isChosen: Bool) -> Markup {
        isChosen
            ? tag("option", ["value": value, "selected": ""]) { text } : tag("option", ["value": value]) { text }
    }
}
