import Foundation
import NIOCore
import Synchronization
import Testing
import WeirFlow
import WeirGates
import WeirStore
import WeirTestKit
import WeirWorld

@testable import WeirConnectors

/// The routes of the simulation: take their time, and lose a part when told to.
private final class SimulatedIntake: Intake {
    let name = "simulated"
    private struct State {
        var delivered: [String] = []
        var open: [(receipt: Receipt, lines: [String])] = []
        var life = 0
    }
    private let state = Mutex(State())
    private let simulation: Simulation
    private let loses: Bool

    init(_ simulation: Simulation, loses: Bool) {
        self.simulation = simulation
        self.loses = loses
    }

    var delivered: [String] { state.withLock { $0.delivered } }

    func accept(_ batch: Batch, deadline: Moment?) async throws(IntakeRefusal) -> Receipt {
        do { try await SimulatedTime(simulation).sleep(for: .milliseconds(Int64(simulation.random() % 20))) } catch {
            throw .stopped
        }
        let receipt = Receipt()
        let lines = batch.texts
        let isLost = loses && simulation.random() % 5 == 0
        let life = state.withLock { state in
            state.open.append((receipt, lines))
            return state.life
        }
        simulation.schedule(at: simulation.now + .milliseconds(Int64(simulation.random() % 300))) { [self] in
            state.withLock { state in
                guard state.life == life else { return }
                state.open.removeAll { $0.receipt === receipt }
                if !isLost { state.delivered += lines }
            }
            receipt.settle(isLost ? .lost(Reason("test", "lost on the way")) : .kept)
        }
        return receipt
    }

    /// The process dies: nobody hears of what was on its way.
    func die() {
        let open = state.withLock { state in
            state.life += 1
            defer { state.open = [] }
            return state.open.map(\.receipt)
        }
        for receipt in open { receipt.settle(.lost(Reason("test", "killed"))) }
    }
}

/// What connectors did and were told.
private struct Ledgered: Sendable {
    var attempted: [ConnectorID: [String]] = [:]
    var acknowledged: Set<String> = []
    var poisoned = 0
    var works: [WorkID: (attempts: Int, acknowledged: Int)] = [:]
    /// Of the connector that Weir runs itself: the newest run that was told to have ended, and the newest begun.
    var runsEnded = 0
    var runsBegun = 0
}

private final class ConnectorsRun: Sendable {
    let simulation: Simulation
    let disk: SimulatedDisk
    let intake: SimulatedIntake
    let world: World
    let path: String
    let loses: Bool
    let seen = Mutex(Ledgered())
    let broken = Mutex<String?>(nil)
    let ids = ["a", "b", "c"]

