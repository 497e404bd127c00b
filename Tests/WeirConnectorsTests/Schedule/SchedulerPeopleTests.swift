import Testing
import WeirConnectors
import WeirGates
import WeirWorld

@Suite("The scheduler, people and clocks")
struct SchedulerPeopleTests {
    private func hourly(rate: Bool = false) throws -> ConnectorSchedule {
        let period = try Period(iso: "PT1H")
        return ConnectorSchedule(rate ? .fixedRate(period) : .fixedDelay(period))
    }

    private func bench(_ schedule: ConnectorSchedule, ran: Bool = true) -> SchedulerBench {
        var bench = SchedulerBench()
        bench.scheduler.add("a", schedule, at: bench.clock)
        bench.pass(.seconds(1))
        if ran { bench.end() }
        return bench
    }

    @Test("Run now starts a run at once; a fixed delay counts from it, a grid stays")
    func runNow() throws {
        for isRate in [false, true] {
            var bench = bench(try hourly(rate: isRate))
            let next = try #require(bench.status()?.nextRun)
            bench.pass(.minutes(30))
            bench.scheduler.runNow("a", at: bench.clock)
            bench.pass(.zero)
            #expect(bench.starts.map(\.reason) == [.first, .person])
            bench.pass(.minutes(1))
            bench.end()
            #expect(bench.status()?.nextRun == (isRate ? next : bench.clock.wall + .hours(1)))
        }
    }

    @Test("Run now waits at the gate like any other run")
    func runNowGated() throws {
        var late = try hourly()
        late.release = .period
        var bench = bench(late)
        bench.level = .gigabytes(1)
        bench.scheduler.runNow("a", at: bench.clock)
        bench.pass(.minutes(1))
        #expect(bench.starts.count == 1 && bench.postponed.count == 1)
        bench.level = .zero
        bench.pass(.seconds(10))
        #expect(bench.starts.last?.reason == .person)
    }

    @Test("Run now during a run brings one more run after it, however often it is said")
    func runNowTwice() throws {
        var bench = bench(try hourly(), ran: false)
        for _ in 1...3 { bench.scheduler.runNow("a", at: bench.clock) }
        bench.pass(.minutes(5))
        #expect(bench.starts.count == 1)
        bench.end()
        #expect(bench.starts.count == 2)
        bench.end()
        bench.pass(.minutes(59))
        #expect(bench.starts.count == 2)
    }

    @Test("A paused connector does not run by itself; run now runs it once, and it stays paused")
    func pause() throws {
        var bench = bench(try hourly())
        bench.scheduler.pause("a", at: bench.clock)
        bench.pass(.hours(10))
        #expect(bench.starts.count == 1)
        #expect(bench.status()?.state == .paused)
        bench.scheduler.runNow("a", at: bench.clock)
        bench.pass(.seconds(1))
        bench.end()
        #expect(bench.starts.count == 2)
        bench.pass(.hours(10))
        #expect(bench.starts.count == 2)
        bench.scheduler.resume("a", at: bench.clock)
        bench.pass(.seconds(1))
        #expect(bench.starts.count == 3)
    }

    @Test("Paused while it runs, a connector comes to its end and then rests")
    func pauseRunning() throws {
        var bench = bench(try hourly(), ran: false)
        bench.scheduler.pause("a", at: bench.clock)
        #expect(bench.stops.isEmpty)
        #expect(bench.status()?.state == .running)
        bench.end(.failed(retryAfter: nil))
        bench.pass(.hours(10))
        #expect(bench.starts.count == 1)
        bench.scheduler.resume("a", at: bench.clock)
        bench.pass(.seconds(1))
        #expect(bench.starts.last?.reason == .retry)
    }

    @Test("A postponed run survives a pause, though missed runs are skipped")
    func pausePostponed() throws {
        var schedule = try hourly(rate: true)
        schedule.missed = .skip
        var bench = bench(schedule)
        bench.level = .gigabytes(1)
        bench.pass(.hours(1))
        #expect(bench.status()?.state == .buffering)
        bench.scheduler.pause("a", at: bench.clock)
        bench.level = .zero
        bench.pass(.minutes(10))
        #expect(bench.starts.count == 1)
        bench.scheduler.resume("a", at: bench.clock)
        bench.pass(.seconds(1))
        #expect(bench.starts.last?.reason == .released)
    }

