import WeirFlow
import WeirGates
import WeirNode
import WeirWorld

/// The first page: how much passes, what is held, and why.
struct OverviewPage: Sendable {
    let seen: Snapshot

    var markup: Markup {
        let faces = seen.mostPressedFirst.map { GateFace($0, in: seen) }
        return Frame(title: "Overview", structure: seen.structure, place: .overview).markup {
            tag("h1", ["class": "unseen"]) { "Overview" }
            Tiles.markup(Tiles(seen).all)
            if seen.gates.isEmpty, seen.gatesLeft == 0 {
                nothingYet
            } else {
                tag("section", ["class": "panel", "aria-labelledby": "flow"]) {
                    tag("h2", ["id": "flow"]) { "Flow" }
                    FlowGraph(seen: seen).markup
                }
                tag("section", ["class": "panel", "aria-labelledby": "gates"]) {
                    tag("h2", ["id": "gates"]) { "Gates, most pressed first" }
                    table(faces)
                    if seen.gatesLeft > 0 {
                        tag("p") {
                            "The gates of \(Figures.count(Int64(seen.gatesLeft))) connectors are on the page "
                            tag("a", ["href": "/connectors?sort=state"]) { "Connectors" }
                            "."
                        }
                    }
                }
            }
            if !seen.orphans.isEmpty { OrphanPanel(seen: seen).markup }
        }
    }

    private var nothingYet: Markup {
        tag("section", ["class": "panel empty", "aria-labelledby": "empty"]) {
            tag("h2", ["id": "empty"]) { "No gates yet" }
            tag("p") {
                "Every destination makes a gate. Add one under "
                tag("code") { "destinations:" }
                " and a route to it under "
                tag("code") { "routes:" }
                " in weir.yaml, look it over with "
                tag("code") { "weir check" }
                " and start again; or see it all at work with "
                tag("code") { "weir demo" }
                "."
            }
        }
    }

    // The roles are written out because on a phone the rows become cards, and `display: block` takes a table's
    // meaning away.
    private func table(_ faces: [GateFace]) -> Markup {
        tag("table", ["role": "table"]) {
            tag("thead", ["role": "rowgroup"]) {
                tag("tr", ["role": "row"]) {
                    for name in ["Gate", "State", "Level / limit", "In / out", "15 min", "Why"] {
                        tag("th", ["scope": "col", "role": "columnheader"]) { name }
                    }
                    tag("th", ["scope": "col", "role": "columnheader"]) {
                        tag("span", ["class": "unseen"]) { "Action" }
                    }
                }
            }
            tag("tbody", ["role": "rowgroup", "id": "rows"]) {
                for face in faces { row(face) }
            }
        }
    }

    private func row(_ face: GateFace) -> Markup {
        tag("tr", ["role": "row", "id": "row:\(face.id)"]) {
            tag("th", ["scope": "row", "role": "rowheader"]) {
                tag("a", ["href": "/gates/\(PathSegment.encode(face.id))"]) { face.title }
            }
            tag("td", ["role": "cell"]) { Icon.chip(face.state, id: face.id) }
            tag("td", ["role": "cell", "data-label": "Level / limit", "id": "level:\(face.id)"]) { face.pressure }
            tag("td", ["role": "cell", "data-label": "In / out", "id": "rates:\(face.id)"]) { face.rates }
            tag("td", ["role": "cell", "class": "wide"]) {
                tag(
                    "svg",
                    [
                        "width": "100", "height": "20", "viewBox": "0 0 100 20", "role": "img",
                        "aria-label": face.inWords,
                    ]
                ) {
                    tag("line", ["class": "mark", "x1": "0", "x2": "100", "y1": "4", "y2": "4"])
                    tag("polyline", ["class": "spark", "points": face.spark, "id": "spark:\(face.id)"])
                }
            }
            tag("td", ["role": "cell", "class": "why", "id": "why:\(face.id)"]) { face.why }
            tag("td", ["role": "cell", "class": "act"]) { GateForms.markup(face, back: "/") }
        }
    }
}

/// The two things a person may do to a gate; only one of them makes sense at a time.
enum GateForms {
    static func markup(_ face: GateFace, back: String) -> Markup {
        let path = "/gates/\(PathSegment.encode(face.id))"
        let query = back == "/" ? "" : "?from=gate"
        return tag(
            "form",
            ["method": "post", "action": "\(path)/hold\(query)", "id": "hold:\(face.id)", "class": holdClass(face)]
        ) {
            tag("button", ["aria-label": "Hold \(face.title)"]) { "Hold" }
        }
            + tag(
                "form",
                [
                    "method": "post", "action": "\(path)/release\(query)", "id": "release:\(face.id)",
                    "class": releaseClass(face),
                ]
            ) {
                tag("button", ["aria-label": "Release \(face.title)", "class": "main"]) { "Release" }
            }
    }

    static func holdClass(_ face: GateFace) -> String { face.isHeldByPerson ? "gone" : "shown" }
    static func releaseClass(_ face: GateFace) -> String { face.isHeldByPerson ? "shown" : "gone" }
}

/// The figures at the top.
struct Tiles: Sendable {
    struct Tile: Sendable, Hashable {
        var key: String
        var label: String
        var value: String
    }

    let all: [Tile]

    static func markup(_ tiles: [Tile]) -> Markup {
        tag("div", ["class": "tiles"]) {
            for tile in tiles {
                tag("div", ["class": "tile"]) {
                    tag("span") { tile.label }
                    tag("strong", ["id": "tile:\(tile.key)"]) { tile.value }
                }
            }
        }
    }

    init(_ seen: Snapshot) {
        let open = seen.gates.filter { !$0.state.isHeld }.count
        let entering = seen.sourceRates.values.reduce(0, +)
        // A gate that only leads to other gates would count every event again.
        let between = Set(seen.gates.flatMap(\.senders))
        let leaving = seen.gates.filter { !between.contains($0.id) }.reduce(0) {
            $0 + seen.rates($1.id).outEventsPerSecond
        }
        let dropped =
            seen.gates.reduce(UInt64(0)) { $0 &+ $1.counters.droppedTotal }
            &+ seen.sources.reduce(UInt64(0)) { $0 &+ $1.reading.dropped.values.reduce(0, &+) }
        all = [
            Tile(key: "open", label: "Gates open", value: "\(open) of \(seen.gates.count)"),
            Tile(
                key: "rates", label: "Events in / out per s",
                value: "\(Figures.rate(entering)) / \(Figures.rate(leaving))"),
            Tile(
                key: "disk", label: "Held on disk",
                value: Figures.bytes(seen.queues.reduce(0) { $0 &+ $1.reading.bytes })),
            Tile(key: "dropped", label: "Dropped since start", value: Figures.count(Int64(clamping: dropped))),
            Tile(
                key: "uptime", label: "Up for",
                value: Figures.duration(max(1, (seen.at - seen.started).inSeconds.rounded()))),
        ]
    }
}
