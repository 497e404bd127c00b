import Foundation
import NIOCore
import Synchronization
import WeirConnectors
import WeirFlow
import WeirGates
import WeirStore
import WeirTestKit
import WeirWorld

/// One world of connectors as a node runs them: scheduler, work queues, workers and ledger together. Each life ends
/// with a crash, and the next begins with what is on disk; the last one has the calm in it.
final class ConnectorNodeRun: Sendable {
    private struct State {
        var connectors: [ConnectorID: WatchedConnector] = [:]
        var numbers: [ConnectorID: ConnectorNumbers] = [:]
        var isCalm = false
        /// From the crash on nothing is durable, whatever is told.
        var isDying = false
        var lives = 0
    }

    /// Runs are put off from here on, pushes wait from twice as much; in bytes.
    private static let threshold: Int64 = 8_000

    private let simulation: Simulation
    private let disk: SimulatedDisk
    private let receivers: ForgetfulReceivers
    private let plan: ConnectorSchedulePlan
    private let time: SettableTime
    private let world: World
    private let path: String
    private let state = Mutex(State())
    private let failure = Mutex<String?>(nil)

    init(seed: UInt64) {
        simulation = Simulation(seed: seed)
        disk = SimulatedDisk(seed: seed)
        receivers = ForgetfulReceivers(simulation)
        plan = ConnectorSchedulePlan(simulation)
        time = SettableTime(simulation, start: plan.start)
        var world = World.simulated(simulation, files: disk)
        world.time = time
        self.world = world
        path = NSTemporaryDirectory() + "weir-node-sim-" + String(UInt64.random(in: 0 ... .max), radix: 16)
        for (index, entry) in plan.entries.prefix(4).enumerated() {
            var schedule = entry.schedule
            schedule.threshold = ByteCount(Self.threshold)
            state.withLock { state in
                state.connectors["c\(index)"] = WatchedConnector(schedule: schedule, cronGap: entry.cronGap)
                state.numbers["c\(index)"] = ConnectorNumbers()
            }
        }
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    var successes: Int { state.withLock { $0.connectors.values.map(\.successes).reduce(0, +) } }
    var releases: Int { state.withLock { $0.connectors.values.map(\.releases).reduce(0, +) } }
    var crashes: Int { state.withLock { $0.lives - 1 } }

    /// - Returns: what broke, or `nil`.
    func run() -> String? {
        let hasEnded = simulation.run(limit: .hours(24 * 30)) { await self.live() }
        if let broken = failure.withLock({ $0 }) { return simulation.failure(broken) }
        return hasEnded ? nil : simulation.failure("the world did not come to its end")
    }

    private func live() async {
        do {
            for _ in 0..<(1 + below(4)) where isWhole {
                try await life(for: .minutes(1 + below(plan.troubleHours * 60)), isLast: false)
            }
            if isWhole { try await life(for: .minutes(30), isLast: true) }
        } catch {
            fail("\(error)")
        }
    }

    // MARK: A life

    private func life(for duration: Duration, isLast: Bool) async throws {
        simulation.note("a new life")
        state.withLock { state in
            state.lives += 1
            state.isDying = false
        }
        let ledger = try await Ledger.open(path: path + "/ledger.db", world: world)
        let connectors = try await Connectors.open(
            directory: "/data/connectors", ledger: ledger, intake: receivers, gates: GateRegistry(),
            settings: settings, world: world)
        var tuning = Scheduler.Tuning()
        tuning.recheck = .seconds(30)
        let runner = connectors.runner(tuning: tuning) { self.note($0) }
        for (id, connector) in state.withLock({ $0.connectors.sorted { $0.key < $1.key } }) {
            _ = try await connectors.register(ConnectorRegistration(id: id, name: id))
            try await connectors.closeInterruptedWorks(of: id)
            change(id) { connector, _ in
                connector.memory = connectors.schedule(of: id)
                connector.isPaused = connectors.isHeld(id)
            }
            runner.add(
                id, connector.schedule, memory: connectors.schedule(of: id), isPaused: connectors.isHeld(id),
                run: NumberedRun { try await self.perform($0, connectors) })
        }
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await connectors.run() }
            group.addTask { await runner.run() }
            let end = time.now + duration
            while time.now < end, isWhole {
                try? await time.sleep(for: .seconds(1 + below(1_800)))
                await disturb(connectors, runner)
            }
            if isLast, isWhole { await calm(connectors, runner) }
            if !isLast {
                simulation.note("the power goes")
                state.withLock { $0.isDying = true }
                disk.setLife(operations: 0)
                receivers.die()
                await ledger.close()
            }
            group.cancelAll()
            connectors.stop()
            await group.waitForAll()
        }
        await ledger.close()
        if below(2) == 0 { disk.kill() } else { disk.crash() }
    }

    private var settings: ConnectorsSettings {
        var settings = ConnectorsSettings()
        settings.minFree = 0
        settings.marks = .init(threshold: Limit(Self.threshold, .bytes))
        return settings
    }

    // MARK: Connectors

    private func perform(_ occasion: RunOccasion, _ connectors: Connectors) async throws -> ScheduleMemory {
        let id = occasion.start.connector
        change(id) { connector, _ in connector.running += 1 }
        defer { change(id) { connector, _ in connector.running -= 1 } }
        connectors.runBegins(id)
        let number = Int(await connectors.connector(id)?.state ?? "") ?? 0
        change(id) { _, numbers in self.complain(numbers.begins(at: number), of: id) }
        let work = try await connectors.addWork(id, name: "run \(number + 1)", isMultipart: true).id
        do {
            for _ in 0..<below(5) {
                try await time.sleep(for: .seconds(below(60)))
                if !isCalm, below(10) == 0 { throw RunFailure("http_503", "The source answered 503.") }
                try await push(to: connectors, id, work)
            }
            let memory = occasion.memoryNow()
            let now = time.now
            change(id) { _, numbers in numbers.isEnding(number + 1) }
            let end = RunEnd(state: "\(number + 1)", schedule: memory, work: work)
            try await connectors.finishRun(id, end, last: nil, deadline: nil)
            change(id) { connector, numbers in
                connector.ends(occasion.start, memory, at: now)
                numbers.hasEnded(number + 1)
            }
            // What comes after the commit can be lost with a crash, and may not be repeated.
            try? await time.sleep(for: .milliseconds(below(50)))
            return memory
        } catch {
            try? await connectors.processed(work, message: "\(error)", isError: true)
            throw error
        }
    }

    private func push(to connectors: Connectors, _ id: ConnectorID, _ work: WorkID) async throws {
        let padding = String(repeating: "x", count: 500 + below(2_000))
        var event = ""
        change(id) { _, numbers in event = numbers.nextEvent(of: id) + padding + "\"}" }
        let head = BundleHead(connector: id, work: work, encoding: .events)
        try await connectors.push(BundlePush(head, bytes: ByteBuffer(string: event + "\n")), deadline: nil)
        change(id) { _, numbers in numbers.acknowledge(event) }
    }

    private func note(_ report: RunReport) {
        if state.withLock({ $0.isDying }) { return }
        switch report {
        case .started(let start):
            let id = start.connector
            simulation.note("\(id) starts: \(start.reason), due \(start.due)")
            let kept = receivers.kept
            change(id) { connector, numbers in
                connector.level = numbers.waiting(kept)
                self.complain(connector.begins(start, at: self.time.now), of: id)
            }
        case .postponed(let id, let postponement):
            change(id) { connector, _ in self.complain(connector.wasPostponed(postponement), of: id) }
        case .succeeded, .failed, .stopped: return
        }
    }

    // MARK: Trouble

    private func disturb(_ connectors: Connectors, _ runner: ScheduleRunner) async {
        let ids = state.withLock { $0.connectors.keys.sorted() }
        let id = ids[below(ids.count)]
        switch below(14) {
        case 0: jump(.seconds((below(2) == 0 ? 1 : -1) * below([5, 600, 7_200, 200_000][below(4)])))
        case 1, 2, 3: receivers.goAway(for: .seconds(below(30_000)))
        case 4:
            do { try await connectors.give(.hold(by: "anna"), to: id, why: "") } catch { return }
            change(id) { connector, _ in connector.isPaused = true }
        case 5, 6:
            change(id) { connector, _ in connector.isPaused = false }
            try? await connectors.give(.release(by: "anna"), to: id, why: "")
        case 7 where !connectors.isHeld(id):
            change(id) { connector, _ in connector.wasAsked = true }
            runner.runNow(id)
        case 8: runner.stopRun(id)
        case 9:
            change(id) { _, numbers in numbers.isReset() }
            do { try await connectors.resetState(id, by: "anna", why: "") } catch { return }
            change(id) { _, numbers in numbers.hasReset() }
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

    // MARK: Calm

    /// Nothing disturbs any more: every connector runs, everything arrives, every work is complete.
    private func calm(_ connectors: Connectors, _ runner: ScheduleRunner) async {
        simulation.note("calm")
        receivers.calm()
        let before = state.withLock { state in
            state.isCalm = true
            return state.connectors.mapValues(\.successes)
        }
        for id in before.keys.sorted() {
            change(id) { connector, _ in connector.isPaused = false }
            do { try await connectors.give(.release(by: "anna"), to: id, why: "") } catch { fail("\(error)") }
        }
        let end = time.now + .hours(24 * 3 + 2)
        while time.now < end, isWhole {
            try? await time.sleep(for: .minutes(30))
            let waiting = state.withLock { state in state.connectors.filter { $0.value.successes == before[$0.key] } }
            for id in before.keys.sorted() where waiting[id] == nil { runner.remove(id) }
            if waiting.isEmpty { break }
        }
        // What was handed over while the receivers were away comes back when they do.
        for _ in 0..<20 where isWhole {
            try? await time.sleep(for: .minutes(30))
            var waiting = 0
            for id in before.keys.sorted() { waiting += await connectors.queueLevel(id)?.messages ?? 1 }
            if waiting == 0 { break }
        }
        try? await time.sleep(for: .minutes(1))
        for (id, connector) in state.withLock({ $0.connectors.sorted { $0.key < $1.key } }) {
            if connector.successes == before[id] { fail("\(id) starved: \(String(describing: runner.status(of: id)))") }
            let level = await connectors.queueLevel(id)
            if level != WorkQueueLevel(messages: 0, bytes: 0) { fail("\(id) still holds \(String(describing: level))") }
            let open = await connectors.works(of: id, most: 250).filter { $0.status != .complete }
            if !open.isEmpty { fail("works are open: \(open)") }
        }
        let kept = receivers.kept
        let missing = state.withLock { $0.numbers.values.reduce(0) { $0 + $1.waiting(kept) } }
        if missing > 0 { fail("\(missing) bytes were acknowledged and did not arrive") }
    }

    // MARK: Helpers

    private var isWhole: Bool { failure.withLock { $0 } == nil }
    private var isCalm: Bool { state.withLock { $0.isCalm } }
    private func below(_ bound: Int) -> Int { Int(simulation.random() % UInt64(max(1, bound))) }
    private func fail(_ text: String) { failure.withLock { if $0 == nil { $0 = text } } }
    private func complain(_ complaint: String?, of id: ConnectorID) { if let complaint { fail("\(id): \(complaint)") } }

    private func change(_ id: ConnectorID, _ body: (inout WatchedConnector, inout ConnectorNumbers) -> Void) {
        state.withLock { state in
            guard var connector = state.connectors[id], var numbers = state.numbers[id] else { return }
            body(&connector, &numbers)
            state.connectors[id] = connector
            state.numbers[id] = numbers
        }
    }
}

private struct NumberedRun: ConnectorRun {
    let body: @Sendable (RunOccasion) async throws -> ScheduleMemory
    func run(_ occasion: RunOccasion) async throws -> ScheduleMemory { try await body(occasion) }
}
