import Logging
import Synchronization
package import WeirGates
package import WeirWorld

/// Carries out what the `Scheduler` says: sleeps until something is due, reads levels, runs connectors, and tells the
/// scheduler how it went.
package final class ScheduleRunner: Sendable {
    /// What the runner asks and tells the rest of Weir.
    package struct Surroundings: Sendable {
        /// Bytes that wait in a connector's queue, counted now; `nil` where that cannot be known.
        package var level: @Sendable (ConnectorID) async -> ByteCount?
        /// Makes durable what must be known of a run before it is over: that an exempt first one begins, that one was
        /// put off, that a person stopped one that had been.
        package var remember: @Sendable (ConnectorID, ScheduleMemory) async throws -> Void
        package var report: @Sendable (RunReport) -> Void

        package init(
            level: @escaping @Sendable (ConnectorID) async -> ByteCount?,
            remember: @escaping @Sendable (ConnectorID, ScheduleMemory) async throws -> Void,
            report: @escaping @Sendable (RunReport) -> Void
        ) {
            self.level = level
            self.remember = remember
            self.report = report
        }
    }

    private struct State {
        var scheduler: Scheduler
        var runs: [ConnectorID: any ConnectorRun] = [:]
        /// The runs that go on, by ticket: poking one stops it.
        var stops: [UInt64: Alarm] = [:]
        /// Sleeps that have not ended, the earliest; a later need does not start another.
        var alarm = Moment.distantFuture
    }

    /// The calendar is compared with the monotonic clock at least this often: when somebody sets it forward, nothing
    /// else would tell.
    private let sleepMost: Duration
    private let world: World
    private let surroundings: Surroundings
    private let state: Mutex<State>
    private let bell = Alarm()

    package init(
        _ world: World, tuning: Scheduler.Tuning = .init(), sleepMost: Duration = .seconds(10),
        _ surroundings: Surroundings
    ) {
        self.world = world
        self.sleepMost = sleepMost
        self.surroundings = surroundings
        state = Mutex(State(scheduler: Scheduler(random: world.random, tuning: tuning)))
    }

    // MARK: What people and the configuration say

    package func add(
        _ id: ConnectorID, _ schedule: ConnectorSchedule, memory: ScheduleMemory = ScheduleMemory(),
        isPaused: Bool = false, run: any ConnectorRun
    ) {
        state.withLock { $0.runs[id] = run }
        change { $0.add(id, schedule, memory: memory, isPaused: isPaused, at: $1) }
    }

    package func remove(_ id: ConnectorID) {
        act { $0.remove(id, at: $1) }
        state.withLock { $0.runs[id] = nil }
    }

    package func runNow(_ id: ConnectorID) { change { $0.runNow(id, at: $1) } }
    package func pause(_ id: ConnectorID) { change { $0.pause(id, at: $1) } }
    package func resume(_ id: ConnectorID) { change { $0.resume(id, at: $1) } }
    package func stopRun(_ id: ConnectorID) { act { $0.stopRun(id, at: $1) } }

    /// Called by the owner of the queue when its level falls: a postponed run is then looked at soon.
    package func levelChanged(_ id: ConnectorID, _ level: ByteCount?) {
        change { $0.levelChanged(id, level: level, at: $1) }
    }

    package func status(of id: ConnectorID) -> ScheduleStatus? { state.withLock { $0.scheduler.status(of: id) } }

    private func change(_ body: (inout Scheduler, ClockReading) -> Void) {
        act { scheduler, clock in
            body(&scheduler, clock)
            return []
        }
    }

    private func act(_ body: (inout Scheduler, ClockReading) -> [Scheduler.Action]) {
        let clock = world.time.reading
        let stops = state.withLock { state -> [Alarm] in
            body(&state.scheduler, clock).compactMap { action in
                if case .stop(_, let ticket) = action { state.stops[ticket] } else { nil }
            }
        }
        for stop in stops { stop.poke() }
        bell.poke()
    }

    // MARK: The loop

    /// Runs until the task is cancelled; then stops the runs that go on and returns when they have ended.
    package func run() async {
        await withDiscardingTaskGroup { group in
            while !Task.isCancelled {
                let clock = world.time.reading
                let (actions, wake) = state.withLock { state in
                    (state.scheduler.advance(at: clock), state.scheduler.wake)
                }
                for action in actions { carryOut(action, in: &group) }
                if let wake, wake <= clock.now { continue }
                setAlarm(at: min(wake ?? .distantFuture, clock.now + sleepMost), in: &group)
                await bell.wait()
            }
            group.cancelAll()
        }
    }

    private func setAlarm(at moment: Moment, in group: inout DiscardingTaskGroup) {
        let isNeeded = state.withLock { state in
            guard moment < state.alarm else { return false }
            state.alarm = moment
            return true
        }
        guard isNeeded else { return }
        group.addTask { [self] in
            try? await world.time.sleep(until: moment)
            state.withLock { state in
                if state.alarm == moment { state.alarm = .distantFuture }
            }
            bell.poke()
        }
    }

    private func carryOut(_ action: Scheduler.Action, in group: inout DiscardingTaskGroup) {
        switch action {
        case .measure(let id, let ticket):
            group.addTask { [self] in await measure(id, ticket: ticket) }
        case .start(let start):
            group.addTask { [self] in await perform(start) }
        case .postponed(let id, _):
            preconditionFailure("the run of \(id) was put off without a measurement")
        case .stop(_, let ticket):
            state.withLock { $0.stops[ticket] }?.poke()
        }
    }

    private func measure(_ id: ConnectorID, ticket: UInt64) async {
        let level = await surroundings.level(id)
        let clock = world.time.reading
        let actions = state.withLock { $0.scheduler.measured(id, ticket: ticket, level: level, at: clock) }
        bell.poke()
        for action in actions {
            switch action {
            // In this task: between the measurement and the run nothing else comes in.
            case .start(let start): await perform(start)
            case .postponed(_, let postponement): await postpone(id, ticket: ticket, postponement)
            case .measure, .stop: continue
            }
        }
    }

    private func postpone(_ id: ConnectorID, ticket: UInt64, _ postponement: Postponement) async {
        await keep(state.withLock { $0.scheduler.memory(postponing: id) }, of: id)
        world.log.notice(
            "A run was postponed.", metadata: ["connector": "\(id)", "reason": "\(postponement.reason.sentence)"])
        surroundings.report(.postponed(id, postponement))
        let clock = world.time.reading
        state.withLock { $0.scheduler.wasKept(id, ticket: ticket, at: clock) }
        bell.poke()
    }

    private func keep(_ memory: ScheduleMemory?, of id: ConnectorID) async {
        guard let memory else { return }
        do { try await surroundings.remember(id, memory) } catch {
            world.log.warning(
                "What became of a run could not be written down; a restart would not know it.",
                metadata: ["connector": "\(id)", "error": "\(error)"])
        }
    }

    // MARK: A run

    private func perform(_ start: RunStart) async {
        let stop = Alarm()
        let run = state.withLock { state in
            state.stops[start.ticket] = stop
            return state.runs[start.connector]
        }
        surroundings.report(.started(start))
        let outcome: RunOutcome
        var memory: ScheduleMemory?
        do {
            guard let run else { throw CancellationError() }
            if let first = start.memory { try await surroundings.remember(start.connector, first) }
            let kept = try await stoppable(run, start, stop)
            memory = kept
            outcome = .succeeded
            surroundings.report(.succeeded(start, kept))
        } catch is CancellationError {
            outcome = .stopped
            // By a person: it is done with. With Weir: it is still to come.
            if !Task.isCancelled {
                await keep(state.withLock { $0.scheduler.memory(stopping: start.connector) }, of: start.connector)
            }
            surroundings.report(.stopped(start))
        } catch {
            let failure = error as? RunFailure ?? RunFailure("run_failed", "\(error)".clipped(to: 500))
            outcome = .failed(retryAfter: failure.retryAfter)
            world.log.warning(
                "A run failed; it is tried again.",
                metadata: [
                    "connector": "\(start.connector)", "error.kind": "\(failure.reason.code)",
                    "reason": "\(failure.reason.sentence)", "retry.attempt": "\(start.attempt)",
                ])
            surroundings.report(.failed(start, failure))
        }
        let clock = world.time.reading
        state.withLock { state in
            state.stops[start.ticket] = nil
            state.scheduler.ended(start.connector, ticket: start.ticket, outcome, memory: memory, at: clock)
        }
        bell.poke()
    }

    /// The run in a task of its own, which a poke at `stop` cancels.
    private func stoppable(
        _ run: any ConnectorRun, _ start: RunStart, _ stop: Alarm
    ) async throws -> ScheduleMemory {
        let occasion = RunOccasion(start: start) { [self] in
            let clock = world.time.reading
            return state.withLock { $0.scheduler.memory(ending: start.connector, at: clock) } ?? ScheduleMemory()
        }
        return try await withThrowingTaskGroup(of: ScheduleMemory?.self) { group in
            group.addTask { try await run.run(occasion) }
            group.addTask {
                await stop.wait()
                return nil
            }
            defer { group.cancelAll() }
            var wasStopped = false
            do {
                while let result = try await group.next() {
                    // One that ends well although it was stopped has run.
                    if let memory = result { return memory }
                    wasStopped = true
                    group.cancelAll()
                }
            } catch  where wasStopped || Task.isCancelled {
                // Whatever it threw, it threw because it was stopped.
            }
            throw CancellationError()
        }
    }
}
