import Synchronization
import WeirConnectors
import WeirGates
import WeirTestKit
import WeirWorld

/// The simulation's clock with a calendar that can be set.
final class SettableTime: TimeSource {
    private let time: SimulatedTime
    private let shift = Mutex(Duration.zero)

    /// - Parameter start: what the calendar says at the beginning.
    init(_ simulation: Simulation, start: WallTime) {
        time = SimulatedTime(simulation)
        jump(start - time.wall)
    }

    var now: Moment { time.now }
    var wall: WallTime { time.wall + shift.withLock { $0 } }
    func jump(_ duration: Duration) { shift.withLock { $0 += duration } }
    func sleep(until moment: Moment) async throws { try await time.sleep(until: moment) }
}

/// What is known from outside of one connector, and what must never happen to it.
struct WatchedConnector {
    var schedule: ConnectorSchedule
    /// Bytes in its queue, and whether anybody can say so.
    var level: Int64 = 0
    var isUnreadable = false
    /// What a crash leaves: committed with the end of each run.
    var memory = ScheduleMemory()
    var running = 0
    var isPostponed = false
    /// A person asked for a run since the last one that ended well: put off, it comes as any other that was.
    var wasAsked = false
    var isPaused = false
    /// Of the run under way: others may be set while it goes on.
    var timingOfRun = ConnectorSchedule.Timing.runAndTerminate
    var runs = 0
    var successes = 0
    var postponements = 0
    var releases = 0
    /// The last run that ended well: when, by the monotonic clock, and its due time.
    var lastEnd: Moment?
    var lastDue: WallTime?
    var lastReason = RunReason.first
    /// How far the calendar was set forward since then.
    var forward = Duration.zero
    /// How far it was ever set back; until the last run that ended well; and until that run was planned.
    var back = Duration.zero
    var backAtEnd = Duration.zero
    var backAtPlan = Duration.zero

    /// The least time between two runs by the calendar.
    var cronGap = Duration.minutes(1)

    var isFull: Bool { schedule.threshold.map { isUnreadable || level >= $0.bytes } ?? false }

    mutating func forgetTimes() {
        lastEnd = nil
        lastDue = nil
    }

    mutating func jumped(_ duration: Duration) {
        if duration > .zero { forward += duration } else { back += .zero - duration }
    }

    /// A run begins.
    /// - Returns: what is wrong with that; `nil` when it may.
    mutating func begins(_ start: RunStart, at now: Moment) -> String? {
        let complaint = complaint(about: start, at: now)
        runs += 1
        timingOfRun = schedule.timing
        if isPostponed { releases += 1 }
        isPostponed = false
        return complaint
    }

    mutating func wasPostponed(_ postponement: Postponement) -> String? {
        postponements += 1
        defer { isPostponed = true }
        if isPostponed { return "it was postponed twice" }
        // As it was measured: since then it was written down.
        guard let level = postponement.level, level < postponement.threshold else { return nil }
        return "it was postponed at level \(level) under the threshold \(postponement.threshold)"
    }

    /// The end of a run is committed, with `memory`.
    mutating func ends(_ start: RunStart, _ memory: ScheduleMemory, at now: Moment) {
        self.memory = memory
        successes += 1
        lastEnd = now
        let isByTime = ![.person, .retry].contains(start.reason) && !wasAsked && timingOfRun == schedule.timing
        lastDue = isByTime ? start.due : nil
        lastReason = start.reason
        wasAsked = false
        forward = .zero
        backAtPlan = backAtEnd
        backAtEnd = back
    }

