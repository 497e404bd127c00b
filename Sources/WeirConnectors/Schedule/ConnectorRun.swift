package import WeirGates

/// What a connector does when it is due. Two real ones: a managed connector's, and a Swift connector's of the kit.
package protocol ConnectorRun: Sendable {
    /// Runs once, and returns when everything it brought is durable.
    ///
    /// Its last record holds `occasion.memoryNow()`, and it returns the same value: so the schedule and what was
    /// imported are committed together.
    /// - Throws: `RunFailure`, or anything else, for a failed run; `CancellationError` when it was stopped, which is
    ///   asked for by cancelling the task.
    func run(_ occasion: RunOccasion) async throws -> ScheduleMemory
}

/// One run and its circumstances.
package struct RunOccasion: Sendable {
    package let start: RunStart
    /// What will be remembered of the schedule if the run ends well now.
    package let memoryNow: @Sendable () -> ScheduleMemory

    package init(start: RunStart, memoryNow: @escaping @Sendable () -> ScheduleMemory) {
        self.start = start
        self.memoryNow = memoryNow
    }
}

/// Why a run failed, in words for people.
package struct RunFailure: Error, Sendable, Hashable, CustomStringConvertible {
    package var reason: Reason
    /// The least wait before the next try, where the other side said one (`Retry-After`).
    package var retryAfter: Duration?

    package init(_ code: String, _ sentence: String, retryAfter: Duration? = nil) {
        reason = Reason(code, sentence)
        self.retryAfter = retryAfter
    }

    package var description: String { reason.sentence }
}

/// What happened to a connector's runs; for the gate, the works and the log.
package enum RunReport: Sendable {
    case started(RunStart)
    case postponed(ConnectorID, Postponement)
    case succeeded(RunStart, ScheduleMemory)
    case failed(RunStart, RunFailure)
    case stopped(RunStart)
}
