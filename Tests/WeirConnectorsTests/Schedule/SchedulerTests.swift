import Testing
import WeirConnectors
import WeirGates
import WeirWorld

@Suite("The scheduler")
struct SchedulerTests {
    private let hour = Duration.hours(1)

    private func schedule(
        _ text: String = "PT1H", rate: Bool = false, missed: ConnectorSchedule.MissedRuns = .once
    ) throws -> ConnectorSchedule {
        let period = try Period(iso: text)
        var schedule = ConnectorSchedule(period: period)
        if rate { schedule.timing = .fixedRate(period) }
        schedule.missed = missed
        return schedule
    }

    @Test("runs at once, then a period after the end of each run")
    func fixedDelay() throws {
        var bench = SchedulerBench()
        bench.scheduler.add("a", try schedule(), at: bench.clock)
        bench.pass(.seconds(1))
        #expect(bench.starts.map(\.reason) == [.first])
        bench.pass(.minutes(20))
        bench.end()
        let ended = bench.clock.wall
        #expect(bench.status()?.lastRun == ended)
        #expect(bench.status()?.nextRun == ended + hour)
        bench.pass(hour - .seconds(1))
        #expect(bench.starts.count == 1)
        bench.pass(.seconds(1))
        #expect(bench.starts.map(\.reason) == [.first, .scheduled])
    }

    @Test("postpones at the threshold and above it, and starts below it")
    func threshold() throws {
        for (bytes, isPostponed) in [(Int64(499_999_999), false), (500_000_000, true), (500_000_001, true)] {
            var bench = SchedulerBench()
            bench.level = ByteCount(bytes)
            bench.scheduler.add("a", try schedule(), at: bench.clock)
            bench.pass(.seconds(1))
            #expect(bench.starts.isEmpty == isPostponed)
            #expect(bench.status()?.state == (isPostponed ? .buffering : .running))
        }
    }

    @Test("counts a level that nobody knows as full, and says so")
    func unknownLevel() throws {
        var bench = SchedulerBench()
        bench.level = nil
        bench.scheduler.add("a", try schedule(), at: bench.clock)
        bench.pass(.hours(3))
        #expect(bench.starts.isEmpty)
        #expect(bench.postponed.map(\.reason.code) == ["level_unknown"])
        bench.level = .zero
        bench.pass(.seconds(10))
        #expect(bench.starts.map(\.reason) == [.released])
    }

    @Test("exempts the first run from the gate where told to, and no other, not after a restart either")
    func firstRun() throws {
        var exempt = try schedule()
        exempt.gatesFirstRun = false
        var bench = SchedulerBench()
        bench.level = .gigabytes(1)
        bench.scheduler.add("a", exempt, at: bench.clock)
        bench.pass(.seconds(1))
        let start = try #require(bench.starts.first)
        let memory = try #require(start.memory)
        #expect(memory.hasBegun)
        bench.end(.failed(retryAfter: nil))
        bench.pass(.hours(2))
        #expect(bench.starts.count == 1)

        for _ in 1...3 {
            var restarted = SchedulerBench()
            restarted.level = .gigabytes(1)
            restarted.scheduler.add("a", exempt, memory: memory, at: restarted.clock)
            restarted.pass(.hours(2))
            #expect(restarted.starts.isEmpty)
        }
    }

    @Test("releases a postponed run soon after the level fell, once, and not a period later")
    func earlyRelease() throws {
        var bench = SchedulerBench()
        bench.level = .gigabytes(1)
        bench.scheduler.add("a", try schedule(), at: bench.clock)
        bench.pass(.hours(5))
        #expect(bench.postponed.count == 1)
        bench.level = .zero
        bench.scheduler.levelChanged("a", level: .zero, at: bench.clock)
        bench.pass(.milliseconds(50))
        #expect(bench.starts.map(\.reason) == [.released])
        #expect(bench.status()?.postponement == nil)
        bench.end()
        bench.pass(.minutes(59))
        #expect(bench.starts.count == 1)
    }

    @Test("tries a postponed run a whole period later where it is not released early")
    func periodRelease() throws {
        var late = try schedule()
        late.release = .period
        var bench = SchedulerBench()
        bench.level = .gigabytes(1)
        bench.scheduler.add("a", late, at: bench.clock)
        bench.pass(.seconds(1))
        bench.level = .zero
        bench.scheduler.levelChanged("a", level: .zero, at: bench.clock)
        bench.pass(.minutes(59))
        #expect(bench.starts.isEmpty)
        #expect(bench.status()?.state == .buffering)
        bench.pass(.minutes(1))
        #expect(bench.starts.map(\.reason) == [.released])
    }

    @Test("does not start a hundred at once when there is room again, nor when Weir starts")
    func spread() throws {
        for isRestart in [true, false] {
            var bench = SchedulerBench()
            bench.level = isRestart ? .zero : .gigabytes(1)
            for index in 0..<100 { bench.scheduler.add("c\(index)", try schedule(), at: bench.clock) }
            if !isRestart {
                bench.pass(.minutes(10))
                #expect(bench.starts.isEmpty && bench.postponed.count == 100)
                bench.level = .zero
                for index in 0..<100 { bench.scheduler.levelChanged("c\(index)", level: .zero, at: bench.clock) }
            }
            var counts: [Int] = []
            for _ in 0..<50 {
                let before = bench.starts.count
                bench.pass(.milliseconds(100))
                counts.append(bench.starts.count - before)
            }
            #expect(bench.starts.count == 100)
            #expect((counts.max() ?? 0) <= 15)
        }
    }

