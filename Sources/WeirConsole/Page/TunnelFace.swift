import WeirGates

/// What the page says of tunnels and agents: page and live updates are made from the same values.
struct TunnelFace: Sendable {
    let id: String
    let state: StateFace
    let trouble: String
    let cells: [FaceCell]
    /// Of the second table: latency, ends, decisions.
    var more: [FaceCell] = []

    init(_ view: TunnelView) {
        id = view.connector
        var state = TunnelText.isAlone(view) ? StateFace.failed : StateFace(view.blocked > 0 ? .filling : .open)
        state.word = TunnelText.state(view)
        self.state = state
        trouble = view.troubles.first?.sentence ?? ""
        let isFilling = view.queueLimitBytes > 0 && view.queueBytes * 4 > view.queueLimitBytes * 3
        cells = [
            FaceCell(key: "tlisten", label: "Listens", text: view.listeners.joined(separator: ", ")),
            FaceCell(
                key: "tagents", label: "Agents",
                text: view.agents.isEmpty && view.elsewhere.isEmpty ? "none" : TunnelText.agents(view)),
            FaceCell(key: "topen", label: "Open", text: "\(view.connections)"),
            FaceCell(key: "tblocked", label: "Wait", text: "\(view.blocked)"),
            FaceCell(
                key: "tqueue", label: "Fullest queue", text: TunnelText.queue(view),
                tone: isFilling ? "full" : "plain"),
            FaceCell(key: "trefused", label: "Refused", text: TunnelText.refused(view)),
        ]
        more = [
            FaceCell(key: "twrite", label: "Write p50 / p95", text: TunnelText.quantiles(view.write)),
            FaceCell(key: "tdrain", label: "Drain p50 / p95", text: TunnelText.quantiles(view.drain)),
            FaceCell(key: "tdial", label: "Dial p50 / p95", text: TunnelText.quantiles(view.dial)),
            FaceCell(
                key: "tends", label: "FIN / RST",
                text: "\(view.finSent + view.finReceived) / \(view.rstSent + view.rstReceived)"),
            FaceCell(key: "tdecide", label: "Decisions", text: TunnelText.decisions(view)),
        ]
    }

    /// - Parameter inMesh: who owns the agent is of interest.
    init(_ view: AgentView, inMesh: Bool) {
        id = view.name
        var state = TunnelText.state(view) == "away" ? StateFace.failed : StateFace(.open)
        state.word = TunnelText.state(view)
        self.state = state
        trouble = view.connected ? "" : view.lastEnds.first.map { "Its last link: \(TunnelText.end($0.reason))." } ?? ""
        let owner = inMesh ? [FaceCell(key: "aowner", label: "Owned", text: TunnelText.owner(view))] : []
        cells =
            owner + [
                FaceCell(key: "aversion", label: "Version", text: view.version ?? ""),
                FaceCell(key: "aserves", label: "Serves", text: view.connectors.joined(separator: ", ")),
                FaceCell(
                    key: "asince", label: view.connected ? "Connected since" : "Away since",
                    text: TunnelText.at(view.connected ? view.connectedSince : view.awaySince)),
                FaceCell(key: "acert", label: "Certificate ends", text: TunnelText.at(view.certificateExpiry)),
                FaceCell(key: "astreams", label: "Links / streams", text: "\(view.links) / \(view.streams)"),
                FaceCell(key: "artt", label: "Round trip", text: view.connected ? TunnelText.roundTrip(view) : ""),
                FaceCell(key: "aback", label: "Came back", text: "\(view.reconnects)"),
            ]
    }

    static let tunnelColumns = [
        "Tunnel", "State", "Listens", "Agents", "Open", "Wait", "Fullest queue", "Refused",
    ]
    static let figureColumns = [
        "Tunnel", "Write p50 / p95", "Drain p50 / p95", "Dial p50 / p95", "FIN / RST", "Decisions",
    ]
    static func agentColumns(inMesh: Bool) -> [String] {
        ["Agent", "State"] + (inMesh ? ["Owned"] : [])
            + ["Version", "Serves", "Since", "Certificate ends", "Links / streams", "Round trip", "Came back"]
    }
}
