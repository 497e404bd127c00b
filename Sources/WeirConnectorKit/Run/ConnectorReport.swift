internal import WeirGates
internal import WeirWorld

/// What each ping tells about the scheduler (`connector_info`).
struct ConnectorReport: Sendable, Hashable {
    var isRunAndTerminate = false
    var isBuffering = false
    /// MB of 10⁶ bytes.
    var queueThreshold: Double
    /// MB of 10⁶ bytes, as last asked for.
    var queueSize: Double = 0
    var nextRun: WallTime?
    var lastRun: WallTime?

    init(threshold: QueueThreshold) { queueThreshold = threshold.megabytes }

    var json: JSONValue {
        [
            "run_and_terminate": .bool(isRunAndTerminate), "buffering": .bool(isBuffering),
            "queue_threshold": .real(queueThreshold), "queue_messages_size": .real(queueSize),
            "next_run_datetime": ConnectorReport.text(nextRun), "last_run_datetime": ConnectorReport.text(lastRun),
        ]
    }

    /// Whole seconds: `2026-11-21T20:15:03Z`.
    private static func text(_ time: WallTime?) -> JSONValue {
        guard let time else { return .null }
        let date = CivilDate(time)
        return .string("\(date.dateText)T\(date.clockText)Z")
    }
}
