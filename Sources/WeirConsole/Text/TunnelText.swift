import WeirGates

/// What is said of the tunnel, the same on the page and in the terminal.
enum TunnelText {
    /// `0.1 ms / 2.5 ms`; `none yet` without any.
    static func quantiles(_ view: TunnelView.QuantilesView?) -> String {
        guard let view else { return "none yet" }
        return "\(bound(view.p50)) / \(bound(view.p95))"
    }

    private static func bound(_ seconds: Double?) -> String {
        guard let seconds else { return "over 10 s" }
        return "≤ " + Figures.duration(seconds)
    }

    static func queue(_ view: TunnelView) -> String {
        Figures.pressure(Int64(view.queueBytes), of: Int64(view.queueLimitBytes), "bytes")
    }

    /// Of those that came and were not carried.
    static func refused(_ view: TunnelView) -> String {
        let parts = view.results.filter { $0.key != "opened" && $0.value > 0 }.sorted { $0.key < $1.key }
        return parts.isEmpty
            ? "none"
            : parts.map { "\(Figures.count(Int64(clamping: $0.value))) \($0.key)" }
                .joined(separator: ", ")
    }

    static func decisions(_ view: TunnelView) -> String {
        ["allow", "deny", "error"].map { "\(view.decisions[$0, default: 0]) \($0)" }.joined(separator: ", ")
    }

    /// `open`, `no agent`, `blocked`.
    static func state(_ view: TunnelView) -> String {
        if isAlone(view) { return "no agent" }
        return view.blocked > 0 ? "filling" : "open"
    }

    /// No agent serves it, here or where clients are forwarded to.
    static func isAlone(_ view: TunnelView) -> Bool {
        view.agents.isEmpty
            && (view.elsewhere.isEmpty || view.troubles.contains { ["no_agent", "mesh_down"].contains($0.code) })
    }

    /// `site-01, site-02 at hub-b`.
    static func agents(_ view: TunnelView) -> String {
        (view.agents + view.elsewhere.map { "\($0.agent) at \($0.hub)" }).joined(separator: ", ")
    }

    static func state(_ view: AgentView) -> String {
        if view.connected { return "connected" }
        return view.owner.map { $0.here ? "away" : "elsewhere" } ?? "away"
    }

    /// Why a link ended, by the word of the metrics.
    static func end(_ reason: String) -> String {
        switch reason {
        case "closed": "the other side closed it"
        case "drain": "it was let go, and had nothing open"
        case "dead_peer": "the agent did not answer a ping"
        case "protocol": "what came over it was no yamux"
        case "failed": "the connection broke"
        case "replaced": "the agent came back as another process"
        case "ordered": "this hub closed it"
        default: reason
        }
    }

    /// `here, epoch 7`; `at hub-b, epoch 7`.
    static func owner(_ view: AgentView) -> String {
        view.owner.map { $0.here ? "here, epoch \($0.epoch)" : $0.place } ?? ""
    }

    static func roundTrip(_ view: AgentView) -> String {
        view.roundTripSeconds.map { Figures.duration($0) } ?? "not measured yet"
    }

    /// `2026-11-21 17:30:05 UTC`, from what the API says.
    static func at(_ text: String?) -> String {
        guard let text, text.count >= 19 else { return "" }
        return text.prefix(10) + " " + text.dropFirst(11).prefix(8) + " UTC"
    }
}

extension Listing {
    package static func tunnels(_ tunnels: [TunnelView]) -> TextTable {
        var table = TextTable([
            "tunnel", "state", "listens", "agents", "open", "blocked", "queue", "write p50/p95", "drain p50/p95",
            "refused", "trouble",
        ])
        for tunnel in tunnels {
            let state = TunnelText.state(tunnel)
            table.add([
                TextTable.Cell(tunnel.connector, .bold),
                TextTable.Cell(state, TunnelText.isAlone(tunnel) ? .bad : .state(state)),
                TextTable.Cell(tunnel.listeners.joined(separator: ", ")),
                TextTable.Cell(TunnelText.agents(tunnel)), TextTable.Cell("\(tunnel.connections)"),
                TextTable.Cell("\(tunnel.blocked)", tunnel.blocked > 0 ? .warning : .plain),
                TextTable.Cell(TunnelText.queue(tunnel)), TextTable.Cell(TunnelText.quantiles(tunnel.write)),
                TextTable.Cell(TunnelText.quantiles(tunnel.drain)), TextTable.Cell(TunnelText.refused(tunnel)),
                TextTable.Cell(tunnel.troubles.map(\.sentence).joined(separator: " "), .warning),
            ])
        }
        return table
    }

