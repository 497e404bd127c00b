import Testing
import WeirConnectors
import WeirGates
import WeirWorld

@Suite("The scheduler under load", .serialized)
struct SchedulerLoadTests {
    /// Figures are printed, not asserted: they depend on the machine.
    private func measure(_ what: String, count: Int, _ body: () throws -> Void) rethrows {
        let clock = ContinuousClock()
        let taken = try clock.measure(body)
        print("scheduler: \(what): \(count) in \(taken), \(taken / count) each")
    }

    @Test("A hundred thousand connectors run as often as they should, each once at a time")
    func hundredThousand() throws {
        let count = 100_000
        var scheduler = Scheduler(random: SeededRandom(seed: 7))
        var clock = ClockReading(now: .zero, wall: CivilDate.wall(year: 2026, month: 11, day: 21))
        let schedule = ConnectorSchedule(period: try Period(iso: "PT1H"))
        measure("add", count: count) {
            for index in 0..<count {
                var memory = ScheduleMemory()
                memory.hasBegun = true
                memory.nextRun = clock.wall + .milliseconds(36 * index)
                scheduler.add("connector-\(index)", schedule, memory: memory, at: clock)
            }
        }
        #expect(scheduler.count == count)

        var starts = 0
        var late = Duration.zero
        let begin = clock
        measure("an hour of runs", count: count) {
            while let wake = scheduler.wake, wake <= begin.now + .minutes(60) {
                let step = max(.zero, wake - clock.now)
                clock = ClockReading(now: clock.now + step, wall: clock.wall + step)
                for action in scheduler.advance(at: clock) {
                    guard case .measure(let id, let ticket) = action else { continue }
                    for case .start(let start) in scheduler.measured(id, ticket: ticket, level: .zero, at: clock) {
                        starts += 1
                        late = max(late, clock.wall - start.due)
                        scheduler.ended(id, ticket: start.ticket, .succeeded, at: clock)
                    }
                }
            }
        }
        #expect(starts == count)
        // The first few are overdue at the start and spread by chance.
        #expect(late <= .milliseconds(100))

        measure("level changes", count: count) {
            for index in 0..<count { scheduler.levelChanged("connector-\(index)", level: .zero, at: clock) }
        }
        measure("a jump of the calendar", count: 1) {
            clock.wall = clock.wall + .hours(-5)
            _ = scheduler.advance(at: clock)
        }
        measure("remove", count: count) {
            for index in 0..<count { _ = scheduler.remove("connector-\(index)", at: clock) }
        }
        #expect(scheduler.count == 0 && scheduler.wake == nil && scheduler.runningCount == 0)
    }

    @Test("A hundred thousand connectors that are all due come in portions")
    func portions() throws {
        var tuning = Scheduler.Tuning()
        tuning.runsMost = .max
        var scheduler = Scheduler(random: SeededRandom(seed: 7), tuning: tuning)
        var clock = ClockReading(now: .zero, wall: CivilDate.wall(year: 2026, month: 11, day: 21))
        var schedule = ConnectorSchedule(period: try Period(iso: "PT1H"))
        schedule.threshold = nil
        for index in 0..<100_000 { scheduler.add("c\(index)", schedule, at: clock) }
        clock = ClockReading(now: clock.now + .minutes(1), wall: clock.wall + .minutes(1))
        var portions: [Int] = []
        while let wake = scheduler.wake, wake <= clock.now { portions.append(scheduler.advance(at: clock).count) }
        #expect(portions == Array(repeating: 1_000, count: 100))
        #expect(scheduler.runningCount == 100_000)
    }
}
