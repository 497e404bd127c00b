import Testing
import WeirConnectors
import WeirGates
import WeirWorld

/// A scheduler, its clocks and what it did, for tests that move time by hand.
struct SchedulerBench {
    var scheduler: Scheduler
    var clock = ClockReading(
        now: Moment(nanoseconds: 0), wall: CivilDate.wall(year: 2026, month: 11, day: 21, hour: 12))
    /// Bytes in every queue; `nil` is unknown.
    var level: ByteCount? = .zero
    var starts: [RunStart] = []
    var postponed: [Postponement] = []
    var stops: [UInt64] = []

    init(_ tuning: Scheduler.Tuning = .init(), seed: UInt64 = 1) {
        scheduler = Scheduler(random: SeededRandom(seed: seed), tuning: tuning)
    }

    mutating func take(_ actions: [Scheduler.Action]) {
        for action in actions {
            switch action {
            case .measure(let id, let ticket):
                take(scheduler.measured(id, ticket: ticket, level: level, at: clock))
                scheduler.wasKept(id, ticket: ticket, at: clock)
            case .start(let start): starts.append(start)
            case .postponed(_, let postponement): postponed.append(postponement)
            case .stop(_, let ticket): stops.append(ticket)
            }
        }
    }

    /// Lets time pass, waking the scheduler when it wants to be woken.
    mutating func pass(_ duration: Duration) {
        let end = clock.now + duration
        take(scheduler.advance(at: clock))
        while let wake = scheduler.wake, wake <= end {
            let step = max(.zero, wake - clock.now)
            clock = ClockReading(now: clock.now + step, wall: clock.wall + step)
            take(scheduler.advance(at: clock))
        }
        let rest = end - clock.now
        clock = ClockReading(now: end, wall: clock.wall + rest)
        take(scheduler.advance(at: clock))
    }

    /// The calendar is set, and the scheduler looks at it.
    mutating func jump(_ duration: Duration) {
        clock.wall = clock.wall + duration
        take(scheduler.advance(at: clock))
    }

    mutating func end(_ outcome: RunOutcome = .succeeded) {
        guard let start = starts.last else { return }
        scheduler.ended(start.connector, ticket: start.ticket, outcome, at: clock)
        take(scheduler.advance(at: clock))
    }

    /// Runs that are shorter than what is looked at here: each ends at once, for so long.
    mutating func passEnding(_ duration: Duration) {
        let end = clock.now + duration
        while true {
            while scheduler.runningCount > 0 { self.end() }
            if clock.now >= end { return }
            let next = scheduler.wake.map { min($0, end) } ?? end
            pass(max(.nanoseconds(1), next - clock.now))
        }
    }

    func status(_ id: ConnectorID = "a") -> ScheduleStatus? { scheduler.status(of: id) }
}
