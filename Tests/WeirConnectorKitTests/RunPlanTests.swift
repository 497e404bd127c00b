import Testing
import WeirGates
import WeirWorld

@testable import WeirConnectorKit

@Suite("When a connector runs")
struct RunPlanTests {
    private static let wall = CivilDate.wall(year: 2026, month: 11, day: 21, hour: 12)
    private let random = SeededRandom(seed: 1)

    private func plan(_ period: String, once: Bool = false, gatesFirst: Bool = false) throws -> RunPlan {
        RunPlan(
            period: try Period(iso: period), threshold: try QueueThreshold(text: "8"), runsOnce: once,
            gatesFirst: gatesFirst)
    }

    private func at(_ seconds: Int64) -> Moment { .zero + .seconds(seconds) }

    /// A look, with the wall clock beside the other.
    private func look(_ plan: inout RunPlan, _ bytes: Int64?, at seconds: Int64) {
        let step = plan.next(at: at(seconds))
        #expect(step == .look)
        plan.looked(bytes, at: at(seconds), wall: Self.wall + .seconds(seconds), random: random)
    }

    private func run(_ plan: inout RunPlan, from: Int64, to: Int64) {
        let step = plan.next(at: at(from))
        #expect(step == .run)
        plan.succeeded(at: at(to), wall: Self.wall + .seconds(to))
    }

    @Test("The first run is exempt, and the next comes a period after its end")
    func fixedDelay() throws {
        var plan = try plan("PT1H")
        run(&plan, from: 0, to: 600)
        look(&plan, 0, at: 600)
        let step = plan.next(at: at(601))
        #expect(step == .wait(until: at(4_200)))
        #expect(plan.report.nextRun == Self.wall + .seconds(4_200) && plan.report.lastRun == Self.wall + .seconds(600))
        look(&plan, 100, at: 4_200)
        run(&plan, from: 4_200, to: 4_201)
    }

    @Test("At the threshold a run is put off; a byte below it is not")
    func threshold() throws {
        var plan = try plan("PT1H", gatesFirst: true)
        look(&plan, 8_000_000, at: 0)
        #expect(plan.report.isBuffering && plan.report.queueSize == 8)
        guard case .wait(let until) = plan.next(at: at(0)) else {
            Issue.record("it does not wait")
            return
        }
        #expect(until > at(4) && until <= at(10), "it looks again soon, and not after a period")
        look(&plan, 7_999_999, at: 10)
        #expect(!plan.report.isBuffering)
        run(&plan, from: 10, to: 11)
    }

    @Test("A queue whose size is not known counts as full")
    func unknown() throws {
        var plan = try plan("PT1H", gatesFirst: true)
        look(&plan, nil, at: 0)
        #expect(plan.report.isBuffering)
        if case .run = plan.next(at: at(0)) { Issue.record("it runs") }
    }

    @Test("A short period is also how often it looks again")
    func shortPeriod() throws {
        var plan = try plan("PT2S", gatesFirst: true)
        look(&plan, 9_000_000, at: 0)
        guard case .wait(let until) = plan.next(at: at(0)) else {
            Issue.record("it does not wait")
            return
        }
        #expect(until <= at(2))
    }

    @Test("Run and terminate has no exemption: it looks, runs once, and ends", arguments: ["0", "P0D", "PT0S"])
    func runAndTerminate(period: String) throws {
        var full = try plan(period)
        look(&full, 8_000_000, at: 0)
        let postponed = full.next(at: at(0))
        #expect(postponed == .end(.postponed) && full.report.lastRun == nil)
        var empty = try plan("PT1H", once: true)
        look(&empty, 0, at: 0)
        run(&empty, from: 0, to: 5)
        let ran = empty.next(at: at(5))
        #expect(ran == .end(.ranOnce) && empty.report.isRunAndTerminate)
        #expect(empty.report.nextRun == nil && empty.report.lastRun == Self.wall + .seconds(5))
    }

    @Test("A failed run moves no last run, and is tried again with growing waits, never longer than a period")
    func failures() throws {
        var plan = try plan("PT1M")
        var now: Int64 = 0
        for cap in [10, 20, 40, 60, 60] {
            let step = plan.next(at: at(now))
            #expect(step == .run)
            let pause = plan.failed(at: at(now), wall: Self.wall + .seconds(now), random: random)
            #expect(try #require(pause) <= .seconds(cap))
            #expect(plan.report.lastRun == nil && plan.report.nextRun != nil)
            now += 60
            look(&plan, 0, at: now)
        }
        run(&plan, from: now, to: now)
        look(&plan, 0, at: now)
        look(&plan, 0, at: now + 60)
        let step = plan.next(at: at(now + 60))
        #expect(step == .run)
        let pause = plan.failed(at: at(now), wall: Self.wall, random: random)
        #expect(try #require(pause) <= .seconds(10), "a good run ends the growth")
    }

    @Test("A failed run that is the only one is the end")
    func failedOnce() throws {
        var plan = try plan("0")
        look(&plan, 0, at: 0)
        let step = plan.next(at: at(0))
        #expect(step == .run)
        let pause = plan.failed(at: at(0), wall: Self.wall, random: random)
        #expect(pause == nil)
    }
}
