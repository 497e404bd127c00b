/// The tables of `weir get` and `weir top`, as values: what stands in which column.
package enum Listing {
    package static func gates(_ gates: [GateView], hasSigns: Bool = false) -> TextTable {
        var table = TextTable(["gate", "state", "level / limit", "in / out per s", "why"])
        for gate in gates {
            table.add([
                TextTable.Cell(gate.id, .bold), TextTable.Cell(state(gate.state, hasSigns), .state(gate.state)),
                TextTable.Cell(Figures.pressure(gate.level, of: gate.limit.amount, gate.limit.unit)),
                TextTable.Cell(
                    "\(Figures.rate(gate.rates.inEventsPerSecond)) / \(Figures.rate(gate.rates.outEventsPerSecond))"),
                TextTable.Cell(gate.reason.sentence),
            ])
        }
        return table
    }

    package static func sources(_ sources: [SourceView]) -> TextTable {
        var table = TextTable(["source", "type", "state", "events", "per s", "connections", "lost", "listens, reads"])
        for source in sources {
            let lost = source.dropped.values.reduce(0, &+)
            table.add([
                TextTable.Cell(source.name, .bold), TextTable.Cell(source.type),
                TextTable.Cell(source.state, .state(source.state)), TextTable.Cell(count(source.events)),
                TextTable.Cell(Figures.rate(source.eventsPerSecond)), TextTable.Cell("\(source.connections)"),
                TextTable.Cell(count(lost), lost > 0 ? .bad : .plain),
                TextTable.Cell(
                    (source.addresses + [source.reason?.sentence].compactMap { $0 }).joined(separator: ", ")),
            ])
        }
        return table
    }

    package static func destinations(_ destinations: [DestinationView]) -> TextTable {
        var table = TextTable(["destination", "type", "state", "delivered", "dead letters", "endpoints"])
        for destination in destinations {
            let state = destination.gate?.state ?? "none"
            let resting = destination.endpoints.filter { $0.breaker == "open" }
            let names = destination.endpoints.map { $0.breaker == "open" ? "\($0.name) (rests)" : $0.name }
            table.add([
                TextTable.Cell(destination.name, .bold), TextTable.Cell(destination.type),
                TextTable.Cell(state, .state(state)),
                TextTable.Cell(count(destination.gate?.counters.deliveredEvents ?? 0)),
                TextTable.Cell(
                    Figures.count(destination.deadLetterEvents), destination.deadLetterEvents > 0 ? .warning : .plain),
                TextTable.Cell(names.joined(separator: ", "), resting.isEmpty ? .plain : .warning),
            ])
        }
        return table
    }

    package static func routes(_ routes: [RouteView]) -> TextTable {
        var table = TextTable(["route", "to", "final", "matched", "failed", "when"])
        for route in routes {
            table.add([
                TextTable.Cell(route.name, .bold), TextTable.Cell(route.to.joined(separator: ", ")),
                TextTable.Cell(route.final ? "yes" : "no"), TextTable.Cell(count(route.matchedEvents)),
                TextTable.Cell(count(route.failedEvents), route.failedEvents > 0 ? .warning : .plain),
                TextTable.Cell(route.condition.isEmpty ? "always" : route.condition),
            ])
        }
        return table
    }

    package static func queues(_ queues: [StoredQueueView]) -> TextTable {
        var table = TextTable(["queue", "mode", "size", "events", "oldest", "state", "directory"])
        for stored in queues {
            let queue = stored.queue
            let state =
                stored.drainsTo.map { "drains to \($0)" }
                ?? (stored.orphan ? "orphan" : queue.trouble?.code ?? (queue.engaged ? "engaged" : "idle"))
            table.add([
                TextTable.Cell(stored.name, .bold), TextTable.Cell(queue.mode),
                // An orphan has no limit any more.
                TextTable.Cell(
                    stored.orphan
                        ? Figures.bytes(queue.bytes) : Figures.pressure(queue.bytes, of: queue.maxBytes, "bytes")),
                TextTable.Cell(Figures.count(queue.events)),
                TextTable.Cell(queue.oldestSeconds.map(Figures.duration) ?? ""),
                TextTable.Cell(state, stored.orphan || queue.trouble != nil ? .warning : .plain),
                TextTable.Cell(stored.directory),
            ])
        }
        return table
    }

    package static func connectors(_ connectors: [ConnectorView]) -> TextTable {
        var table = TextTable([
            "connector", "by", "state", "last run", "next run", "server capacity", "buffering", "trouble",
        ])
        for connector in connectors {
            let state = connector.shown.state
            table.add([
                TextTable.Cell(connector.name, .bold), TextTable.Cell(connector.origin),
                TextTable.Cell(state, .state(state)), TextTable.Cell(connector.shown.lastRun),
                TextTable.Cell(connector.shown.nextRun),
                TextTable.Cell(connector.shown.serverCapacity, connector.full ? .bad : .plain),
                TextTable.Cell(connector.buffering ? "yes" : "no", connector.buffering ? .warning : .plain),
                TextTable.Cell(connector.troubles.map(\.sentence).joined(separator: " "), .warning),
            ])
        }
        return table
    }

    /// The lines of `weir why`: label, value, and where the value comes from.
    package static func why(_ why: WhyText, hasColours: Bool) -> [String] {
        let labels = why.lines.map { Display.width(Printable.line($0.label)) }.max() ?? 0
        // Notes stand in one column, as long as the values before them are not too long.
        let values = why.lines.filter { !$0.note.isEmpty }.map { Display.width(Printable.line($0.value)) }
        let column = min(values.max() ?? 0, 56)
        return [Printable.line(why.headline)]
            + why.lines.map { line in
                let label = Printable.line(line.label)
                let value = Printable.line(line.value)
                let note = Printable.line(line.note)
                var text = "  " + (hasColours ? Ink.dim.wrap(label) : label)
                text += String(repeating: " ", count: labels - Display.width(label) + 3) + value
                guard !note.isEmpty else { return text }
                text += String(repeating: " ", count: max(column - Display.width(value), 0) + 3)
                return text + (hasColours ? Ink.dim.wrap(note) : note)
            }
    }

    /// Signs beside the words, for terminals that can show them.
    private static func state(_ word: String, _ hasSigns: Bool) -> String {
        guard hasSigns else { return word }
        let sign =
            switch word {
            case "open": "●"
            case "filling": "◐"
            case "blocking": "■"
            case "dropping": "▼"
            case "queueing": "≡"
            case "buffering": "◔"
            case "suspended": "×"
            case "paused": "‖"
            default: "?"
            }
        return "\(sign) \(word)"
    }

    private static func count(_ value: UInt64) -> String { Figures.count(Int64(clamping: value)) }
}
