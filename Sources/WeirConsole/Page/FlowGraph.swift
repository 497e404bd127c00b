import WeirFlow
import WeirGates
import WeirNode

/// Sources, gates and receivers in three columns, joined by curves in the colour and dash of the gate's state. Under
/// 700 px the same facts stand in a list instead.
struct FlowGraph: Sendable {
    /// More rows would not be read as a picture; the table below has them all.
    static let rowsMost = 40

    let seen: Snapshot
    private let gates: [GateReading]
    private let sources: [String]
    private let receivers: [String]

    private let rowHeight = 70.0
    private let boxHeight = 44.0

    init(seen: Snapshot) {
        self.seen = seen
        // In the configuration's order (by name), so that nothing jumps while states change.
        gates = Self.shown(seen)
        var sources = seen.sources.map(\.reading.name)
        var receivers: [String] = []
        for gate in gates {
            for sender in gate.senders where !sources.contains(sender) && !gates.contains(where: { $0.id == sender }) {
                sources.append(sender)
            }
            // Behind the gate of a composed destination stand its members' gates.
            if gate.members.isEmpty, !receivers.contains(gate.receiver) { receivers.append(gate.receiver) }
        }
        self.sources = Array(sources.prefix(Self.rowsMost))
        self.receivers = receivers
    }

    /// Connectors are one box: each has its own row in the table below or on their own page, and a picture with a
    /// curve for each would show nothing.
    static let connectors = "connectors"

    static func shown(_ seen: Snapshot) -> [GateReading] {
        let ids = Set(seen.mostPressedFirst.filter { $0.kind != .connector }.prefix(rowsMost).map(\.id))
        return seen.gates.filter { ids.contains($0.id) }.map { gate in
            var gate = gate
            gate.senders = senders(of: gate)
            return gate
        }
    }

    /// As they are drawn.
    static func senders(of gate: GateReading) -> [String] {
        let others = gate.senders.filter { !$0.hasPrefix(GateKind.connectorPrefix) }
        return others.count < gate.senders.count ? others + [connectors] : others
    }

    var markup: Markup {
        let rows = max(gates.count, sources.count, receivers.count, 1)
        let height = Double(rows) * rowHeight + 20
        let graph = tag(
            "svg",
            [
                "class": "graph", "viewBox": "0 0 1180 \(Figures.rounded(height, 0))", "width": "100%", "role": "img",
                "aria-label":
                    "Sources on the left, gates in the middle, receivers on the right; the table has the same facts.",
            ]
        ) {
            edges(height)
            if sources.isEmpty {
                tag("text", ["class": "m", "x": "34", "y": Figures.rounded(height / 2 + 4, 0)]) {
                    "No source is configured"
                }
            }
            for (index, name) in sources.enumerated() { source(name, y: place(index, of: sources.count, height)) }
            for (index, gate) in gates.enumerated() { box(gate, y: place(index, of: gates.count, height)) }
            for (index, name) in receivers.enumerated() { receiver(name, y: place(index, of: receivers.count, height)) }
        }
        let drawable = seen.gates.filter { $0.kind != .connector }.count
        guard drawable > gates.count else { return graph + list }
        return graph + list
            + tag("p") { "The \(gates.count) most pressed of \(drawable) gates are drawn; the table has all." }
    }

    private var list: Markup {
        tag("ul", ["class": "flow-list"]) {
            for gate in gates {
                let face = GateFace(gate, in: seen)
                tag("li") {
                    tag("span", ["class": "from"]) {
                        gate.senders.isEmpty ? "nothing" : gate.senders.joined(separator: ", ")
                    }
                    tag("span", ["class": "to"]) {
                        "to "
                        tag("b") { gate.id }
                        gate.receiver == gate.id ? "" : " (\(gate.receiver))"
                    }
                    tag(
                        "svg",
                        [
                            "class": "level", "viewBox": "0 0 292 7", "preserveAspectRatio": "none",
                            "aria-hidden": "true",
                        ]
                    ) {
                        tag("rect", ["class": "track", "width": "292", "height": "7"])
                        tag(
                            "rect",
                            [
                                "class": "b-\(face.state.tone)", "width": Self.width(face), "height": "7",
                                "id": "lbar:\(gate.id)",
                            ])
                    }
                    tag("span", ["class": "m", "id": "ltext:\(gate.id)"]) { Self.text(face) }
                }
            }
        }
    }

    /// Columns are spread over the whole height.
    private func place(_ index: Int, of count: Int, _ height: Double) -> Double {
        let step = (height - 20) / Double(max(count, 1))
        return 10 + step * (Double(index) + 0.5) - boxHeight / 2
    }

    @MarkupBuilder private func edges(_ height: Double) -> Markup {
        for (index, gate) in gates.enumerated() {
            let y = place(index, of: gates.count, height) + boxHeight / 2
            let tone = StateFace(gate.state).tone
            for (number, sender) in gate.senders.enumerated() {
                if let from = sources.firstIndex(of: sender) {
                    edge(
                        "edge:\(number):\(gate.id)", tone,
                        (250, place(from, of: sources.count, height) + boxHeight / 2), (430, y))
                } else if let from = gates.firstIndex(where: { $0.id == sender }) {
                    // From one gate to another: round the left side of the column.
                    turn("edge:\(number):\(gate.id)", tone, place(from, of: gates.count, height) + boxHeight / 2, y)
                }
            }
            if let to = receivers.firstIndex(of: gate.receiver) {
                edge("out:\(gate.id)", tone, (750, y), (930, place(to, of: receivers.count, height) + boxHeight / 2))
            }
        }
    }