    package static func agents(_ agents: [AgentView]) -> TextTable {
        let isMesh = agents.contains { $0.owner != nil }
        var table = TextTable(
            [
                "agent", "state", "version", "serves", "since", "links", "streams", "round trip", "certificate ends",
                "came back",
            ] + (isMesh ? ["owned"] : []))
        for agent in agents {
            let isThere = TunnelText.state(agent) != "away"
            table.add(
                [
                    TextTable.Cell(agent.name, .bold),
                    TextTable.Cell(TunnelText.state(agent), isThere ? .state("open") : .bad),
                    TextTable.Cell(agent.version ?? ""), TextTable.Cell(agent.connectors.joined(separator: ", ")),
                    TextTable.Cell(TunnelText.at(agent.connected ? agent.connectedSince : agent.awaySince)),
                    TextTable.Cell("\(agent.links)"), TextTable.Cell("\(agent.streams)"),
                    TextTable.Cell(agent.connected ? TunnelText.roundTrip(agent) : ""),
                    TextTable.Cell(TunnelText.at(agent.certificateExpiry)), TextTable.Cell("\(agent.reconnects)"),
                ] + (isMesh ? [TextTable.Cell(TunnelText.owner(agent))] : []))
        }
        return table
    }

    package static func connections(_ connections: [ConnectionView]) -> TextTable {
        var table = TextTable(["client", "agent", "since", "to target", "to client", "queued", "waits for"])
        for connection in connections {
            table.add([
                TextTable.Cell(connection.client ?? "unknown", .bold), TextTable.Cell(connection.agent),
                TextTable.Cell(TunnelText.at(connection.since)),
                TextTable.Cell(Figures.bytes(Int64(clamping: connection.bytesToTarget))),
                TextTable.Cell(Figures.bytes(Int64(clamping: connection.bytesToClient))),
                TextTable.Cell(Figures.bytes(Int64(connection.queuedBytes))),
                TextTable.Cell(connection.waitsFor.joined(separator: ", "), .warning),
            ])
        }
        return table
    }

    /// What `weir tunnel probe` prints.
    package static func probe(_ probe: ProbeView) -> TextTable {
        var table = TextTable(["hop", "took", "outcome"])
        for hop in probe.hops {
            table.add([
                TextTable.Cell(hop.name, .bold), TextTable.Cell(hop.seconds.map { Figures.duration($0) } ?? ""),
                TextTable.Cell(hop.outcome, hop.well ? .plain : .bad),
            ])
        }
        return table
    }

    /// What `weir why tunnel/NAME` and `weir describe tunnel` say.
    package static func why(_ tunnel: TunnelView) -> WhyText {
        var lines = [
            WhyText.Line("listens", tunnel.listeners.joined(separator: ", ")),
            WhyText.Line(
                "agents", tunnel.agents.isEmpty ? "none" : tunnel.agents.joined(separator: ", "),
                note: "weir get agents"),
        ]
        for owner in tunnel.elsewhere {
            lines.append(WhyText.Line("elsewhere", "\(owner.agent) \(owner.place)", note: "weir why mesh"))
        }
        lines += [
            WhyText.Line(
                "open", "\(tunnel.connections)",
                note: tunnel.blocked > 0 ? "\(tunnel.blocked) wait for their receiver" : ""),
            WhyText.Line("fullest queue", TunnelText.queue(tunnel)),
            WhyText.Line("write p50/p95", TunnelText.quantiles(tunnel.write)),
            WhyText.Line("drain p50/p95", TunnelText.quantiles(tunnel.drain)),
            WhyText.Line("dial p50/p95", TunnelText.quantiles(tunnel.dial)),
            WhyText.Line("refused", TunnelText.refused(tunnel)),
            WhyText.Line("decisions", TunnelText.decisions(tunnel)),
            WhyText.Line(
                "carried",
                "\(Figures.bytes(Int64(clamping: tunnel.bytesToTarget))) to the target, "
                    + "\(Figures.bytes(Int64(clamping: tunnel.bytesToClient))) to clients"),
        ]
        for trouble in tunnel.troubles {
            lines.append(WhyText.Line("trouble", trouble.sentence, note: trouble.runbook ?? trouble.code))
            if let since = trouble.since { lines.append(WhyText.Line("since", since)) }
            lines.append(WhyText.Line("what helps", trouble.advice))
        }
        if tunnel.troubles.isEmpty { lines.append(WhyText.Line("trouble", "none")) }
        let verb = TunnelText.isAlone(tunnel) ? "has" : "is"
        return WhyText(headline: "tunnel/\(tunnel.connector) \(verb) \(TunnelText.state(tunnel))", lines: lines)
    }
}
