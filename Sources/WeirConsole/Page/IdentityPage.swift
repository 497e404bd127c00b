import WeirIdentity
import WeirWorld

/// What the page of identity shows at one time.
struct IdentityListing: Sendable {
    var version: String
    var isConfigured = false
    var silos: [SiloView] = []
    var rules: [RuleView] = []
    var running: SyncProgress?
    var syncs: [SyncView] = []
    var failing: [NoticeBook.Entry] = []

    /// Changes when a row comes or goes or its words change; a progress only moves.
    var structure: String {
        var print = StructurePrint()
        print.add([version, running.map { "\($0.sync) \($0.phase.rawValue)" } ?? ""])
        print.add(silos.flatMap { silo in [silo.name] + silo.scans.map { "\($0.id) \($0.status.rawValue)" } })
        print.add(rules.map { "\($0.rule.name) \($0.suspended) \($0.approved) \($0.error ?? "")" })
        print.add(syncs.map(\.id) + failing.map { "\($0.rule) \($0.recipient)" })
        return print.text
    }

    var tiles: [Tiles.Tile] {
        let live = silos.flatMap(\.types).reduce(0) { $0 + $1.live }
        return [
            Tiles.Tile(key: "silos", label: "Silos", value: "\(silos.count)"),
            Tiles.Tile(key: "objects", label: "Objects", value: Figures.count(Int64(live))),
            Tiles.Tile(key: "rules", label: "Rules", value: "\(rules.count)"),
            Tiles.Tile(
                key: "held", label: "Wait for a decision",
                value: Figures.count(Int64(rules.reduce(0) { $0 + $1.suspended }))),
            Tiles.Tile(
                key: "approved", label: "Approved, run next",
                value: Figures.count(Int64(rules.reduce(0) { $0 + $1.approved }))),
        ]
    }

    static func progress(_ running: SyncProgress) -> String {
        let place = running.at.isEmpty ? "" : " \(running.at)"
        guard running.all > 0 else { return "\(running.phase.rawValue)\(place)" }
        return "\(running.phase.rawValue)\(place): \(Figures.count(Int64(running.done))) of "
            + Figures.count(Int64(running.all))
    }

    static func width(_ running: SyncProgress) -> String {
        guard running.all > 0 else { return "0" }
        return "\(min(292, 292 * running.done / running.all))"
    }
}

extension LiveCells {
    /// Of the page of identity.
    init(_ seen: IdentityListing) {
        var cells: [String: Cell] = [:]
        for tile in seen.tiles { cells["tile:\(tile.key)"] = Cell(t: tile.value) }
        if let running = seen.running {
            cells["sync"] = Cell(t: IdentityListing.progress(running))
            cells["syncbar"] = Cell(a: ["width": IdentityListing.width(running)])
        }
        self.init(structure: seen.structure, cells: cells)
    }
}

/// Silos with their last scans, rules with what they hold, the last runs.
struct IdentityPage: Sendable {
    let seen: IdentityListing

    var markup: Markup {
        Frame(title: "Identity", structure: seen.structure, place: .identity, live: "/live/identity").markup {
            tag("h1") { "Identity" }
            if !seen.isConfigured {
                absence
            } else {
                Tiles.markup(seen.tiles)
                for entry in seen.failing {
                    tag("div", ["class": "warning"]) {
                        "\(entry.recipient) could not be told what \(entry.rule) holds: \(entry.lastFailure ?? "") "
                        "It is tried again. What to do: "
                        tag("code") { "docs/runbooks/identity.md#weirapprovalmailfails" }
                    }
                }
                if let running = seen.running { progress(running) }
                silos
                rules
                RunTable(syncs: seen.syncs, title: "Last runs").markup
            }
        }
    }

    private func progress(_ running: SyncProgress) -> Markup {
        tag("section", ["class": "panel", "aria-labelledby": "running"]) {
            tag("h2", ["id": "running"]) { "A sync runs" }
            tag(
                "svg",
                [
                    "class": "level tall", "viewBox": "0 0 292 7", "preserveAspectRatio": "none",
                    "aria-hidden": "true",
                ]
            ) {
                tag("rect", ["class": "track", "width": "292", "height": "7"])
                tag(
                    "rect",
                    ["class": "b-open", "width": IdentityListing.width(running), "height": "7", "id": "syncbar"])
            }
            tag("p", ["id": "sync", "role": "status"]) { IdentityListing.progress(running) }
        }
    }

    private var silos: Markup {
        Panel.table(
            "Silos", ["Silo", "Objects", "Last scan", "Found"],
            seen.silos.map { silo in
                let scan = silo.scans.first
                return Panel.Row(
                    head: "\(silo.name)  (\(silo.provider))",
                    cells: [
                        silo.types.map { "\(Figures.count(Int64($0.live))) \($0.type)" }.joined(separator: ", "),
                        scan.map { "\($0.status.rawValue) at \($0.ended ?? $0.began)" } ?? "none yet",
                        scan.map(Self.found) ?? "",
                    ], isBad: [.failed, .partial, .quarantined].contains(scan?.status))
            })
    }

    static func found(_ scan: ScanView) -> String {
        var text = "\(scan.seen) seen, \(scan.added) new, \(scan.changed) changed, \(scan.gone) gone"
        if !scan.refused.isEmpty { text += ", \(scan.refused.count) unreadable" }
        if !scan.text.isEmpty { text += ". \(scan.text)" }
        if scan.status == .quarantined { text += " `weir sync accept \(scan.id)` says that it is right." }
        return text
    }