    @Test("keeps a fixed rate, whatever the runs take")
    func fixedRate() throws {
        var bench = SchedulerBench()
        let begin = bench.clock.wall
        bench.scheduler.add("a", try schedule(rate: true), at: bench.clock)
        for run in 1...4 {
            bench.pass(.minutes(20))
            #expect(bench.starts.count == run)
            bench.end()
            bench.pass(.minutes(40))
        }
        #expect(bench.starts.map(\.due) == (0...4).map { begin + .hours($0) })
    }

    @Test(
        "makes missed runs up as told",
        arguments: [
            (ConnectorSchedule.MissedRuns.skip, [0, 4, 5]), (.once, [0, 3, 4, 5]), (.all, [0, 1, 2, 3, 4, 5]),
        ])
    func missed(policy: ConnectorSchedule.MissedRuns, hours: [Int]) throws {
        var bench = SchedulerBench()
        let begin = bench.clock.wall
        bench.scheduler.add("a", try schedule(rate: true, missed: policy), at: bench.clock)
        bench.pass(.minutes(210))
        bench.end()
        bench.passEnding(.minutes(100))
        #expect(bench.starts.map(\.due) == hours.map { begin + .hours($0) })
        #expect(bench.starts.dropFirst().first?.reason == (policy == .skip ? .scheduled : .missed))
    }

    @Test("makes up the newest hundred of very many missed runs")
    func missedMost() throws {
        var bench = SchedulerBench()
        var memory = ScheduleMemory()
        memory.hasBegun = true
        memory.nextRun = bench.clock.wall + .hours(-5_000)
        bench.scheduler.add("a", try schedule(rate: true, missed: .all), memory: memory, at: bench.clock)
        bench.passEnding(.minutes(30))
        #expect(bench.starts.count == 100)

        var cron = ConnectorSchedule(.cron(try CronExpression("0 * * * *")))
        cron.missed = .all
        bench = SchedulerBench()
        let oldest = bench.clock.wall + .hours(-3)
        memory.nextRun = oldest
        bench.scheduler.add("a", cron, memory: memory, at: bench.clock)
        bench.passEnding(.minutes(30))
        #expect(bench.starts.map(\.due) == (0...3).map { oldest + .hours($0) })
    }

    @Test("runs by the calendar, not at the start")
    func cron() throws {
        var bench = SchedulerBench()
        bench.scheduler.add("a", ConnectorSchedule(.cron(try CronExpression("30 * * * *"))), at: bench.clock)
        bench.pass(.minutes(29))
        #expect(bench.starts.isEmpty)
        bench.passEnding(.minutes(91))
        #expect(bench.starts.count == 2)
    }

    @Test("tries a failed run again with back-off, and does not move the last run")
    func failure() throws {
        var bench = SchedulerBench()
        bench.scheduler.add("a", try schedule(), at: bench.clock)
        bench.pass(.seconds(1))
        var waits: [Duration] = []
        for _ in 1...12 {
            let count = bench.starts.count
            bench.end(.failed(retryAfter: nil))
            let failed = bench.clock.now
            while bench.starts.count == count { bench.pass(.seconds(1)) }
            waits.append(bench.clock.now - failed)
            #expect(bench.status()?.lastRun == nil)
        }
        #expect(bench.starts.map(\.attempt) == Array(1...13))
        #expect(bench.starts.dropFirst().allSatisfy { $0.reason == .retry })
        #expect(waits[0] <= .seconds(11))
        #expect(waits.allSatisfy { $0 <= .minutes(15) + .seconds(1) })
        #expect(waits.suffix(4).max() ?? .zero > .minutes(2))
        bench.end()
        #expect(bench.status()?.failures == 0)
        #expect(bench.status()?.lastRun == bench.clock.wall)
    }

    @Test("waits as long as the other side asks for, a day at most")
    func retryAfter() throws {
        var bench = SchedulerBench()
        bench.scheduler.add("a", try schedule(), at: bench.clock)
        bench.pass(.seconds(1))
        bench.end(.failed(retryAfter: .hours(2)))
        bench.pass(.minutes(119))
        #expect(bench.starts.count == 1)
        bench.pass(.minutes(1))
        #expect(bench.starts.count == 2)
        bench.end(.failed(retryAfter: .hours(9_000)))
        bench.pass(.hours(24))
        #expect(bench.starts.count == 3)
    }

    @Test("retries a failing connector no less often than it would run")
    func retryWithinPeriod() throws {
        var bench = SchedulerBench()
        bench.scheduler.add("a", try schedule("PT5S"), at: bench.clock)
        bench.pass(.seconds(1))
        for _ in 1...10 {
            bench.end(.failed(retryAfter: nil))
            let count = bench.starts.count
            bench.pass(.seconds(5))
            #expect(bench.starts.count == count + 1)
        }
    }

