import WeirGates
import WeirNode
import WeirWorld

/// Queues whose destination is no longer configured: how much they hold, and where it can go.
struct OrphanPanel: Sendable {
    /// More buttons than this in a row are no choice any more; the command takes any name.
    static let choicesMost = 5

    let seen: Snapshot

    var markup: Markup {
        tag("section", ["class": "panel", "aria-labelledby": "orphans"]) {
            tag("h2", ["id": "orphans"]) { "Queues without a destination" }
            tag("table", ["role": "table", "class": "stack"]) {
                tag("thead", ["role": "rowgroup"]) {
                    tag("tr", ["role": "row"]) {
                        for name in ["Queue", "Holds", "What can be done"] {
                            tag("th", ["scope": "col", "role": "columnheader"]) { name }
                        }
                        tag("th", ["scope": "col", "role": "columnheader"]) {
                            tag("span", ["class": "unseen"]) { "Action" }
                        }
                    }
                }
                tag("tbody", ["role": "rowgroup"]) {
                    for orphan in seen.orphans { row(orphan) }
                }
            }
        }
    }

    private func row(_ orphan: QueueStatus) -> Markup {
        tag("tr", ["role": "row"]) {
            tag("th", ["scope": "row", "role": "rowheader"]) { orphan.name }
            tag("td", ["role": "cell", "data-label": "Holds", "id": "orphan:\(orphan.name)"]) {
                Self.holds(orphan, at: seen.at)
            }
            tag("td", ["role": "cell", "class": "why"]) { advice(orphan) }
            tag("td", ["role": "cell", "class": "act"]) {
                if orphan.drainsTo == nil { buttons(orphan) }
            }
        }
    }

    static func holds(_ orphan: QueueStatus, at now: WallTime) -> String {
        let age = orphan.reading.oldest.map { ", the oldest \(Figures.duration((now - $0).inSeconds)) old" } ?? ""
        return "\(Figures.events(orphan.reading.events)), \(Figures.bytes(orphan.reading.bytes))\(age)"
    }

    @MarkupBuilder private func advice(_ orphan: QueueStatus) -> Markup {
        if let destination = orphan.drainsTo {
            "It drains through the gate \(destination)."
        } else {
            orphan.reading.trouble.map { "Draining ended: \($0.sentence) " } ?? ""
            "Configure it again, drain it through another gate, or use "
            tag("code") { "weir queue export" }
            " and "
            tag("code") { "weir queue discard" }
            "."
        }
    }

    @MarkupBuilder private func buttons(_ orphan: QueueStatus) -> Markup {
        let names = seen.destinations.filter { $0.gate != nil }.map(\.name)
        if names.count <= Self.choicesMost {
            for name in names {
                tag(
                    "form",
                    [
                        "method": "post", "class": "choice",
                        "action": "/queues/\(PathSegment.encode(orphan.name))/drain/\(PathSegment.encode(name))",
                    ]
                ) {
                    tag("button", ["aria-label": "Drain \(orphan.name) through \(name)"]) { "Drain to \(name)" }
                }
            }
        } else {
            tag("code") { "weir queue drain \(orphan.name) --to DESTINATION" }
        }
    }
}
