import Synchronization
import Testing
import WeirGates
import WeirTestKit
import WeirWorld

@testable import WeirConnectors
@testable import WeirNode

@Suite("What people see of a connector")
struct ConnectorLookTests {
    private static let now = CivilDate.wall(year: 2026, month: 11, day: 21, hour: 12)
    private static let clock = ClockReading(now: Moment(nanoseconds: 5_000_000_000), wall: now)

    private func look(_ origin: String = "opencti", _ change: (inout ConnectorLook) -> Void = { _ in }) -> ConnectorLook
    {
        var registration = ConnectorRegistration(id: "c", name: "C")
        registration.origin = origin
        var look = ConnectorLook(
            record: ConnectorRecord(registration: registration, userID: "u", registeredAt: Self.now),
            level: WorkQueueLevel(messages: 0, bytes: 0), marks: .init(threshold: Limit(8_000_000, .bytes)),
            openWorks: [])
        change(&look)
        return look
    }

    private func status(_ state: String?) -> ConnectorStatus {
        ConnectorStatus(look { $0.record.state = state })
    }

    @Test("The last run comes from its own state where it says nothing else")
    func lastRunFromState() {
        let seconds = 1_763_735_400.0
        #expect(status(#"{"last_run": 1763735400}"#).lastRun == .fromState(WallTime(secondsSince1970: seconds)))
        for state in [nil, "null", "{}", #"{"last_run": "yesterday"}"#, #"{"last_run": -5}"#, #"{"last_run": 1e300}"#] {
            #expect(status(state).lastRun == .notProvided, "\(state ?? "nil")")
        }
        var report = ConnectorReport()
        report.lastRun = Self.now
        let told = ConnectorStatus(
            look {
                $0.record.state = #"{"last_run": 1763735400}"#
                $0.record.report = report
            })
        #expect(told.lastRun == .at(Self.now))
    }

    @Test("It is full, and its runs are put off, from exactly the gate's threshold on, and where nobody knows")
    func threshold() {
        for (bytes, isFull) in [(7_999_999, false), (8_000_000, true), (nil, true)] as [(Int64?, Bool)] {
            let status = ConnectorStatus(
                look { $0.level = bytes.map { WorkQueueLevel(messages: 1, bytes: $0) } })
            #expect(status.threshold == 8_000_000 && status.isFull == isFull && status.isBuffering == isFull)
            #expect((status.activity == "buffering") == isFull)
        }
    }

    @Test("Run and terminate has an external schedule; one that is held is paused, whatever else is true")
    func words() {
        var report = ConnectorReport()
        report.isRunAndTerminate = true
        let status = ConnectorStatus(
            look {
                $0.record.report = report
                $0.pausedBy = "anna"
                $0.level = nil
            })
        #expect(status.nextRun == .externalSchedule && status.activity == "paused" && status.isPaused)
        #expect(ConnectorStatus(look { $0.gate = .filling }).word == "filling", "its gate's word without the gate")
    }

    @Test("One that Weir runs follows its schedule: running, failed, put off, paused in its run, configured no more")
    func managed() {
        func follow(_ change: (inout ScheduleStatus) -> Void, held: Bool = false) -> ConnectorStatus {
            var schedule = ScheduleStatus(
                state: .waiting, isPaused: held, isRunAndTerminate: false, lastRun: Self.now,
                nextRun: Self.now + .seconds(60), postponement: nil, failures: 0, retryAt: nil)
            change(&schedule)
            var status = ConnectorStatus(look("http") { if held { $0.pausedBy = "anna" } })
            status.follow(schedule, at: Self.clock)
            return status
        }
        let waiting = follow { _ in }
        #expect(waiting.activity == "waiting" && waiting.canRunNow && waiting.lastRun == .at(Self.now))
        #expect(waiting.nextRun == .at(Self.now + .seconds(60)))
        let running = follow {
            $0.state = .running
            $0.nextRun = Self.now
        }
        #expect(running.isRunning && running.nextRun == .afterThisRun)
        let failed = follow {
            $0.failures = 2
            $0.retryAt = Self.clock.now + .seconds(30)
        }
        #expect(failed.activity == "failed" && failed.failures == 2 && failed.nextRun == .at(Self.now + .seconds(30)))
        #expect(follow { $0.state = .buffering }.isBuffering)
        #expect(follow { $0.isRunAndTerminate = true }.nextRun == .externalSchedule)
        let held = follow({ $0.state = .running }, held: true)
        #expect(held.activity == "paused" && held.activityDetail != nil && !held.canRunNow)
        var gone = ConnectorStatus(look("http"))
        gone.follow(nil, at: Self.clock)
        #expect(gone.activity == "ended" && !gone.canRunNow)
    }
}

