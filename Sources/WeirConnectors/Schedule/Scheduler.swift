import WeirGates
package import WeirWorld

/// Says which connectors start and when. A value: its methods take what happened and both clocks, and return what to
/// do; `wake` says when to ask again at the latest. `ScheduleRunner` carries it out.
///
/// - One run at a time for each connector: from `.measure` or `.start` on, nothing else happens to it until `measured`
///   or `ended` is called with that ticket.
/// - A run that is due is first measured: the shell reads the level of the connector's queue and says it with
///   `measured`, which answers with `.start`, or postpones. A postponed run is looked at again every `recheck` and when
///   `levelChanged` says so; it happens once, however many of its times pass meanwhile.
/// - Due times are calendar times, waits are monotonic. Each due time is kept as the moment it will come if nobody
///   touches the calendar; when the calendar jumps, all are placed again (the only step that is not O(log n)). Set
///   forward: what is due by the new calendar starts, once. Set back: periods still end when they would have;
///   `cron` follows the calendar, without repeating what ran within the last three hours of it.
package struct Scheduler: Sendable {
    package enum Action: Sendable, Hashable {
        /// Read the level of the connector's queue and call `measured`.
        case measure(ConnectorID, ticket: UInt64)
        /// Begin the run; call `ended` when it is over, whatever happens.
        case start(RunStart)
        /// A run was put off; said once, not at every look. Write down `memory(postponing:)`, then call `wasKept`.
        case postponed(ConnectorID, Postponement)
        /// Cancel the run; `ended` is still to come.
        case stop(ConnectorID, ticket: UInt64)
    }

    package struct Tuning: Sendable, Hashable {
        /// Runs that could all start at once (released, or overdue at a start of Weir) are spread over this much for
        /// each, by chance: one starts within 50 ms, a hundred within 5 s.
        package var spacing = Duration.milliseconds(50)
        package var spreadMost = Duration.seconds(30)
        /// A postponed run's level is looked at this often, less up to a quarter of it by chance.
        package var recheck = Duration.seconds(5)
        /// Runs at the same time; others wait.
        package var runsMost = 500
        /// How far the clocks may drift apart before due times are placed again.
        package var driftMost = Duration.seconds(1)

        package init() {}
    }

    struct Entry: Sendable {
        enum State: Sendable, Hashable {
            /// Nothing is due: paused, or ran and terminated. Not in the heap.
            case idle
            /// In the heap, by the calendar: `due` and `delay` say when.
            case scheduled
            /// In the heap, by the monotonic clock: a retry, a look at a postponed run, a start spread by chance.
            case waiting
            case measuring
            case running
        }

        let id: ConnectorID
        var schedule: ConnectorSchedule
        var memory: ScheduleMemory
        var state = State.idle
        var reason = RunReason.scheduled
        /// When the run that comes next is (or was) due.
        var due: WallTime
        /// Jitter of this run.
        var delay = Duration.zero
        var ticket: UInt64 = 0
        var failures = 0
        var backoff: Backoff
        var postponement: Postponement?
        var isPaused = false
        /// A person asked for a run while one was going on.
        var wantsRun = false
        /// The time that stays as it is while a run goes on that a person asked for.
        var dueAfterwards: WallTime?
        /// Taken away while running; goes when the run is over.
        var isRemoved = false
    }

    let tuning: Tuning
    let random: any RandomSource
    var entries: [Entry?] = []
    var heap = DueHeap()
    private var slots: [ConnectorID: Int] = [:]
    private var free: [Int] = []
    private var nextTicket: UInt64 = 1
    private var lead: Duration?
    package private(set) var runningCount = 0
    package private(set) var postponedCount = 0
    /// Runs that were overdue when they were added and have not started: they are spread.
    var overdueCount = 0

    package init(random: any RandomSource, tuning: Tuning = Tuning()) {
        self.random = random
        self.tuning = tuning
    }

    package var count: Int { slots.count }

    /// When `advance` should be called at the latest. `nil` while nothing is due, or no more runs may begin.
    package var wake: Moment? { runningCount < tuning.runsMost ? heap.first?.due : nil }

    // MARK: Time

    /// Takes out what is due. At most `most` actions; while `wake` is in the past, there is more.
    package mutating func advance(at clock: ClockReading, most: Int = 1_000) -> [Action] {
        look(at: clock)
        var actions: [Action] = []
        while actions.count < most, runningCount < tuning.runsMost, let next = heap.first, next.due <= clock.now {
            actions.append(begin(next.slot, at: clock))
        }
        return actions
    }

    /// Compares the clocks with each other; every method that takes a reading does it first.
    mutating func look(at clock: ClockReading) {
        guard let known = lead else {
            lead = clock.lead
            return
        }
        let shift = clock.lead - known
        guard shift >= tuning.driftMost || shift <= .zero - tuning.driftMost else { return }
        lead = clock.lead
        for slot in entries.indices { replace(slot, shift: shift, at: clock) }
    }

    private mutating func replace(_ slot: Int, shift: Duration, at clock: ClockReading) {
        guard var entry = entries[slot], entry.state == .scheduled, let moment = heap.due(of: slot) else { return }
        if case .cron = entry.schedule.timing {
            if entry.due > clock.wall, let due = entry.resumedRun(entry.due, at: clock.wall) {
                entry.due = due
            }
        } else if shift < .zero {
            // The period ends when it would have; only what people read changes.
            entry.due = min(entry.due, clock.wall + (moment - clock.now - entry.delay))
        }
        entries[slot] = entry
        heap.set(slot, due: clock.now + max(.zero, entry.due + entry.delay - clock.wall))
    }

    // MARK: Slots

    func slot(_ id: ConnectorID) -> Int? { slots[id] }

    mutating func insert(_ entry: Entry) -> Int {
        if let slot = free.popLast() {
            entries[slot] = entry
            slots[entry.id] = slot
            return slot
        }
        entries.append(entry)
        slots[entry.id] = entries.count - 1
        return entries.count - 1
    }

    mutating func erase(_ slot: Int) {
        guard let entry = entries[slot] else { return }
        change(slot) {
            $0.postponement = nil
            $0.state = .idle
        }
        slots[entry.id] = nil
        entries[slot] = nil
        free.append(slot)
    }

    mutating func ticket() -> UInt64 {
        defer { nextTicket += 1 }
        return nextTicket
    }

    /// The one place where an entry changes: the counts and the heap follow its state.
    mutating func change(_ slot: Int, _ body: (inout Entry) -> Void) {
        guard var entry = entries[slot] else { return }
        let old = entry
        body(&entry)
        entries[slot] = entry
        postponedCount += (entry.postponement == nil ? 0 : 1) - (old.postponement == nil ? 0 : 1)
        runningCount += (entry.state.isBusy ? 1 : 0) - (old.state.isBusy ? 1 : 0)
        if entry.state != .scheduled && entry.state != .waiting { heap.remove(slot) }
    }

    /// A wait by chance, so that many that could start at once do not.
    func spread(over count: Int) -> Duration {
        min(tuning.spreadMost, tuning.spacing * max(1, count)) * random.fraction()
    }
}

extension Scheduler.Entry {
    func resumedRun(_ due: WallTime, at wall: WallTime) -> WallTime? {
        schedule.resumedRun(due, lastDue: memory.lastDue, at: wall)
    }
}

extension Scheduler.Entry.State {
    var isBusy: Bool { self == .measuring || self == .running }
}