    private func edge(_ id: String, _ tone: String, _ from: (Double, Double), _ to: (Double, Double)) -> Markup {
        let n = { (value: Double) in Figures.rounded(value, 0) }
        let path =
            "M\(n(from.0)) \(n(from.1))C\(n(from.0 + 80)) \(n(from.1)) \(n(to.0 - 80)) \(n(to.1)) \(n(to.0)) \(n(to.1))"
        return tag("path", ["class": "edge e-\(tone)", "d": path, "id": id])
    }

    private func turn(_ id: String, _ tone: String, _ from: Double, _ to: Double) -> Markup {
        let n = { (value: Double) in Figures.rounded(value, 0) }
        return tag(
            "path",
            ["class": "edge e-\(tone)", "d": "M430 \(n(from))C370 \(n(from)) 370 \(n(to)) 430 \(n(to))", "id": id])
    }

    private func source(_ name: String, y: Double) -> Markup {
        tag("g") {
            rectangle("box", x: 20, y: y, width: 230, height: boxHeight, radius: 7)
            label(name, x: 34, y: y + 19, most: 30)
            tag("text", ["class": "m", "x": "34", "y": Figures.rounded(y + 35, 0), "id": "srate:\(name)"]) {
                Self.sourceText(name, seen)
            }
        }
    }

    private func box(_ gate: GateReading, y: Double) -> Markup {
        let face = GateFace(gate, in: seen)
        return tag("g") {
            rectangle("box", x: 430, y: y, width: 320, height: boxHeight, radius: 7)
            tag(
                "path",
                [
                    "class": "i-\(face.state.tone)", "d": face.state.path, "fill-rule": "evenodd",
                    "id": "ficon:\(gate.id)",
                    "transform": "translate(444 \(Figures.rounded(y + 8, 0)))",
                ])
            label(gate.id, x: 462, y: y + 18, most: 17)
            tag(
                "text",
                [
                    "class": "m", "x": "736", "y": Figures.rounded(y + 18, 0), "text-anchor": "end",
                    "id": "ftext:\(gate.id)",
                ]
            ) { Self.text(face) }
            rectangle("track", x: 444, y: y + 27, width: 292, height: 7, radius: 3)
            tag(
                "rect",
                [
                    "class": "b-\(face.state.tone)", "x": "444", "y": Figures.rounded(y + 27, 0),
                    "width": Self.width(face),
                    "height": "7", "rx": "3", "id": "fbar:\(gate.id)",
                ])
        }
    }

    private func receiver(_ name: String, y: Double) -> Markup {
        tag("g") {
            rectangle("box", x: 930, y: y, width: 230, height: boxHeight, radius: 7)
            label(name, x: 944, y: y + 19, most: 30)
            tag("text", ["class": "m", "x": "944", "y": Figures.rounded(y + 35, 0), "id": "rmeta:\(name)"]) {
                Self.receiverText(name, seen)
            }
        }
    }

    private func rectangle(
        _ style: String, x: Double, y: Double, width: Double, height: Double, radius: Double
    ) -> Markup {
        tag(
            "rect",
            [
                "class": style, "x": Figures.rounded(x, 0), "y": Figures.rounded(y, 0),
                "width": Figures.rounded(width, 0),
                "height": Figures.rounded(height, 0), "rx": Figures.rounded(radius, 0),
            ])
    }

    /// SVG does not shorten text by itself; the whole name is the tooltip.
    private func label(_ name: String, x: Double, y: Double, most: Int) -> Markup {
        tag("text", ["x": Figures.rounded(x, 0), "y": Figures.rounded(y, 0)]) {
            name.count > most ? String(name.prefix(most - 1)) + "…" : name
            tag("title") { name }
        }
    }

    // MARK: What moves; the live updates use the same

    static func text(_ face: GateFace) -> String { "\(face.state.word)  \(face.pressure)" }

    static func width(_ face: GateFace) -> String { Figures.rounded(face.bar * 292, 0) }

    static func sourceText(_ name: String, _ seen: Snapshot) -> String {
        if name == connectors, !seen.sources.contains(where: { $0.reading.name == name }) {
            let all = seen.gates.filter { $0.kind == .connector }
            if seen.gatesLeft > 0 { return Figures.count(Int64(seen.gatesLeft + all.count)) }
            return "\(all.filter { $0.state.isHeld }.count) of \(all.count) held"
        }
        guard let source = seen.sources.first(where: { $0.reading.name == name }) else { return "" }
        let rate = "\(Figures.rate(seen.sourceRates[name] ?? 0)) events/s"
        return source.state == "reading" ? rate : "\(source.state), \(rate)"
    }

    static func receiverText(_ name: String, _ seen: Snapshot) -> String {
        let gates = seen.gates.filter { $0.receiver == name }
        let rate = gates.reduce(0) { $0 + seen.rates($1.id).outEventsPerSecond }
        let high = gates.compactMap { $0.latency?.high }.max()
        return "\(Figures.rate(rate)) events/s" + (high.map { ", p95 \(Figures.duration($0))" } ?? "")
    }
}
