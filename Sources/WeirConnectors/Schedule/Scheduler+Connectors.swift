import WeirGates
import WeirWorld

// Connectors come, go and change; people say what they want.
extension Scheduler {
    /// Takes a connector in, with what is remembered of it. A known one keeps what is known and takes the new schedule.
    package mutating func add(
        _ id: ConnectorID, _ schedule: ConnectorSchedule, memory: ScheduleMemory = ScheduleMemory(),
        isPaused: Bool = false, at clock: ClockReading
    ) {
        look(at: clock)
        if slot(id) != nil { return update(id, schedule, at: clock) }
        let memory = memory.checked
        var entry = Entry(
            id: id, schedule: schedule, memory: memory, due: clock.wall, backoff: schedule.newBackoff)
        entry.isPaused = isPaused
        let slot = insert(entry)
        plan(slot, isStart: true, clock: clock)
        restorePostponement(slot, clock: clock)
    }

    /// A run that was put off before a restart is put off still: it is looked at soon.
    private mutating func restorePostponement(_ slot: Int, clock: ClockReading) {
        guard let entry = entries[slot], let due = entry.memory.postponedDue else { return }
        change(slot) {
            // Of times on a grid, the one after it stays.
            if entry.schedule.timing.isOnGrid, entry.due > clock.wall { $0.dueAfterwards = entry.due }
            $0.due = min(due, clock.wall)
            $0.postponement = Postponement(
                since: $0.due, level: nil, threshold: entry.schedule.threshold ?? .zero, looks: 0)
        }
        guard !entry.isPaused else { return }
        wait(slot, for: spread(over: overdueCount), clock: clock)
    }

    /// New settings. A run that goes on is left alone; what comes after it follows them.
    package mutating func update(_ id: ConnectorID, _ schedule: ConnectorSchedule, at clock: ClockReading) {
        look(at: clock)
        guard let slot = slot(id), let entry = entries[slot] else { return }
        change(slot) {
            if $0.schedule.timing != schedule.timing { $0.dueAfterwards = nil }
            if $0.postponement != nil { $0.due = min($0.due, clock.wall) }
            $0.schedule = schedule
            $0.backoff = schedule.newBackoff
            $0.isRemoved = false
        }
        guard !entry.state.isBusy else { return }
        if entry.isPaused { return plan(slot, isStart: false, clock: clock) }
        // Perhaps there is room by the new threshold, or what failed has been mended.
        if entry.postponement != nil || entry.failures > 0 { return wait(slot, for: spread(over: 1), clock: clock) }
        if entry.schedule.timing != schedule.timing { plan(slot, isStart: false, clock: clock) }
    }

    /// Forgets a connector; a run of it is stopped first.
    package mutating func remove(_ id: ConnectorID, at clock: ClockReading) -> [Action] {
        look(at: clock)
        guard let slot = slot(id), let entry = entries[slot] else { return [] }
        guard entry.state.isBusy else {
            erase(slot)
            return []
        }
        change(slot) { $0.isRemoved = true }
        return entry.state == .running ? [.stop(id, ticket: entry.ticket)] : []
    }

    /// A person wants a run now. It passes the gate like any other; while one is going on, it comes after it, once. A
    /// paused connector runs once and stays paused.
    package mutating func runNow(_ id: ConnectorID, at clock: ClockReading) {
        look(at: clock)
        guard let slot = slot(id), let entry = entries[slot], !entry.isRemoved else { return }
        if entry.state.isBusy { return change(slot) { $0.wantsRun = true } }
        askForRun(slot, clock: clock)
    }

    /// No more runs by themselves; a run that goes on comes to its end.
    package mutating func pause(_ id: ConnectorID, at clock: ClockReading) {
        look(at: clock)
        guard let slot = slot(id), let entry = entries[slot], !entry.isPaused else { return }
        change(slot) {
            $0.isPaused = true
            $0.wantsRun = false
        }
        // A postponed run stays postponed, to be looked at again after `resume`.
        if !entry.state.isBusy { change(slot) { $0.state = .idle } }
    }

