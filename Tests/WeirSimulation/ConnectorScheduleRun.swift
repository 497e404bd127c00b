import Synchronization
import WeirConnectors
import WeirGates
import WeirTestKit
import WeirWorld

/// One world of connectors from a seed: days of runs, full queues, a calendar that jumps, crashes and people; then a
/// calm in which every connector must run.
final class ConnectorScheduleRun: Sendable {
    private struct State {
        var connectors: [ConnectorID: WatchedConnector] = [:]
        var isCalm = false
    }

    private let simulation: Simulation
    private let plan: ConnectorSchedulePlan
    private let time: SettableTime
    private let world: World
    private let state = Mutex(State())
    private let runner = Mutex<ScheduleRunner?>(nil)
    /// The first thing that went wrong; apart from the state, because it is found while that is changed.
    private let failure = Mutex<String?>(nil)

    init(seed: UInt64) {
        simulation = Simulation(seed: seed)
        plan = ConnectorSchedulePlan(simulation)
        time = SettableTime(simulation, start: plan.start)
        var world = World.simulated(simulation, files: SimulatedDisk(seed: seed))
        world.time = time
        self.world = world
        for (index, entry) in plan.entries.enumerated() {
            state.withLock {
                $0.connectors["c\(index)"] = WatchedConnector(schedule: entry.schedule, cronGap: entry.cronGap)
            }
        }
    }

    var steps: Int { simulation.steps }
    var successes: Int { state.withLock { $0.connectors.values.map(\.successes).reduce(0, +) } }
    var postponements: Int { state.withLock { $0.connectors.values.map(\.postponements).reduce(0, +) } }

    /// - Returns: what broke, or `nil`.
    func run() -> String? {
        let hasEnded = simulation.run(limit: .hours(24 * 60)) { await self.live() }
        if let broken = failure.withLock({ $0 }) { return simulation.failure(broken) }
        return hasEnded ? nil : simulation.failure("the world did not come to its end")
    }