@Suite("The index of connectors")
struct ConnectorIndexingTests {
    private static func status(_ id: String) -> ConnectorStatus {
        ConnectorStatus(
            id: id, name: id, origin: "http", type: "EXTERNAL_IMPORT", registeredAt: WallTime(nanoseconds: 0),
            activity: "waiting", threshold: 1, hardLimit: 2)
    }

    @Test("is made once for all who ask at the same time, and says how far it is")
    func singleFlight() async {
        let simulation = Simulation(seed: 1)
        let isOver = simulation.run(limit: .seconds(100)) {
            let time = SlowTime(simulation)
            let indexing = ConnectorIndexing(time: time)
            let looks = Counter()
            let ids = (0..<1_200).map { "c\($0)" }
            await withTaskGroup(of: Void.self) { group in
                group.addTask {
                    await indexing.run(of: { ids }) { some, index in
                        looks.add(some.count)
                        time.pass(.milliseconds(10))
                        if looks.value <= ids.count { #expect(indexing.progress?.of == ids.count) }
                        for id in some { index.add(Self.status(id)) }
                    }
                }
                await withTaskGroup(of: Int.self) { asking in
                    for _ in 0..<20 { asking.addTask { await indexing.index().rows.count } }
                    for await count in asking { #expect(count == ids.count) }
                }
                #expect(looks.value == ids.count && indexing.hasIndex && indexing.progress == nil)
                time.pass(.seconds(10))
                _ = await indexing.index()
                #expect(looks.value == 2 * ids.count)
                group.cancelAll()
            }
            // Whoever asks when Weir stops is answered.
            #expect(await indexing.index().rows.count == ids.count)
        }
        #expect(isOver)
    }

    @Test("is kept for twenty times as long as it took, and as long again while the next is made")
    func kept() async {
        let simulation = Simulation(seed: 1)
        let isOver = simulation.run(limit: .seconds(1_000)) {
            let time = SlowTime(simulation)
            let indexing = ConnectorIndexing(time: time)
            let looks = Counter()
            await withTaskGroup(of: Void.self) { group in
                group.addTask {
                    await indexing.run(of: { ["c"] }) { _, index in
                        looks.add(1)
                        time.pass(.seconds(1))
                        index.add(Self.status("c"))
                    }
                }
                _ = await indexing.index()
                for (wait, expected) in [(19, 1), (2, 2), (50, 3)] {
                    time.pass(.seconds(wait))
                    _ = await indexing.index()
                    try? await SimulatedTime(simulation).sleep(for: .milliseconds(1))
                    #expect(looks.value == expected, "after \(wait) s")
                }
                group.cancelAll()
            }
        }
        #expect(isOver)
    }
}

private final class Counter: Sendable {
    private let count = Mutex(0)
    var value: Int { count.withLock { $0 } }
    func add(_ number: Int) { count.withLock { $0 += number } }
}

/// A clock that also moves when somebody says so: work takes time.
private final class SlowTime: TimeSource {
    private let time: SimulatedTime
    private let passed = Mutex(Duration.zero)

    init(_ simulation: Simulation) { time = SimulatedTime(simulation) }

    var now: Moment { time.now + passed.withLock { $0 } }
    var wall: WallTime { time.wall }
    func pass(_ duration: Duration) { passed.withLock { $0 += duration } }
    func sleep(until moment: Moment) async throws { try await time.sleep(until: moment) }
}
