package import WeirGates
import WeirWorld

// The life of a run: due → measured → started or postponed → ended.
extension Scheduler {
    /// The longest wait that the other side can ask for (Retry-After).
    static let retryAfterMost = Duration.hours(24)

    /// A run is due: it starts, or is measured first.
    mutating func begin(_ slot: Int, at clock: ClockReading) -> Action {
        let ticket = ticket()
        guard let entry = entries[slot] else { preconditionFailure("slot \(slot) is due and empty") }
        let isExempt = !entry.memory.hasBegun && !entry.schedule.gatesFirstRun
        if entry.schedule.threshold != nil && !isExempt {
            change(slot) {
                $0.state = .measuring
                $0.ticket = ticket
            }
            return .measure(entry.id, ticket: ticket)
        }
        return start(slot, ticket: ticket)
    }

    private mutating func start(_ slot: Int, ticket: UInt64) -> Action {
        let wasExempt = entries[slot].map { !$0.memory.hasBegun && !$0.schedule.gatesFirstRun } ?? false
        change(slot) {
            if $0.postponement != nil && $0.reason != .person { $0.reason = .released }
            $0.postponement = nil
            $0.memory.hasBegun = true
            $0.state = .running
            $0.ticket = ticket
        }
        overdueCount = max(0, overdueCount - 1)
        guard let entry = entries[slot] else { preconditionFailure("slot \(slot) starts and is empty") }
        return .start(
            RunStart(
                connector: entry.id, ticket: ticket, reason: entry.reason, due: entry.due,
                attempt: entry.failures + 1, memory: wasExempt ? entry.memory : nil))
    }

    /// The level of a connector's queue, as asked for by `.measure`.
    /// - Parameter level: `nil` where it cannot be known: that counts as full.
    package mutating func measured(
        _ id: ConnectorID, ticket: UInt64, level: ByteCount?, at clock: ClockReading
    ) -> [Action] {
        look(at: clock)
        guard let slot = slot(id), let entry = entries[slot], entry.state == .measuring, entry.ticket == ticket else {
            return []
        }
        if entry.isRemoved {
            erase(slot)
            return []
        }
        // Paused while it was measured: the run waits for `resume`; one that a person asked for does not.
        if entry.isPaused && entry.reason != .person {
            change(slot) { $0.state = .idle }
            return []
        }
        guard let threshold = entry.schedule.threshold, level.map({ $0 >= threshold }) ?? true else {
            return [start(slot, ticket: ticket)]
        }
        return postpone(slot, level: level, threshold: threshold, at: clock)
    }

    private mutating func postpone(
        _ slot: Int, level: ByteCount?, threshold: ByteCount, at clock: ClockReading
    ) -> [Action] {
        guard let entry = entries[slot] else { return [] }
        var postponement =
            entry.postponement ?? Postponement(since: clock.wall, level: level, threshold: threshold, looks: 0)
        postponement.level = level
        postponement.threshold = threshold
        postponement.looks += 1
        change(slot) {
            $0.postponement = postponement
            $0.memory.postponedDue = $0.memory.postponedDue ?? $0.due
        }
        // The first time it is written down before anything else happens to the connector.
        if entry.postponement == nil { return [.postponed(entry.id, postponement)] }
        waitForRoom(slot, clock: clock)
        return []
    }

    /// What must be durable of a run that was put off.
    package func memory(postponing id: ConnectorID) -> ScheduleMemory? {
        slot(id).flatMap { entries[$0]?.memory }
    }

    /// That a run was put off is written down; or cannot be, and then holds as long as Weir runs.
    package mutating func wasKept(_ id: ConnectorID, ticket: UInt64, at clock: ClockReading) {
        look(at: clock)
        guard let slot = slot(id), let entry = entries[slot], entry.state == .measuring, entry.ticket == ticket else {
            return
        }
        if entry.isRemoved { return erase(slot) }
        // What a person said meanwhile.
        if entry.wantsRun { return askForRun(slot, clock: clock) }
        if entry.isPaused && entry.reason != .person { return change(slot) { $0.state = .idle } }
        waitForRoom(slot, clock: clock)
    }

    private mutating func waitForRoom(_ slot: Int, clock: ClockReading) {
        guard let entry = entries[slot] else { return }
        // A person who asked for a run does not wait a period for it.
        if entry.schedule.release == .period, entry.reason != .person,
            let next = entry.schedule.retriedRun(at: clock.wall)
        {
            schedule(slot, at: next, reason: entry.reason, clock: clock)
        } else {
            wait(slot, for: tuning.recheck * (1 - random.fraction() / 4), clock: clock)
        }
    }

    /// The level of a queue fell (or rose): a postponed run that has room now is looked at soon, spread by chance over
    /// a time that grows with the number of postponed runs.
    package mutating func levelChanged(_ id: ConnectorID, level: ByteCount?, at clock: ClockReading) {
        look(at: clock)
        guard let slot = slot(id), let entry = entries[slot], entry.postponement != nil, entry.state == .waiting,
            let threshold = entry.schedule.threshold, let level, level < threshold, let due = heap.due(of: slot)
        else { return }
        let sooner = clock.now + spread(over: postponedCount)
        if sooner < due { heap.set(slot, due: sooner) }
    }