    /// Back to the schedule; runs whose time passed meanwhile are missed runs.
    package mutating func resume(_ id: ConnectorID, at clock: ClockReading) {
        look(at: clock)
        guard let slot = slot(id), let entry = entries[slot], entry.isPaused else { return }
        change(slot) { $0.isPaused = false }
        guard entry.state == .idle else { return }
        let hasEnded = entry.schedule.timing == .runAndTerminate && entry.memory.lastRun != nil && entry.failures == 0
        if hasEnded { return }
        if entry.postponement != nil || entry.failures > 0 {
            change(slot) { $0.due = min($0.due, clock.wall) }
            return wait(slot, for: spread(over: 1), clock: clock)
        }
        guard let due = entry.resumedRun(entry.due, at: clock.wall) else { return }
        let reason: RunReason = !entry.memory.hasBegun ? .first : due <= clock.wall ? .missed : .scheduled
        schedule(slot, at: due, reason: reason, clock: clock)
    }

    /// A person stops the run that goes on; the next one comes at its time.
    package mutating func stopRun(_ id: ConnectorID, at clock: ClockReading) -> [Action] {
        look(at: clock)
        guard let slot = slot(id), let entry = entries[slot], entry.state == .running else { return [] }
        return [.stop(id, ticket: entry.ticket)]
    }

    package func status(of id: ConnectorID) -> ScheduleStatus? {
        guard let slot = slot(id), let entry = entries[slot], !entry.isRemoved else { return nil }
        let state: ScheduleStatus.State =
            switch entry.state {
            case .running: .running
            case .idle: entry.isPaused ? .paused : .ended
            case _ where entry.postponement != nil: .buffering
            case .scheduled, .waiting, .measuring: .waiting
            }
        let isTerminating = entry.schedule.timing == .runAndTerminate
        return ScheduleStatus(
            state: state, isPaused: entry.isPaused, isRunAndTerminate: isTerminating, lastRun: entry.memory.lastRun,
            nextRun: isTerminating || entry.isPaused ? nil : entry.due, postponement: entry.postponement,
            failures: entry.failures, retryAt: entry.state == .waiting ? heap.due(of: slot) : nil)
    }

    /// When the first run after `add` (at a start of Weir) or after another timing comes.
    private mutating func plan(_ slot: Int, isStart: Bool, clock: ClockReading) {
        guard let entry = entries[slot] else { return }
        let memory = entry.memory
        let known = memory.timing == nil || memory.timing == entry.schedule.timing.description ? memory.nextRun : nil
        let due: WallTime?
        if let known {
            due = entry.resumedRun(known, at: clock.wall)
        } else if let last = memory.lastRun, entry.schedule.timing != .runAndTerminate {
            // Another timing than before: from the last run on.
            let next = entry.schedule.nextRun(after: min(last, clock.wall), endedAt: min(last, clock.wall))
            due = next.flatMap { entry.resumedRun($0, at: clock.wall) }
        } else {
            due = entry.schedule.firstRun(at: clock.wall)
        }
        guard let due, !entry.isPaused else {
            return change(slot) {
                $0.state = .idle
                $0.due = due ?? $0.due
                $0.dueAfterwards = nil
            }
        }
        let isMissed = known.map { $0 < clock.wall } ?? false || due <= clock.wall
        schedule(slot, at: due, reason: !memory.hasBegun ? .first : isMissed ? .missed : .scheduled, clock: clock)
        // Many that are overdue at a start of Weir do not start at once.
        if isStart, due <= clock.wall, let moment = heap.due(of: slot) {
            overdueCount += 1
            heap.set(slot, due: moment + spread(over: overdueCount))
        }
    }
}

extension ConnectorSchedule {
    var newBackoff: Backoff { Backoff(first: retryFirst, most: max(retryFirst, retryMost)) }
}

extension ConnectorSchedule.Timing {
    var isOnGrid: Bool {
        switch self {
        case .fixedDelay, .runAndTerminate: false
        case .fixedRate, .cron: true
        }
    }
}
