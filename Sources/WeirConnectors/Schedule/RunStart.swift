package import WeirGates
package import WeirWorld

/// Why a run starts now.
package enum RunReason: String, Sendable, Hashable, Codable {
    /// The connector never ran before.
    case first
    case scheduled
    /// Its time passed while Weir was down, the connector paused or still running.
    case missed
    /// It was postponed, and there is room now.
    case released
    /// The run before it failed.
    case retry
    /// A person said so.
    case person
}

/// One run, as the scheduler lets it begin.
package struct RunStart: Sendable, Hashable {
    package var connector: ConnectorID
    /// Tells this run from all others of this scheduler; given back with `ended`.
    package var ticket: UInt64
    package var reason: RunReason
    /// When it should have started.
    package var due: WallTime
    /// 1 for the first try of a run; counts up while it fails.
    package var attempt: Int
    /// What must be durable before the run begins, where that matters: that the exempt first run was begun.
    package var memory: ScheduleMemory?

    package init(
        connector: ConnectorID, ticket: UInt64 = 0, reason: RunReason, due: WallTime, attempt: Int = 1,
        memory: ScheduleMemory? = nil
    ) {
        self.connector = connector
        self.ticket = ticket
        self.reason = reason
        self.due = due
        self.attempt = attempt
        self.memory = memory
    }
}

/// A run that waits because there is no room for what it would bring.
package struct Postponement: Sendable, Hashable {
    package var since: WallTime
    /// Bytes; `nil` where they could not be counted, which counts as full.
    package var level: ByteCount?
    package var threshold: ByteCount
    /// How often the level has been looked at since.
    package var looks: Int

    /// For people and for the gate: the level against the threshold.
    package var reason: Reason {
        guard let level else {
            return Reason(
                "level_unknown", "The size of the work queue cannot be read, so it counts as full; the run waits.")
        }
        return Reason(
            "queue_threshold",
            "The work queue holds \(level.shortText), the threshold is \(threshold.shortText); the run waits.")
    }
}

/// How a run ended.
package enum RunOutcome: Sendable, Hashable {
    case succeeded
    /// It is tried again with back-off; `retryAfter` is the least wait, as the other side asked for.
    case failed(retryAfter: Duration?)
    /// Cancelled, because Weir stops or a person stopped it. It counts as not run; the next one comes at its time.
    case stopped
}