    @Test("A person stops a run; the next comes at its time")
    func stop() throws {
        var bench = bench(try hourly(), ran: false)
        bench.take(bench.scheduler.stopRun("a", at: bench.clock))
        #expect(bench.stops.count == 1)
        bench.end(.stopped)
        #expect(bench.status()?.lastRun == nil)
        bench.pass(.minutes(59))
        #expect(bench.starts.count == 1)
        bench.pass(.minutes(1))
        #expect(bench.starts.count == 2)
    }

    @Test("A failed run is tried at once when its settings change")
    func mended() throws {
        var bench = bench(try hourly(), ran: false)
        bench.end(.failed(retryAfter: .hours(5)))
        bench.pass(.minutes(1))
        bench.scheduler.update("a", try hourly(), at: bench.clock)
        bench.pass(.seconds(1))
        #expect(bench.starts.count == 2)
    }

    // MARK: Clocks

    @Test("A calendar that is set forward brings what is due by it, once")
    func forward() throws {
        for isRate in [false, true] {
            var bench = bench(try hourly(rate: isRate))
            bench.jump(.hours(30))
            #expect(bench.starts.count == 2)
            bench.end()
            bench.passEnding(.minutes(59))
            #expect(bench.starts.count <= (isRate ? 3 : 2))
        }
    }

    @Test("A calendar that is set back neither delays nor repeats a run by period")
    func back() throws {
        for isRate in [false, true] {
            var bench = bench(try hourly(rate: isRate))
            bench.pass(.minutes(30))
            bench.jump(.hours(-48))
            bench.pass(.minutes(29))
            #expect(bench.starts.count == 1)
            #expect(bench.status()?.nextRun ?? bench.clock.wall <= bench.clock.wall + .minutes(1))
            bench.pass(.minutes(1))
            #expect(bench.starts.count == 2)
            bench.end()
            bench.pass(.minutes(59))
            #expect(bench.starts.count == 2)
            bench.pass(.minutes(1))
            #expect(bench.starts.count == 3)
        }
    }

    @Test("A run that was going on while the calendar was set back is not followed by a long wait")
    func backDuringRun() throws {
        for isRate in [false, true] {
            var bench = bench(try hourly(rate: isRate), ran: false)
            bench.jump(.hours(-1_000))
            bench.end()
            bench.pass(.hours(1))
            #expect(bench.starts.count == 2)
        }
    }

    @Test("Cron follows the calendar, and does not repeat what ran in the last three hours of it")
    func cron() throws {
        var bench = SchedulerBench()
        bench.scheduler.add("a", ConnectorSchedule(.cron(try CronExpression("0 13 * * *"))), at: bench.clock)
        bench.passEnding(.minutes(61))
        #expect(bench.starts.count == 1)
        // 13:01 becomes 12:31: 13:00 comes again, and nothing happens.
        bench.jump(.minutes(-30))
        bench.passEnding(.hours(20))
        #expect(bench.starts.count == 1)
        // Set forward over its time: it comes, once.
        bench.jump(.hours(24))
        bench.passEnding(.hours(1))
        #expect(bench.starts.count == 2)
        // Days back: the calendar was wrong before, and counts anew.
        bench.jump(.hours(-24 * 30))
        bench.passEnding(.hours(25))
        #expect(bench.starts.count == 3)
    }

    @Test("A clock that drifts is followed")
    func drift() throws {
        var bench = bench(try hourly())
        for _ in 1...10 {
            bench.pass(.minutes(5))
            bench.clock.wall = bench.clock.wall + .milliseconds(600)
        }
        bench.pass(.minutes(10) - .seconds(8))
        #expect(bench.starts.count == 1)
        bench.pass(.seconds(3))
        #expect(bench.starts.count == 2)
    }
}