    private func live() async {
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await self.drain() }
            // Lives that end with a crash, and a last one with the calm in it.
            for life in 0..<(1 + below(4)) {
                let hours = plan.troubleHours / (life + 1) + 1
                await self.life(for: .minutes(hours * 60), isLast: false)
            }
            await life(for: .hours(1), isLast: true)
            group.cancelAll()
        }
    }

    private func life(for duration: Duration, isLast: Bool) async {
        simulation.note("a new life")
        let runner = newRunner()
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await runner.run() }
            let end = time.now + duration
            while time.now < end, isWhole {
                try? await time.sleep(for: .seconds(1 + below(3_600)))
                disturb(runner)
            }
            if isLast { await calm(runner) }
            group.cancelAll()
        }
        let running = state.withLock { $0.connectors.filter { $0.value.running != 0 }.keys.sorted() }
        if let id = running.first { fail("\(id) still runs after the crash") }
    }

    private func newRunner() -> ScheduleRunner {
        var tuning = Scheduler.Tuning()
        tuning.recheck = .minutes(2)
        if below(5) == 0 { tuning.runsMost = 2 }
        let runner = ScheduleRunner(
            world, tuning: tuning, sleepMost: .minutes(5),
            .init(
                level: { id in
                    self.state.withLock { state in
                        state.connectors[id].flatMap { $0.isUnreadable ? nil : ByteCount($0.level) }
                    }
                },
                remember: { try await self.remember($1, of: $0) },
                report: { self.note($0) }))
        let connectors = state.withLock { $0.connectors.sorted { $0.key < $1.key } }
        for (id, connector) in connectors {
            runner.add(
                id, connector.schedule, memory: connector.memory, isPaused: connector.isPaused,
                run: SimulatedRun { try await self.perform($0) })
        }
        self.runner.withLock { $0 = runner }
        return runner
    }

    // MARK: Connectors

    private func perform(_ occasion: RunOccasion) async throws -> ScheduleMemory {
        let id = occasion.start.connector
        let isCalm = state.withLock { $0.isCalm }
        change(id) { $0.running += 1 }
        defer { change(id) { $0.running -= 1 } }
        try await time.sleep(for: .seconds(isCalm ? below(30) : below(below(8) == 0 ? 7_200 : 240)))
        if !isCalm && below(4) == 0 { throw RunFailure("http_503", "The source answered 503.") }
        change(id) { $0.level += Int64(self.below(300)) * 1_000_000 }
        let memory = occasion.memoryNow()
        change(id) { $0.ends(occasion.start, memory, at: self.time.now) }
        simulation.note("\(id) ends: \(memory)")
        // What comes after the commit can be lost with a crash, and may not be repeated.
        try? await time.sleep(for: .milliseconds(below(50)))
        return memory
    }

    /// What the ledger does: now and then slowly, so that a crash may come before or after it.
    private func remember(_ memory: ScheduleMemory, of id: ConnectorID) async throws {
        if below(4) == 0 { try await time.sleep(for: .milliseconds(below(2_000))) }
        change(id) { $0.memory = memory }
        if below(4) == 0 { try? await time.sleep(for: .milliseconds(below(2_000))) }
    }

    private func note(_ report: RunReport) {
        switch report {
        case .started(let start):
            simulation.note("\(start.connector) starts: \(start.reason), due \(start.due)")
            change(start.connector) { self.complain($0.begins(start, at: self.time.now), of: start.connector, $0) }
        case .postponed(let id, let postponement):
            simulation.note("\(id) is postponed")
            change(id) { self.complain($0.wasPostponed(postponement), of: id, $0) }
        case .succeeded, .failed, .stopped: return
        }
    }

    private func complain(_ complaint: String?, of id: ConnectorID, _ connector: WatchedConnector) {
        if let complaint { fail("\(id) (\(connector.schedule.timing)): \(complaint)") }
    }

    /// The receivers: now and then away for hours.
    private func drain() async {
        while !Task.isCancelled {
            let isAway = below(6) == 0 && !state.withLock { $0.isCalm }
            do { try await time.sleep(for: .seconds(isAway ? below(20_000) : 300)) } catch { return }
            let ids = state.withLock { $0.connectors.keys.sorted() }
            for id in ids {
                var level: Int64 = 0
                change(id) {
                    $0.level = max(0, $0.level - Int64(self.below(200)) * 1_000_000)
                    level = $0.level
                }
                // Nobody may rely on being told.
                if below(3) > 0 { runner.withLock { $0 }?.levelChanged(id, ByteCount(level)) }
            }
        }
    }

    // MARK: Trouble

    private func disturb(_ runner: ScheduleRunner) {
        let ids = state.withLock { $0.connectors.keys.sorted() }
        let id = ids[below(ids.count)]
        switch below(15) {
        case 0, 1: jump(.seconds((below(2) == 0 ? 1 : -1) * below([5, 600, 7_200, 200_000][below(4)])))
        case 2:
            change(id) { $0.isPaused = true }
            runner.pause(id)
        case 3, 4:
            change(id) { $0.isPaused = false }
            runner.resume(id)
        case 5:
            change(id) { $0.wasAsked = true }
            runner.runNow(id)
        case 6: runner.stopRun(id)
        case 7: replace(id, runner)
        case 8: change(id) { $0.isUnreadable.toggle() }
        case 9, 10: cross(id, runner)
        default: return
        }
    }

    private func jump(_ duration: Duration) {
        simulation.note("the calendar jumps by \(duration)")
        time.jump(duration)
        state.withLock { state in
            for id in state.connectors.keys { state.connectors[id]?.jumped(duration) }
        }
    }

    /// Another threshold: what was full has room, and the other way round.
    private func cross(_ id: ConnectorID, _ runner: ScheduleRunner) {
        let megabytes = [1, 100, 500, 2_000][below(4)]
        guard let schedule = state.withLock({ $0.connectors[id]?.schedule }), schedule.threshold != nil else { return }
        simulation.note("\(id) gets the threshold \(megabytes) MB")
        var changed = schedule
        changed.threshold = .megabytes(Int64(megabytes))
        set(changed, of: id, runner)
    }

    /// Other settings, by another connector's.
    private func replace(_ id: ConnectorID, _ runner: ScheduleRunner) {
        let entry = plan.entries[below(plan.entries.count)]
        simulation.note("\(id) gets another schedule: \(entry.schedule.timing)")
        change(id) {
            $0.cronGap = entry.cronGap
            $0.forgetTimes()
        }
        set(entry.schedule, of: id, runner)
    }

    private func set(_ schedule: ConnectorSchedule, of id: ConnectorID, _ runner: ScheduleRunner) {
        change(id) { $0.schedule = schedule }
        runner.add(id, schedule, run: SimulatedRun { try await self.perform($0) })
    }

    // MARK: Calm

    /// Nothing disturbs any more: every connector runs within two of its longest gaps, whatever happened before.
    private func calm(_ runner: ScheduleRunner) async {
        state.withLock { state in
            state.isCalm = true
            for id in state.connectors.keys {
                state.connectors[id]?.isPaused = false
                state.connectors[id]?.isUnreadable = false
            }
        }
        let ids = state.withLock { $0.connectors.keys.sorted() }
        for id in ids { runner.resume(id) }
        let before = state.withLock { $0.connectors.mapValues(\.successes) }
        // A daily period, begun anew by what happened, put off once for a whole period, and a retry.
        let end = time.now + .hours(24 * 3 + 2)
        while time.now < end, isWhole {
            try? await time.sleep(for: .minutes(30))
            let waiting = state.withLock { state in
                state.connectors.filter { $0.value.successes == before[$0.key] }.keys.sorted()
            }
            // Those that have run would go on for days, waiting for the slow ones.
            for id in ids where !waiting.contains(id) { runner.remove(id) }
            if waiting.isEmpty { return }
        }
        guard isWhole else { return }
        let starved = state.withLock { state in
            state.connectors.filter { $0.value.successes == before[$0.key] }.sorted { $0.key < $1.key }
        }
        if let (id, connector) = starved.first {
            let status = runner.status(of: id).map { "\($0)" } ?? "unknown"
            fail("\(id) (\(connector.schedule.timing), level \(connector.level)) starved: \(status)")
        }
    }

    // MARK: Helpers

    private var isWhole: Bool { failure.withLock { $0 } == nil }
    private func below(_ bound: Int) -> Int { Int(simulation.random() % UInt64(max(1, bound))) }

    private func fail(_ text: String) { failure.withLock { if $0 == nil { $0 = text } } }

    private func change(_ id: ConnectorID, _ body: (inout WatchedConnector) -> Void) {
        state.withLock { state in
            guard var connector = state.connectors[id] else { return }
            body(&connector)
            state.connectors[id] = connector
        }
    }
}

private struct SimulatedRun: ConnectorRun {
    let body: @Sendable (RunOccasion) async throws -> ScheduleMemory
    func run(_ occasion: RunOccasion) async throws -> ScheduleMemory { try await body(occasion) }
}
