import Synchronization
import WeirConnectors
import WeirGates
import WeirTestKit
import WeirWorld

/// The simulation's clock with a calendar that can be set.
final class SettableTime: TimeSource {
    private let time: SimulatedTime
    private let shift = Mutex(Duration.zero)

    init(_ simulation: Simulation) { time = SimulatedTime(simulation) }

    var now: Moment { time.now }
    var wall: WallTime { time.wall + shift.withLock { $0 } }
    func jump(_ duration: Duration) { shift.withLock { $0 += duration } }
    func sleep(until moment: Moment) async throws { try await time.sleep(until: moment) }
}

/// What is known from outside of one connector, and what must never happen to it.
struct WatchedConnector {
    var schedule: ConnectorSchedule
    /// Bytes in its queue.
    var level: Int64 = 0
    /// What a crash leaves: committed with the end of each run.
    var memory = ScheduleMemory()
    var running = 0
    var isPostponed = false
    var isPaused = false
    var runs = 0
    var successes = 0
    var postponements = 0
    var releases = 0
    /// The last run that ended well: when, by the monotonic clock, and its due time.
    var lastEnd: Moment?
    var lastDue: WallTime?
    /// How far the calendar was set forward since then.
    var forward = Duration.zero
    /// How far it was ever set back; until the last run that ended well; and until that run was planned.
    var back = Duration.zero
    var backAtEnd = Duration.zero
    var backAtPlan = Duration.zero

    var isFull: Bool { schedule.threshold.map { level >= $0.bytes } ?? false }

    mutating func forgetTimes() {
        lastEnd = nil
        lastDue = nil
    }

    mutating func jumped(_ duration: Duration) {
        if duration > .zero { forward += duration } else { back += .zero - duration }
    }

    /// What is wrong with a run that begins now; `nil` when it may.
    func complaint(about start: RunStart, at now: Moment) -> String? {
        if running > 0 { return "a second run at the same time" }
        let isExempt = start.memory != nil
        if isExempt && (schedule.gatesFirstRun || memory.hasBegun) { return "a run that is not the first is exempt" }
        if isFull && !isExempt { return "a run at level \(level) over the threshold" }
        if isPostponed && ![.released, .person].contains(start.reason) { return "a postponed run came as another" }
        if !isPostponed && start.reason == .released { return "a run was released that was not postponed" }
        if start.reason == .person || start.reason == .retry { return nil }
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
            guard back - backAtPlan < .hours(3), let lastDue, start.due <= lastDue else { return nil }
            return "the run due at \(start.due) came again after the one of \(lastDue)"
        }
    }
}

/// What the seed decides before anything runs.
struct ConnectorSchedulePlan {
    var schedules: [ConnectorSchedule] = []
    var troubleHours: Int

    init(_ simulation: Simulation) {
        func below(_ bound: Int) -> Int { Int(simulation.random() % UInt64(bound)) }
        troubleHours = 6 + below(36)
        for _ in 0...below(8) {
            let minutes = [1, 5, 17, 60, 240, 1_440][below(6)]
            var schedule: ConnectorSchedule
            switch below(4) {
            case 0: schedule = Self.period(minutes, isRate: true)
            case 1: schedule = Self.cron(["*/5 * * * *", "17 * * * *", "30 2 * * *", "0 */6 * * *"][below(4)])
            default: schedule = Self.period(minutes, isRate: false)
            }
            schedule.missed = [.skip, .once, .all][below(3)]
            if below(3) == 0 { schedule.jitter = .seconds(below(40)) }
            if below(4) == 0 { schedule.release = .period }
            if below(8) == 0 { schedule.threshold = nil }
            schedule.gatesFirstRun = below(3) > 0
            schedules.append(schedule)
        }
    }

    private static func period(_ minutes: Int, isRate: Bool) -> ConnectorSchedule {
        guard let period = try? Period(count: Double(minutes), of: 60, "minutes") else {
            preconditionFailure("\(minutes) minutes are a period")
        }
        return ConnectorSchedule(isRate ? .fixedRate(period) : .fixedDelay(period))
    }

    private static func cron(_ text: String) -> ConnectorSchedule {
        guard let zone = try? CronZone("Europe/Rome"), let cron = try? CronExpression(text, zone: zone) else {
            preconditionFailure("`\(text)` is a cron expression")
        }
        return ConnectorSchedule(.cron(cron))
    }
}