    init(seed: UInt64) {
        simulation = Simulation(seed: seed)
        disk = SimulatedDisk(seed: seed)
        loses = seed % 2 == 0
        intake = SimulatedIntake(simulation, loses: loses)
        world = .simulated(simulation, files: disk)
        path = NSTemporaryDirectory() + "weir-connectors-sim-" + String(UInt64.random(in: 0 ... .max), radix: 16)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    private func settings() -> ConnectorsSettings {
        var settings = ConnectorsSettings()
        settings.spoolFrom = 2_000
        settings.turnBytes = 5_000
        settings.heartbeatEvery = .seconds(2)
        settings.idleClose = .milliseconds(200)
        settings.minFree = 0
        settings.marks = .init(threshold: Limit(10_000, .bytes))
        return settings
    }

    func run() async {
        do {
            for life in 0..<6 { try await live(isLast: life == 5) }
        } catch {
            broken.withLock { $0 = "\(error)" }
        }
    }

    private func live(isLast: Bool) async throws {
        let ledger = try await Ledger.open(path: path + "/ledger.db", world: world)
        let connectors = try await Connectors.open(
            directory: "/data/connectors", ledger: ledger, intake: intake, gates: GateRegistry(), settings: settings(),
            world: world)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await connectors.run() }
            if !isLast { group.addTask { await self.runManaged(connectors) } }
            for id in ids { group.addTask { await self.push(to: connectors, as: id, most: isLast ? 5 : .max) } }
            if isLast {
                try await calm(connectors)
                connectors.stop()
            } else {
                try await world.time.sleep(for: .milliseconds(Int64(simulation.random() % 2_500)))
                disk.setLife(operations: 0)
                intake.die()
                group.addTask { await ledger.close() }
                connectors.stop()
            }
            try await group.waitForAll()
        }
        await ledger.close()
        if simulation.random() % 2 == 0 { disk.kill() } else { disk.crash() }
    }

    private func push(to connectors: Connectors, as id: ConnectorID, most: Int) async {
        guard (try? await connectors.register(ConnectorRegistration(id: id, name: id))) != nil else { return }
        guard let work = try? await connectors.addWork(id, name: "run", isMultipart: false).id else { return }
        for _ in 0..<most {
            let chance = simulation.random()
            let isPoison = chance % 9 == 0
            let padding = chance % 4 == 0 ? 2_500 : 50
            let objects = seen.withLock { seen -> [String] in
                let first = seen.attempted[id]?.count ?? 0
                let objects = (0..<Int(1 + chance % 3)).map {
                    #"{"id":"\#(id)-\#(first + $0)","x":""# + String(repeating: "x", count: padding) + "\"}"
                }
                if !isPoison { seen.attempted[id, default: []] += objects }
                seen.works[work, default: (0, 0)].attempts += 1
                return objects
            }
            let bundle = Sample.bundle(objects) + (isPoison ? "}" : "")
            let push =
                chance % 2 == 0
                ? Sample.push(Sample.message(bundle, work: work), to: id, as: .message)
                : Sample.push(bundle, to: id, work: work)
            do { try await connectors.push(push, deadline: nil) } catch { return }
            seen.withLock { seen in
                if isPoison { seen.poisoned += 1 } else { seen.acknowledged.formUnion(objects) }
                seen.works[work]?.acknowledged += 1
            }
            do { try await world.time.sleep(for: .milliseconds(Int64(simulation.random() % 50))) } catch { return }
        }
    }

    /// Runs of a connector that Weir runs itself. Each goes on from the state that the last one left, and leaves its
    /// own number behind; so a finished run that was lost, or done twice, shows in the numbers.
    private func runManaged(_ connectors: Connectors) async {
        let id = "m"
        guard (try? await connectors.register(ConnectorRegistration(id: id, name: id))) != nil else { return }
        do {
            try check(await connectors.connector(id)?.state, connectors.schedule(of: id))
            try await connectors.closeInterruptedWorks(of: id)
            while true {
                let number = (Int(await connectors.connector(id)?.state ?? "") ?? 0) + 1
                seen.withLock { $0.runsBegun = max($0.runsBegun, number) }
                let work = try await connectors.addWork(id, name: "run \(number)", isMultipart: true).id
                var schedule = ScheduleMemory()
                schedule.lastRun = WallTime(secondsSince1970: Double(number))
                let end = RunEnd(state: "\(number)", schedule: schedule, work: work, message: "done")
                let last = BundlePush(
                    BundleHead(connector: id, work: work, encoding: .events), bytes: ByteBuffer(string: "{}\n"))
                try await connectors.finishRun(
                    id, end, last: simulation.random() % 3 == 0 ? nil : last, deadline: nil)
                seen.withLock { $0.runsEnded = max($0.runsEnded, number) }
                try await world.time.sleep(for: .milliseconds(Int64(simulation.random() % 80)))
            }
        } catch let failure as Broken {
            broken.withLock { $0 = $0 ?? failure.description }
        } catch {}
    }

    private func check(_ state: String?, _ schedule: ScheduleMemory) throws {
        let number = Int(state ?? "") ?? 0
        let seen = seen.withLock { $0 }
        try expect(number >= seen.runsEnded, "run \(seen.runsEnded) ended, and \(number) is known")
        try expect(number <= seen.runsBegun, "run \(number) was never begun")
        try expect(
            number == 0 || schedule.lastRun == WallTime(secondsSince1970: Double(number)),
            "the state is of run \(number), the schedule says \(schedule)")
    }

    /// Nothing happens any more: within a bound everything is delivered and every work is complete.
    private func calm(_ connectors: Connectors) async throws {
        try await world.time.sleep(for: .seconds(5))
        for work in seen.withLock({ $0.works.keys.sorted() }) {
            try await connectors.processed(work, message: nil, isError: false)
        }
        try await world.time.sleep(for: .seconds(300))
        for id in ids {
            let level = await connectors.queueLevel(id)
            try expect(level == WorkQueueLevel(messages: 0, bytes: 0), "\(id) still holds \(String(describing: level))")
        }
        for (id, told) in seen.withLock({ $0.works }).sorted(by: { $0.key < $1.key }) {
            guard let work = await connectors.work(id) else {
                try expect(false, "\(id) is gone")
                continue
            }
            try expect(work.status == .complete, "\(work) is not complete")
            try expect(work.delivered + work.failed == work.pushed, "\(work) does not add up")
            try expect((told.acknowledged...told.attempts).contains(work.pushed), "\(told) became \(work)")
        }
        try check(await connectors.connector("m")?.state, connectors.schedule(of: "m"))
        try await connectors.closeInterruptedWorks(of: "m")
        let open = await connectors.works(of: "m", most: 250).filter { $0.status != .complete }
        try expect(open.isEmpty, "works of runs that are over are open: \(open)")
        let files = disk.paths.filter { $0.contains("/spool/") }
        try expect(files.isEmpty, "files are left: \(files)")
        try check(connectors)
    }

    private func check(_ connectors: Connectors) throws {
        let seen = seen.withLock { $0 }
        let delivered = intake.delivered
        let missing = seen.acknowledged.subtracting(delivered)
        try expect(missing.isEmpty, "acknowledged and not delivered: \(missing.sorted().prefix(3))")
        let invented = Set(delivered).subtracting(seen.attempted.values.joined()).subtracting(["{}"])
        try expect(invented.isEmpty, "nobody pushed \(invented.sorted().prefix(3))")
        guard !loses else { return }
        for id in ids {
            var met: Set<String> = []
            let order = delivered.filter { $0.hasPrefix(#"{"id":"\#(id)-"#) && met.insert($0).inserted }
            let expected = (seen.attempted[id] ?? []).filter(met.contains)
            try expect(order == expected, "\(id) came in another order")
        }
    }

    private struct Broken: Error, CustomStringConvertible {
        var description: String
    }

    private func expect(_ holds: Bool, _ what: @autoclosure () -> String) throws {
        if !holds { throw Broken(description: what()) }
    }
}

@Suite("Connectors that are killed again and again")
struct CoreSimulationTests {
    @Test("lose nothing that was acknowledged, invent nothing, and their works add up", arguments: UInt64(0)..<16)
    func kills(seed: UInt64) {
        let run = ConnectorsRun(seed: seed)
        let isOver = run.simulation.run(limit: .seconds(3_600)) { await run.run() }
        #expect(isOver, "\(run.simulation.failure("it hangs"))")
        let broken = run.broken.withLock { $0 }
        #expect(broken == nil, "\(run.simulation.failure(broken ?? ""))")
        let seen = run.seen.withLock { $0 }
        #expect(seen.acknowledged.count > 10 && isOver)
    }
}