    private var rules: Markup {
        Panel.table(
            "Rules", ["Rule", "What it does", "Passes by itself", "Waits", "Approved"],
            seen.rules.map { view in
                Panel.Row(
                    head: view.rule.name, link: "/reviews?rule=\(view.rule.name)",
                    cells: [
                        "\(view.rule.kind.rawValue) \(view.rule.kind == .event ? "" : view.rule.target.description)"
                            + (view.rule.isSimulated ? ", simulated" : ""),
                        view.limit.map { "up to and including \(Figures.count(Int64($0)))" } ?? "any number",
                        Figures.count(Int64(view.suspended)), Figures.count(Int64(view.approved)),
                    ], remark: view.error, isBad: view.error != nil || view.suspended > 0)
            })
    }

    private var absence: Markup {
        tag("section", ["class": "panel empty", "aria-labelledby": "empty"]) {
            tag("h2", ["id": "empty"]) { "No identities yet" }
            tag("p") {
                "Lists and directories are kept in step by rules, with catches before each change. It needs a few "
                    + "lines in weir.yaml:"
            }
            tag("pre", ["tabindex": "0", "aria-label": "Identity in YAML"]) { Self.yaml }
            tag("p") {
                "then "
                tag("code") { "weir sync preview --config weir.yaml" }
                " shows what would change. The guide docs/guides/identity.md says more."
            }
        }
    }

    static let yaml = """
        identity:
          silos:
            hr: { type: csv, path: hr.csv, key: id }
            directory:
              type: ldif
              path: directory.ldif
              objects: { user: { base: "ou=people,dc=example,dc=org" } }
          joins:
            - { objects: hr, key: "hr.id" }
            - { objects: directory, key: "directory.employeenumber" }
          rules:
            - { name: titles, kind: update, target: directory, set: { title: hr.title } }
        """
}

/// Tables as all pages have them.
enum Panel {
    struct Row: Sendable {
        var head: String
        var link: String?
        var cells: [String]
        var remark: String?
        var isBad = false
    }

    static func table(_ title: String, _ columns: [String], _ rows: [Row], empty: String = "None.") -> Markup {
        tag("section", ["class": "panel", "aria-label": title, "tabindex": "0"]) {
            tag("h2") { title }
            if rows.isEmpty {
                tag("p") { empty }
            } else {
                tag("table", ["role": "table", "class": "stack"]) {
                    tag("thead", ["role": "rowgroup"]) {
                        tag("tr", ["role": "row"]) {
                            for name in columns { tag("th", ["scope": "col", "role": "columnheader"]) { name } }
                        }
                    }
                    tag("tbody", ["role": "rowgroup"]) { for row in rows { markup(row, columns) } }
                }
            }
        }
    }

    private static func markup(_ row: Row, _ columns: [String]) -> Markup {
        tag("tr", ["role": "row"]) {
            tag("th", ["scope": "row", "role": "rowheader"]) {
                if let link = row.link { tag("a", ["href": link]) { row.head } } else { row.head }
                if let remark = row.remark { tag("span", ["class": "shown trouble"]) { remark } }
            }
            for (place, cell) in row.cells.enumerated() {
                let label = place + 1 < columns.count ? columns[place + 1] : ""
                tag("td", ["class": row.isBad ? "text" : "note", "role": "cell", "data-label": label]) { cell }
            }
        }
    }

    static func pager(_ path: String, next: String?, isFirst: Bool) -> Markup {
        tag("nav", ["class": "pager", "aria-label": "Pages of the list"]) {
            if !isFirst { tag("a", ["href": path]) { "First page" } }
            if let next {
                tag(
                    "a",
                    [
                        "href": "\(path)\(path.contains("?") ? "&" : "?")after=\(PathSegment.encode(next))",
                        "rel": "next",
                    ]
                ) {
                    "Next page"
                }
            }
        }
    }
}

/// Runs, with what came of each.
struct RunTable: Sendable {
    let syncs: [SyncView]
    let title: String

    var markup: Markup {
        Panel.table(
            title, ["Run", "Kind", "Began", "Triggered", "Executed", "Waits", "Others", "Problems"],
            syncs.map { sync in
                let counts = Dictionary(
                    TriggerOutcome.allCases.map { outcome in
                        (outcome, sync.rules.reduce(0) { $0 + $1.outcomes[outcome, default: 0] })
                    }, uniquingKeysWith: { first, _ in first })
                let others = [TriggerOutcome.throttled, .postponed, .skipped, .failed].compactMap { outcome in
                    counts[outcome].flatMap { $0 > 0 ? "\($0) \(outcome.rawValue)" : nil }
                }
                return Panel.Row(
                    head: sync.id, link: "/history/\(PathSegment.encode(sync.id))",
                    cells: [
                        "\(sync.request.kind.rawValue) \(sync.request.mode.rawValue)", "\(sync.began)",
                        "\(sync.rules.reduce(0) { $0 + $1.triggered })", "\(counts[.executed] ?? 0)",
                        "\(counts[.suspended] ?? 0)", others.joined(separator: ", "),
                        sync.failure ?? (sync.problems.isEmpty ? "" : "\(sync.problems.count)"),
                    ], isBad: sync.failure != nil)
            })
    }
}
