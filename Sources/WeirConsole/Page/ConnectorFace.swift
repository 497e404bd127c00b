import WeirGates
import WeirNode
import WeirWorld

/// What the pages say of a connector: page and live updates are made from the same values.
struct ConnectorFace: Sendable {
    let id: String
    let state: StateFace
    let trouble: String
    let cells: [FaceCell]

    init(_ status: ConnectorStatus, at now: WallTime) {
        id = status.id
        // The gate's shape and colour, with the word of what the connector does.
        var state = Self.state(status)
        state.word = status.word
        self.state = state
        trouble = status.troubles.first?.sentence ?? ""
        cells = [
            FaceCell(key: "clast", label: "Last run", text: ConnectorText.lastRun(status)),
            FaceCell(key: "cnext", label: "Next run", text: ConnectorText.nextRun(status)),
            FaceCell(
                key: "ccapacity", label: "Server capacity", text: ConnectorText.capacity(status),
                tone: status.isFull ? "full" : "plain"),
            FaceCell(
                key: "cbuffering", label: "Buffering", text: ConnectorText.buffering(status),
                tone: status.isBuffering ? "full" : "plain"),
            FaceCell(key: "cping", label: "Heartbeat", text: ConnectorText.heartbeat(status, at: now)),
        ]
    }

    private static func state(_ status: ConnectorStatus) -> StateFace {
        switch status.activity {
        case "failed": .failed
        case "buffering": StateFace(.buffering)
        case "paused": StateFace(.paused)
        default: StateFace(status.gate?.state ?? .unknown)
        }
    }

    var troubleClass: String { trouble.isEmpty ? "gone" : "shown" }

    var chip: Markup { Icon.chip(state, id: "c/\(id)") }
}