    @Test("runs once and terminates, gated like any other")
    func runAndTerminate() throws {
        var bench = SchedulerBench()
        bench.level = .gigabytes(1)
        bench.scheduler.add("a", try schedule("0"), at: bench.clock)
        bench.pass(.hours(1))
        #expect(bench.starts.isEmpty)
        bench.level = .zero
        bench.pass(.seconds(10))
        bench.end()
        bench.pass(.hours(1_000))
        #expect(bench.starts.count == 1)
        #expect(bench.status()?.state == .ended)
        #expect(bench.status()?.isRunAndTerminate == true)
        bench.scheduler.runNow("a", at: bench.clock)
        bench.pass(.seconds(1))
        #expect(bench.starts.map(\.reason) == [.released, .person])
    }

    @Test("goes on after a restart where it was: overdue runs come, others at their time")
    func restart() throws {
        var memory = ScheduleMemory()
        memory.hasBegun = true
        memory.lastRun = SchedulerBench().clock.wall + .hours(-1)
        for (offset, first) in [(Duration.minutes(-30), Duration.seconds(1)), (.minutes(10), .minutes(10))] {
            var bench = SchedulerBench()
            memory.nextRun = bench.clock.wall + offset
            bench.scheduler.add("a", try schedule(), memory: memory, at: bench.clock)
            bench.pass(first - .milliseconds(500))
            #expect(bench.starts.count == (offset < .zero ? 1 : 0))
            bench.pass(.seconds(1))
            #expect(bench.starts.count == 1)
        }
    }

    @Test("takes a memory that makes no sense for none")
    func damagedMemory() throws {
        for time in [Int64.min, -1, .max, .max - 1] {
            var memory = ScheduleMemory()
            memory.lastRun = WallTime(nanoseconds: time)
            memory.nextRun = WallTime(nanoseconds: time)
            for rate in [false, true] {
                var bench = SchedulerBench()
                bench.scheduler.add("a", try schedule(rate: rate), memory: memory, at: bench.clock)
                bench.pass(.seconds(1))
                #expect(bench.starts.count == 1)
            }
        }
        // A clock that was years ahead: the wait is one period at most.
        var bench = SchedulerBench()
        var memory = ScheduleMemory()
        memory.hasBegun = true
        memory.nextRun = bench.clock.wall + .hours(50_000)
        bench.scheduler.add("a", try schedule(), memory: memory, at: bench.clock)
        bench.pass(hour)
        #expect(bench.starts.count == 1)
    }

    @Test("follows new settings from the last run on")
    func update() throws {
        var bench = SchedulerBench()
        bench.scheduler.add("a", try schedule("P1D"), at: bench.clock)
        bench.pass(.seconds(1))
        bench.end()
        bench.pass(.minutes(30))
        bench.scheduler.add("a", try schedule(), at: bench.clock)
        bench.pass(.minutes(29))
        #expect(bench.starts.count == 1)
        bench.pass(.minutes(1))
        #expect(bench.starts.count == 2)
    }

    @Test("never has two runs of a connector, though it is removed and added again while it runs")
    func readded() throws {
        var bench = SchedulerBench()
        bench.scheduler.add("a", try schedule(), at: bench.clock)
        bench.pass(.seconds(1))
        bench.take(bench.scheduler.remove("a", at: bench.clock))
        #expect(bench.stops == bench.starts.map(\.ticket))
        #expect(bench.status() == nil)
        bench.scheduler.add("a", try schedule(), at: bench.clock)
        bench.pass(.hours(5))
        #expect(bench.starts.count == 1)
        bench.end(.stopped)
        bench.pass(.hours(1))
        #expect(bench.starts.count == 2)

        bench.take(bench.scheduler.remove("a", at: bench.clock))
        bench.end(.stopped)
        #expect(bench.scheduler.count == 0 && bench.scheduler.wake == nil)
    }

    @Test("takes no word of a run that is not the present one")
    func staleTicket() throws {
        var bench = SchedulerBench()
        bench.scheduler.add("a", try schedule(), at: bench.clock)
        bench.pass(.seconds(1))
        bench.scheduler.ended("a", ticket: 9_999, .succeeded, at: bench.clock)
        bench.scheduler.ended("b", ticket: 1, .succeeded, at: bench.clock)
        #expect(bench.scheduler.measured("a", ticket: 1, level: .zero, at: bench.clock).isEmpty)
        #expect(bench.status()?.state == .running)
    }

    @Test("counts the runs that go on, and begins no more than may")
    func runsMost() throws {
        var tuning = Scheduler.Tuning()
        tuning.runsMost = 3
        var bench = SchedulerBench(tuning)
        for index in 0..<5 { bench.scheduler.add("c\(index)", try schedule(), at: bench.clock) }
        bench.pass(.seconds(5))
        #expect(bench.starts.count == 3 && bench.scheduler.runningCount == 3 && bench.scheduler.wake == nil)
        bench.end()
        #expect(bench.starts.count == 4)
    }
}
