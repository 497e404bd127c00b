import Foundation
import NIOCore
import Synchronization
import Testing
import WeirConnectors
import WeirFlow
import WeirGates
import WeirStore
import WeirTestKit
import WeirWorld

@Suite("Workers", .timeLimit(.minutes(5)))
struct WorkerTests {
    /// As pycti cuts them: one object each, in the order of their dependencies.
    private static func part(_ sequence: Int, _ objects: [String]) -> String {
        #"{"type":"bundle","id":"bundle--1","spec_version":"2.1","x_opencti_seq":\#(sequence),"objects":["#
            + objects.joined(separator: ",") + "]}"
    }

    @Test(
        "keep the order of x_opencti_seq: of bundles bare, in base64, long, with others in them, lost on the way"
    )
    func order() async throws {
        let stage = CoreStage {
            $0.spoolFrom = 3_000
            $0.turnBytes = 8_000
        }
        let intake = stage.intake
        intake.setSettlement(.lost(Reason("test", "nobody has it")))
        try await stage.live(with: "c") { connectors in
            for sequence in 1...60 {
                let object = Sample.object(sequence, padding: sequence % 7 == 0 ? 5_000 : 100)
                let bundle =
                    switch sequence % 5 {
                    case 0: Self.part(sequence, [Self.part(sequence, [object])])
                    default: Self.part(sequence, [object])
                    }
                let push =
                    sequence % 3 == 0 ? Sample.push(bundle) : Sample.push(Sample.message(bundle), as: .message)
                try await connectors.push(push, deadline: nil)
            }
            #expect(await eventually { intake.eventCount > 1 })
            intake.setSettlement(.kept)
            #expect(await eventually { await connectors.queueLevel("c")?.messages == 0 })
        }
        // What was lost came again: its first time counts.
        var met: Set<String> = []
        let numbers = stage.intake.events.filter { met.insert($0).inserted }.compactMap { event in
            event.firstMatch(of: /indicator--([0-9]+)/).flatMap { Int($0.1) }
        }
        #expect(numbers == Array(1...60))
    }

    @Test("deliver a connector with four times the weight four times as fast, as long as both have something")
    func weights() async throws {
        let stage = CoreStage {
            $0.turnsMost = 1
            $0.turnBytes = 64 << 10
            $0.weightOf = ["light": 1, "heavy": 4]
        }
        stage.intake.close()
        let intake = stage.intake
        try await stage.live { connectors in
            for id in ["light", "heavy"] { _ = try await connectors.register(ConnectorRegistration(id: id, name: id)) }
            for number in 0..<200 {
                for (id, name) in [("light", number), ("heavy", 1_000 + number)] {
                    try await connectors.push(
                        Sample.push(Sample.bundle([Sample.object(name, padding: 10_000)]), to: id), deadline: nil)
                }
            }
            intake.open()
            #expect(await eventually { intake.eventCount == 400 })
        }
        let order = stage.intake.events.map { $0.contains("indicator--1") && $0.prefix(60).contains(/--1[0-9]{3}"/) }
        let end = order.lastIndex(of: true) ?? 0
        let light = order[...end].count { !$0 }
        #expect((30...80).contains(light), "\(light) of the light one came before the last of the heavy one")
    }
}

@Suite("A bundle whose file cannot be read")
struct UnreadableBundleTests {
    private static let padding = 5_000

    /// Connectors in a simulated world, with one long bundle in a file that reads fail on, and a short one behind it.
    private static func world(
        _ body:
            @escaping @Sendable (Connectors, SimulatedDisk, RecordingIntake, WorkID, SimulatedTime) async throws
            -> Void
    ) {
        let simulation = Simulation(seed: 1)
        let path = NSTemporaryDirectory() + "weir-unreadable-" + String(UInt64.random(in: 0 ... .max), radix: 16)
        defer { try? FileManager.default.removeItem(atPath: path) }
        let failure = Mutex<String?>(nil)
        let isOver = simulation.run(limit: .seconds(10_000)) {
            do {
                let disk = SimulatedDisk(seed: 1)
                let world = World.simulated(simulation, files: disk)
                let intake = RecordingIntake()
                intake.close()
                let ledger = try await Ledger.open(path: path + "/ledger.db", world: world)
                var settings = ConnectorsSettings()
                settings.spoolFrom = 2_000
                settings.minFree = 0
                settings.attemptsMostOf = ["c": 4]
                let connectors = try await Connectors.open(
                    directory: "/data/connectors", ledger: ledger, intake: intake, gates: GateRegistry(),
                    settings: settings, world: world)
                try await withThrowingTaskGroup(of: Void.self) { group in
                    group.addTask { await connectors.run() }
                    _ = try await connectors.register(ConnectorRegistration(id: "c", name: "C"))
                    let work = try await connectors.addWork("c", name: "run", isMultipart: false).id
                    let long = try await connectors.beginPush(
                        BundleHead(connector: "c", work: work, encoding: .stix), deadline: nil)
                    try await long.write(ByteBuffer(string: Sample.bundle([Sample.object(1, padding: padding)])))
                    if let file = disk.paths.first(where: { $0.contains("/spool/") }) {
                        disk.setUnreadable(0..<100, in: file)
                    }
                    try await long.finish()
                    try await connectors.push(
                        Sample.push(Sample.bundle([Sample.object(2)]), work: work), deadline: nil)
                    try await connectors.processed(work, message: nil, isError: false)
                    intake.open()
                    try await body(connectors, disk, intake, work, SimulatedTime(simulation))
                    connectors.stop()
                    try await group.waitForAll()
                }
                await ledger.close()
            } catch {
                failure.withLock { $0 = "\(error)" }
            }
        }
        #expect(isOver && failure.withLock { $0 } == nil, "\(failure.withLock { $0 } ?? "it hangs")")
    }

    @Test(
        "is tried as often as is set, then a dead letter that can be replayed; what comes behind it is delivered"
    )
    func buried() {
        Self.world { connectors, disk, intake, work, time in
            try await time.sleep(for: .minutes(5))
            #expect(intake.events == [Sample.object(2)])
            let done = await connectors.work(work)
            #expect(done?.status == .complete && done?.failed == 1 && done?.delivered == 1)
            #expect(done?.errors.first?.text.contains("unreadable_file") == true)
            let letter = try await connectors.deadLetters(of: "c", most: 5).first
            #expect(letter?.reason.code == "unreadable_file" && letter?.attempts == 4 && letter?.canReplay == true)
            #expect(letter?.bytes == Int64(Sample.bundle([Sample.object(1, padding: Self.padding)]).utf8.count))
            // The disk is mended.
            disk.setUnreadable(nil, in: letter?.file ?? "")
            #expect(try await connectors.replayDeadLetters(of: "c", only: nil, by: "anna", why: "a new disk") == 1)
            try await time.sleep(for: .minutes(1))
            #expect(intake.events == [Sample.object(2), Sample.object(1, padding: Self.padding)])
            #expect(try await connectors.deadLetters(of: "c", most: 5).isEmpty)
        }
    }

    @Test("is delivered in its place when it can be read again before that")
    func mended() {
        Self.world { connectors, disk, intake, _, time in
            try await time.sleep(for: .seconds(2))
            #expect(intake.events.isEmpty, "the order is kept")
            if let file = disk.paths.first(where: { $0.contains("/spool/") }) { disk.setUnreadable(nil, in: file) }
            try await time.sleep(for: .minutes(5))
            #expect(intake.events == [Sample.object(1, padding: Self.padding), Sample.object(2)])
            #expect(try await connectors.deadLetters(of: "c", most: 5).isEmpty)
        }
    }
}