    private func complaint(about start: RunStart, at now: Moment) -> String? {
        if running > 0 { return "a second run at the same time" }
        let isExempt = start.memory != nil
        if isExempt && (schedule.gatesFirstRun || memory.hasBegun) { return "a run that is not the first is exempt" }
        if isPaused && start.reason != .person { return "a run of a paused connector" }
        if isFull && !isExempt { return "a run at level \(level) over the threshold" }
        if isPostponed && ![.released, .person].contains(start.reason) { return "a postponed run came as another" }
        // One that did not come to its end before a crash comes again.
        if start.reason == .released, !isPostponed, memory.postponedDue == nil {
            return "a run was released that was not postponed"
        }
        if start.reason == .person || start.reason == .retry || wasAsked { return nil }
        switch schedule.timing {
        case .runAndTerminate: return nil
        case .fixedDelay(let period):
            // Two seconds: the drift that the scheduler lets pass.
            guard let lastEnd, now - lastEnd + forward + .seconds(2) < period.duration else { return nil }
            return "a run \(now - lastEnd) after the last one, before the period of \(period) was over"
        case .fixedRate:
            guard back == backAtPlan, let lastDue, start.due <= lastDue else { return nil }
            return "the run due at \(start.due) came again after the one of \(lastDue)"
        case .cron:
            guard back - backAtPlan < .hours(3), let lastDue else { return nil }
            if start.due <= lastDue { return "the run due at \(start.due) came again after the one of \(lastDue)" }
            // Also on a day that has 23 or 25 hours.
            let isRegular = start.reason == .scheduled && lastReason == .scheduled && forward + back == backAtPlan
            guard isRegular, start.due - lastDue < cronGap else { return nil }
            return "runs due at \(lastDue) and \(start.due), and it runs once in \(cronGap)"
        }
    }
}

/// What the seed decides before anything runs.
struct ConnectorSchedulePlan {
    struct Entry {
        var schedule: ConnectorSchedule
        /// For `cron`: the least time between two of its runs.
        var cronGap = Duration.minutes(1)
    }

    /// Zones and moments at which their clocks change: by an hour, by half an hour, in both halves of the year.
    private static let changes = [
        ("Europe/Rome", CivilDate.wall(year: 2026, month: 10, day: 25, hour: 1)),
        ("Europe/Rome", CivilDate.wall(year: 2027, month: 3, day: 28, hour: 1)),
        ("America/New_York", CivilDate.wall(year: 2026, month: 11, day: 1, hour: 6)),
        ("America/New_York", CivilDate.wall(year: 2027, month: 3, day: 14, hour: 7)),
        ("Australia/Lord_Howe", CivilDate.wall(year: 2026, month: 10, day: 3, hour: 15, minute: 30)),
        ("Australia/Lord_Howe", CivilDate.wall(year: 2027, month: 4, day: 3, hour: 15)),
    ]

    var entries: [Entry] = []
    var troubleHours: Int
    /// What the calendar says at the beginning: up to 30 hours before the clocks change.
    let start: WallTime
    private let zone: String

    init(_ simulation: Simulation) {
        func below(_ bound: Int) -> Int { Int(simulation.random() % UInt64(bound)) }
        let (zone, change) = Self.changes[below(Self.changes.count)]
        self.zone = zone
        start = change + .minutes(-below(30 * 60))
        troubleHours = 6 + below(36)
        for _ in 0...below(8) {
            let minutes = [1, 5, 17, 60, 240, 1_440][below(6)]
            var entry: Entry
            switch below(4) {
            case 0: entry = Entry(schedule: Self.period(minutes, isRate: true))
            case 1: entry = cron(below(6))
            default: entry = Entry(schedule: Self.period(minutes, isRate: false))
            }
            entry.schedule.missed = [.skip, .once, .all][below(3)]
            if below(3) == 0 { entry.schedule.jitter = .seconds(below(40)) }
            if below(4) == 0 { entry.schedule.release = .period }
            if below(8) == 0 { entry.schedule.threshold = nil }
            entry.schedule.gatesFirstRun = below(3) > 0
            entries.append(entry)
        }
    }

    private static func period(_ minutes: Int, isRate: Bool) -> ConnectorSchedule {
        guard let period = try? Period(count: Double(minutes), of: 60, "minutes") else {
            preconditionFailure("\(minutes) minutes are a period")
        }
        return ConnectorSchedule(isRate ? .fixedRate(period) : .fixedDelay(period))
    }

    private func cron(_ choice: Int) -> Entry {
        let (text, gap): (String, Duration) =
            [
                ("*/5 * * * *", .minutes(5)), ("17 * * * *", .minutes(30)), ("30 2 * * *", .hours(22)),
                ("30 1 * * *", .hours(22)), ("45 1,2 * * *", .minutes(14)), ("0 */6 * * *", .hours(5)),
            ][choice]
        guard let zone = try? CronZone(zone), let cron = try? CronExpression(text, zone: zone) else {
            preconditionFailure("`\(text)` is a cron expression")
        }
        return Entry(schedule: ConnectorSchedule(.cron(cron)), cronGap: gap)
    }
}
