import WeirGates
import WeirNode
import WeirWorld

/// One gate: why it is as it is, what happened, what it counted, what stands behind it.
struct GatePage: Sendable {
    let reading: GateReading
    let seen: Snapshot

    var markup: Markup {
        let face = GateFace(reading, in: seen)
        let view = seen.view(reading)
        let why = WhyText(view, isComplete: true)
        return Frame(
            title: face.title, structure: seen.structure, place: .other,
            live: "/live?gate=\(PathSegment.encode(reading.id))"
        ).markup {
            tag("div", ["class": "head"]) {
                tag("h1") { face.title }
                Icon.chip(face.state, id: reading.id)
                tag("span", ["class": "m", "id": "headline:\(reading.id)"]) { Self.since(reading, seen) }
                tag("span", ["class": "space"])
                GateForms.markup(face, back: "gate")
            }
            tag("section", ["class": "panel", "aria-labelledby": "why"]) {
                tag("h2", ["id": "why"]) { "Why" }
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
                        [
                            "class": "b-\(face.state.tone)", "width": FlowGraph.width(face), "height": "7",
                            "id": "lbar:\(reading.id)",
                        ])
                }
                tag("table", ["class": "facts", "id": "lines:\(reading.id)", "data-lines": Self.lines(why, reading)]) {
                    for (number, line) in why.lines.enumerated() {
                        tag("tr") {
                            tag("th", ["scope": "row"]) { line.label }
                            tag("td", ["class": "text", "id": "line:\(number):\(reading.id)"]) { line.value }
                            tag("td", ["class": "note", "id": "note:\(number):\(reading.id)"]) { line.note }
                        }
                    }
                }
            }
            if let destination = seen.destinations.first(where: { $0.name == reading.id }) {
                if destination.deadLetters.events > 0 { letters(destination) }
                if !destination.endpoints.isEmpty {
                    tag("section", ["class": "panel", "aria-labelledby": "endpoints"]) {
                        tag("h2", ["id": "endpoints"]) { "Endpoints" }
                        endpoints(destination)
                    }
                }
            }
            tag("section", ["class": "panel", "aria-labelledby": "history"]) {
                tag("h2", ["id": "history"]) { "What happened" }
                history
            }
            tag("section", ["class": "panel", "aria-labelledby": "counters"]) {
                tag("h2", ["id": "counters"]) { "Counted since the start" }
                counters
            }
        }
    }

    static func since(_ reading: GateReading, _ seen: Snapshot) -> String {
        "since \(Figures.clock(reading.since)) UTC (\(Figures.duration((seen.at - reading.since).inSeconds)))"
    }

    /// With another state or other lines the page is loaded anew, history and counters with it.
    static func lines(_ why: WhyText, _ reading: GateReading) -> String {
        reading.state.rawValue + ":" + why.lines.map(\.label).joined(separator: ",")
    }

    private func letters(_ destination: DestinationStatus) -> Markup {
        tag("section", ["class": "panel", "aria-labelledby": "letters"]) {
            tag("h2", ["id": "letters"]) { "Dead letters" }
            tag("p") {
                "\(Figures.events(destination.deadLetters.events)) that the receiver refused for good. Look with "
                tag("code") { "weir queue peek \(destination.name) --dead-letters" }
                ", send them again with "
                tag("code") { "weir queue replay \(destination.name)" }
                "."
            }
        }
    }

    private func endpoints(_ destination: DestinationStatus) -> Markup {
        tag("table", ["role": "table", "class": "stack"]) {
            tag("thead", ["role": "rowgroup"]) {
                tag("tr", ["role": "row"]) {
                    for name in ["Endpoint", "Breaker", "In flight", "Weight", "Delivered", "Trouble"] {
                        tag("th", ["scope": "col", "role": "columnheader"]) { name }
                    }
                }
            }
            tag("tbody", ["role": "rowgroup"]) {
                for endpoint in destination.endpoints {
                    tag("tr", ["role": "row"]) {
                        tag("th", ["scope": "row", "role": "rowheader"]) { endpoint.name }
                        cell("Breaker", Self.words(endpoint.breaker))
                        cell("In flight", "\(endpoint.inFlight) of \(endpoint.concurrency)")
                        cell("Weight", "\(endpoint.weight)")
                        cell("Delivered", "\(Figures.count(Int64(clamping: endpoint.sentEvents))) events")
                        tag("td", ["role": "cell", "class": "why", "data-label": "Trouble"]) {
                            endpoint.trouble?.sentence ?? "none"
                        }
                    }
                }
            }
        }
    }

    private func cell(_ label: String, _ text: String) -> Markup {
        tag("td", ["role": "cell", "data-label": label]) { text }
    }

    private static func words(_ breaker: String) -> String {
        switch breaker {
        case "closed": "works"
        case "open": "rests"
        case "half_open": "is tried"
        default: breaker
        }
    }

    @MarkupBuilder private var history: Markup {
        let transitions = seen.histories[reading.id]?.transitions ?? []
        if transitions.isEmpty {
            tag("p") { "Nothing yet: a change of state will be listed here with its reason." }
        } else {
            tag("table", ["role": "table"]) {
                tag("thead", ["role": "rowgroup"]) {
                    tag("tr", ["role": "row"]) {
                        for name in ["At (UTC)", "State", "Why"] {
                            tag("th", ["scope": "col", "role": "columnheader"]) { name }
                        }
                    }
                }
                tag("tbody", ["role": "rowgroup"]) {
                    for transition in transitions.reversed() {
                        tag("tr", ["role": "row"]) {
                            tag("th", ["scope": "row", "role": "rowheader"]) { WhyText.clock(transition.at) }
                            tag("td", ["role": "cell"]) { transition.state }
                            tag("td", ["role": "cell", "class": "why"]) { transition.reason.sentence }
                        }
                    }
                }
            }
        }
    }

    private var counters: Markup {
        let counters = reading.counters
        let count = { (value: UInt64) in Figures.count(Int64(clamping: value)) }
        var rows = [
            ("events taken", count(counters.takenEvents)),
            ("events found on disk at the start", count(counters.recoveredEvents)),
            ("events delivered", count(counters.deliveredEvents)),
            ("events held now", Figures.count(counters.heldEvents)),
            ("dead letters", count(counters.deadLetteredEvents)), ("events dropped", count(counters.droppedTotal)),
        ]
        rows += counters.droppedEvents.sorted { $0.key < $1.key }.map { ("dropped: \($0.key)", count($0.value)) }
        rows.append(("deliveries tried", count(counters.attempts)))
        rows += counters.failures.sorted { $0.key < $1.key }.map { ("failed: \($0.key)", count($0.value)) }
        rows.append(("time that senders waited", Figures.duration(Double(counters.blockedNanoseconds) / 1e9)))
        return tag("table", ["class": "facts"]) {
            for (name, value) in rows {
                tag("tr") {
                    tag("th", ["scope": "row"]) { name }
                    tag("td", ["class": "text"]) { value }
                }
            }
        }
    }
}

/// A page for what does not exist: what was asked for, and where to go.
struct ProblemPage: Sendable {
    let problem: APIProblem

    var markup: Markup {
        Frame(title: problem.message, structure: "", place: .other).markup {
            tag("section", ["class": "panel empty", "aria-labelledby": "problem"]) {
                tag("h1", ["id": "problem", "class": "inside"]) { problem.message }
                if !problem.detail.isEmpty { tag("p") { problem.detail } }
                if !problem.help.isEmpty { tag("p") { problem.help } }
                tag("p") { tag("a", ["href": "/"]) { "Back to the overview" } }
            }
        }
    }
}