    /// What will be remembered if the run that goes on ends well now: for the record that ends it.
    package func memory(ending id: ConnectorID, at clock: ClockReading) -> ScheduleMemory? {
        guard let slot = slot(id), let entry = entries[slot] else { return nil }
        var memory = entry.memory
        memory.hasBegun = true
        memory.lastRun = clock.wall
        // Not back: a run that a person asks for after the calendar was set back does not free what ran before.
        if !ConnectorSchedule.hasRun(memory.lastDue, at: max(clock.wall, entry.due)) { memory.lastDue = entry.due }
        memory.nextRun =
            entry.dueAfterwards.flatMap { entry.resumedRun($0, at: clock.wall) }
            ?? entry.schedule.nextRun(after: entry.due, endedAt: clock.wall)
        memory.postponedDue = nil
        memory.timing = entry.schedule.timing.description
        return memory
    }

    /// What must be durable before a person's stop of the run that goes on counts; `nil` where nothing must: one that
    /// was put off before would come again after a restart.
    package func memory(stopping id: ConnectorID) -> ScheduleMemory? {
        guard let slot = slot(id), let entry = entries[slot], !entry.isRemoved, entry.memory.postponedDue != nil else {
            return nil
        }
        var memory = entry.memory
        memory.postponedDue = nil
        return memory
    }

    /// A run is over.
    /// - Parameter memory: of a run that ended well, what `memory(ending:)` said when its last record was made.
    package mutating func ended(
        _ id: ConnectorID, ticket: UInt64, _ outcome: RunOutcome, memory: ScheduleMemory? = nil, at clock: ClockReading
    ) {
        look(at: clock)
        guard let slot = slot(id), let entry = entries[slot], entry.state == .running, entry.ticket == ticket else {
            return
        }
        if entry.isRemoved { return erase(slot) }
        switch outcome {
        case .succeeded:
            let next = memory ?? self.memory(ending: id, at: clock) ?? entry.memory
            change(slot) {
                $0.memory = next
                $0.dueAfterwards = nil
                $0.failures = 0
                $0.backoff = $0.schedule.newBackoff
                $0.state = .idle
            }
            rest(slot, next: next.nextRun, reason: .scheduled, clock: clock)
        case .failed(let retryAfter):
            var backoff = entry.backoff
            var pause = backoff.failed(at: clock.now, random: random)
            // A failing connector is not asked less often than a healthy one, but as the other side wants it.
            if let next = entry.schedule.retriedRun(at: clock.wall) { pause = min(pause, next - clock.wall) }
            pause = max(pause, min(retryAfter ?? .zero, Self.retryAfterMost))
            change(slot) {
                $0.failures += 1
                $0.backoff = backoff
                $0.state = .idle
                $0.reason = .retry
            }
            if entry.wantsRun || entry.isPaused {
                rest(slot, next: entry.due, reason: .retry, clock: clock)
            } else {
                wait(slot, for: pause, clock: clock)
            }
        case .stopped:
            change(slot) {
                $0.state = .idle
                $0.failures = 0
                $0.backoff = $0.schedule.newBackoff
                $0.memory.postponedDue = nil
            }
            let next =
                entry.dueAfterwards.flatMap { entry.resumedRun($0, at: clock.wall) }
                ?? entry.schedule.nextRun(after: entry.due, endedAt: clock.wall)
            rest(slot, next: next, reason: .scheduled, clock: clock)
        }
    }

    /// After a run: what comes next, unless a person has paused the connector or asked for another run.
    private mutating func rest(_ slot: Int, next: WallTime?, reason: RunReason, clock: ClockReading) {
        guard let entry = entries[slot] else { return }
        if let next { change(slot) { $0.due = next } }
        if entry.wantsRun { return askForRun(slot, clock: clock) }
        guard !entry.isPaused, let next else { return }
        let isMissed = next <= clock.wall && reason == .scheduled
        schedule(slot, at: next, reason: isMissed ? .missed : reason, clock: clock)
    }

    /// The run that a person asked for comes now. Where times are on a grid, the next of them stays.
    mutating func askForRun(_ slot: Int, clock: ClockReading) {
        change(slot) {
            if $0.schedule.timing.isOnGrid && $0.dueAfterwards == nil && $0.due > clock.wall {
                $0.dueAfterwards = $0.due
            }
            $0.due = min($0.due, clock.wall)
            $0.wantsRun = false
            $0.reason = .person
        }
        wait(slot, for: .zero, clock: clock)
    }

    /// Puts a run into the heap by the calendar, with its jitter.
    mutating func schedule(_ slot: Int, at due: WallTime, reason: RunReason, clock: ClockReading) {
        guard let jitter = entries[slot]?.schedule.jitter else { return }
        let delay = jitter > .zero ? jitter * random.fraction() : .zero
        change(slot) {
            $0.state = .scheduled
            $0.due = due
            $0.dueAfterwards = nil
            $0.delay = delay
            $0.reason = reason
        }
        heap.set(slot, due: clock.now + max(.zero, due + delay - clock.wall))
    }

    /// Puts a run into the heap by the monotonic clock.
    mutating func wait(_ slot: Int, for duration: Duration, clock: ClockReading) {
        change(slot) { $0.state = .waiting }
        heap.set(slot, due: clock.now + duration)
    }
}
