import WeirGates
import WeirWorld

// The runs of connectors that Weir runs itself: how they begin, what is remembered of them, and what is left of those
// that a stop cut off. How they end: `finishRun`.
extension Connectors {
    /// Who starts the runs: it reads the levels of the work queues, writes down what must be kept of runs, hears of
    /// gates that open, and starts nothing of a connector that a person holds.
    package func runner(
        tuning: Scheduler.Tuning = .init(), report: @escaping @Sendable (RunReport) -> Void
    ) -> ScheduleRunner {
        let runner = ScheduleRunner(
            world, tuning: tuning,
            ScheduleRunner.Surroundings(
                level: { [self] in await queueLevel($0).map { ByteCount($0.bytes) } },
                remember: { [self] in try await remember($1, of: $0) }, report: report))
        book.whenGateChanges { [weak runner] id, level in runner?.levelChanged(id, level.map { ByteCount($0) }) }
        book.whenHeld { [weak runner] id, isHeld in isHeld ? runner?.pause(id) : runner?.resume(id) }
        return runner
    }

    /// A run begins. A reset from now on counts for the run: its state is dropped at its end.
    package func runBegins(_ id: ConnectorID) { book.with { $0.registry.runBegins(id) } }

    /// What is known of a connector's schedule, written in the transaction that counts the end of its last run.
    package func schedule(of id: ConnectorID) -> ScheduleMemory {
        book.with { $0.registry[id]?.schedule } ?? ScheduleMemory()
    }

    /// Returns when it is durable; for what must be known before a run begins.
    package func remember(_ schedule: ScheduleMemory, of id: ConnectorID) async throws(ConnectorFailure) {
        try await book.commit(id) { state throws(ConnectorFailure) in
            guard state.registry.remember(schedule, of: id) else { throw .unknown(id) }
            state.changedRecords.insert(id)
            return ((), [])
        }
    }

    /// Before the first run after a start: no run outlives the process that ran it, so a work that is not processed is
    /// of one that was cut off. What it has pushed is delivered.
    package func closeInterruptedWorks(of id: ConnectorID) async throws(ConnectorFailure) {
        let open = book.with { $0.works.works(of: id) }.filter { $0.processedAt == nil }
        for work in open.sorted(by: { $0.startedAt < $1.startedAt }) {
            try await processed(
                work.id, message: "Weir was stopped in this run; what it had pushed is delivered.", isError: true)
        }
    }
}
