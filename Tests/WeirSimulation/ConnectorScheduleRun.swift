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
        time = SettableTime(simulation)
        var world = World.simulated(simulation, files: SimulatedDisk(seed: seed))
        world.time = time
        self.world = world
        for (index, schedule) in plan.schedules.enumerated() {
            state.withLock { $0.connectors["c\(index)"] = WatchedConnector(schedule: schedule) }
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
                level: { id in self.state.withLock { $0.connectors[id].map { ByteCount($0.level) } } },
                remember: { id, memory in self.state.withLock { $0.connectors[id]?.memory = memory } },
                report: { self.note($0) }))
        let connectors = state.withLock { state in
            for id in state.connectors.keys { state.connectors[id]?.isPostponed = false }
            return state.connectors.sorted { $0.key < $1.key }
        }
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
        change(id) {
            $0.memory = memory
            $0.successes += 1
            $0.lastEnd = self.time.now
            let isByTime = ![.person, .retry].contains(occasion.start.reason)
            $0.lastDue = isByTime ? occasion.start.due : nil
            $0.forward = .zero
            $0.backAtPlan = $0.backAtEnd
            $0.backAtEnd = $0.back
        }
        // What comes after the commit can be lost with a crash, and may not be repeated.
        try? await time.sleep(for: .milliseconds(below(50)))
        return memory
    }

    private func note(_ report: RunReport) {
        switch report {
        case .started(let start):
            simulation.note("\(start.connector) starts: \(start.reason), due \(start.due)")
            change(start.connector) { connector in
                if let complaint = connector.complaint(about: start, at: self.time.now) {
                    self.fail("\(start.connector) (\(connector.schedule.timing)): \(complaint)")
                }
                connector.runs += 1
                if connector.isPostponed { connector.releases += 1 }
                connector.isPostponed = false
            }
        case .postponed(let id, _):
            change(id) { connector in
                if connector.isPostponed { self.fail("\(id) was postponed twice") }
                if !connector.isFull { self.fail("\(id) was postponed at level \(connector.level)") }
                connector.isPostponed = true
                connector.postponements += 1
            }
        case .succeeded, .failed, .stopped: return
        }
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
        switch below(12) {
        case 0, 1: jump(.seconds((below(2) == 0 ? 1 : -1) * below([5, 600, 7_200, 200_000][below(4)])))
        case 2:
            change(id) { $0.isPaused = true }
            runner.pause(id)
        case 3, 4:
            change(id) { $0.isPaused = false }
            runner.resume(id)
        case 5: runner.runNow(id)
        case 6: runner.stopRun(id)
        case 7: replace(id, runner)
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

    /// Other settings, by another connector's.
    private func replace(_ id: ConnectorID, _ runner: ScheduleRunner) {
        let schedule = plan.schedules[below(plan.schedules.count)]
        simulation.note("\(id) gets another schedule: \(schedule.timing)")
        change(id) {
            $0.schedule = schedule
            $0.forgetTimes()
        }
        runner.add(id, schedule, run: SimulatedRun { try await self.perform($0) })
    }

    // MARK: Calm

    /// Nothing disturbs any more: every connector runs within two of its longest gaps, whatever happened before.
    private func calm(_ runner: ScheduleRunner) async {
        state.withLock { state in
            state.isCalm = true
            for id in state.connectors.keys { state.connectors[id]?.isPaused = false }
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
