import AsyncHTTPClient
import Logging
import NIOCore
import NIOPosix
import Synchronization
import Testing
import WeirConnectors
import WeirGates
import WeirWorld

/// What managed connectors stand on in tests: a platform in memory, real time and real files.
final class ManagedStage: Sendable {
    let platform: ManagedRecorder
    let means: ManagedMeans
    let directory: String

    init(_ name: String) {
        let world = World.live(log: .init(label: "managed-test"))
        platform = ManagedRecorder(time: world.time)
        directory = "\(Self.temporary)/weir-managed-\(name)-\(String(world.random.next(), radix: 16))"
        means = ManagedMeans(
            world: world, platform: platform, http: Self.client, group: MultiThreadedEventLoopGroup.singleton,
            scratch: directory)
    }

    private static let temporary = "/tmp"
    /// Lives as long as the tests.
    private static let client = ManagedMeans.client(on: MultiThreadedEventLoopGroup.singleton)

    /// A connector of type `http` that tries once.
    func importer(_ url: String, _ change: (inout HTTPConnectorSettings) -> Void = { _ in }) -> HTTPImporter {
        var settings = HTTPConnectorSettings()
        settings.url = url
        settings.attempts = 1
        change(&settings)
        return HTTPImporter(settings, means)
    }

    /// A connector of type `exec` that runs a script of the shell.
    func script(_ script: String, _ change: (inout ExecSettings) -> Void = { _ in }) -> ExecImporter {
        var settings = ExecSettings()
        settings.command = ["/bin/sh", "-c", script]
        settings.grace = .milliseconds(300)
        change(&settings)
        return ExecImporter("c", settings, means, inherited: ["PATH": "/usr/bin:/bin", "PASSWORD": "hidden"])
    }

    /// Runs an importer once, with the state that the platform knows.
    func run(_ importer: any ManagedImporter, id: String = "c") async throws {
        let run = ManagedRun(id, importer, means)
        let start = RunStart(connector: id, reason: .first, due: means.world.time.wall)
        _ = try await run.run(RunOccasion(start: start) { ScheduleMemory() })
    }

    func failure(of importer: any ManagedImporter) async -> RunFailure? {
        do {
            try await run(importer)
            return nil
        } catch { return error as? RunFailure }
    }
}

/// The machine as the tests see it.
extension ManagedStage {
    func commandLines(containing text: String) throws -> [String] {
        try means.world.files.list("/proc").filter { Int($0) != nil }.compactMap { process in
            let line = (try? read("/proc/\(process)/cmdline")) ?? ""
            // Not the shell that has the number in its script.
            return line.hasPrefix("sleep") && line.contains(text) ? line : nil
        }
    }

    func read(_ path: String) throws -> String {
        let file = try means.world.files.open(path, .read)
        defer { file.close() }
        var bytes = [UInt8](repeating: 0, count: 8_192)
        let count = try bytes.withUnsafeMutableBytes { try file.read(into: $0, at: 0) }
        return String(decoding: bytes.prefix(count), as: UTF8.self)
    }
}

/// Keeps what a managed connector pushes, and its state.
final class ManagedRecorder: ManagedPlatform {
    struct State: Sendable {
        var state: String?
        var pushes: [BundlePush] = []
        var ends: [RunEnd] = []
        var works: [Work] = []
        var failure: ConnectorFailure?
        /// The gate is closed.
        var isHeld = false
    }

    let state = Mutex(State())
    private let time: any TimeSource

    init(time: any TimeSource) { self.time = time }

    /// Every event, in order.
    var events: [String] {
        state.withLock { $0.pushes }.flatMap { String(buffer: $0.bytes).split(separator: "\n").map(String.init) }
    }
    var connectorState: String? { state.withLock { $0.state } }
    var works: [Work] { state.withLock { $0.works } }
    func set(_ text: String?) { state.withLock { $0.state = text } }

    func register(_ registration: ConnectorRegistration) async throws(ConnectorFailure) -> ConnectorRecord {
        ConnectorRecord(registration: registration, userID: "u", registeredAt: time.wall)
    }
    func ping(
        _ id: ConnectorID, state: String?, report: ConnectorReport
    ) async throws(ConnectorFailure) -> ConnectorRecord? { await connector(id) }
    func connector(_ id: ConnectorID) async -> ConnectorRecord? {
        var record = ConnectorRecord(
            registration: ConnectorRegistration(id: id, name: id), userID: "u", registeredAt: time.wall)
        record.state = connectorState
        return record
    }
    func connectors() async -> [ConnectorRecord] { [] }
    func queueLevel(_ id: ConnectorID) async -> WorkQueueLevel? { nil }
    func addWork(_ id: ConnectorID, name: String, isMultipart: Bool) async throws(ConnectorFailure) -> Work {
        state.withLock { state in
            let work = Work(id: "work_\(state.works.count)", connector: id, name: name, startedAt: time.wall)
            state.works.append(work)
            return work
        }
    }
    func expect(_ work: WorkID, _ count: Int) async throws(ConnectorFailure) {}
    func received(_ work: WorkID, message: String?) async throws(ConnectorFailure) {}
    func processed(_ work: WorkID, message: String?, isError: Bool) async throws(ConnectorFailure) {
        state.withLock { state in
            guard let place = state.works.firstIndex(where: { $0.id == work }) else { return }
            state.works[place].processedAt = time.wall
            state.works[place].isInError = isError
        }
    }
    func work(_ id: WorkID) async -> Work? { works.first { $0.id == id } }
    func works(of id: ConnectorID?, most: Int) async -> [Work] { works }
    func deleteWork(_ id: WorkID) async throws(ConnectorFailure) {}
    func push(_ bundle: BundlePush, deadline: Moment?) async throws(ConnectorFailure) {
        while state.withLock({ $0.isHeld }) {
            do { try await time.sleep(for: .milliseconds(10)) } catch { throw ConnectorFailure(.invalid, "stopped") }
        }
        if let failure = state.withLock({ $0.failure }) { throw failure }
        state.withLock { $0.pushes.append(bundle) }
    }
    func beginPush(_ head: BundleHead, deadline: Moment?) async throws(ConnectorFailure) -> any BundleReception {
        throw ConnectorFailure(.invalid, "not used")
    }
    func remove(_ id: ConnectorID) async throws(ConnectorFailure) {}
    func resetState(_ id: ConnectorID) async throws(ConnectorFailure) { set(nil) }
    func finishRun(
        _ id: ConnectorID, _ end: RunEnd, last: BundlePush?, deadline: Moment?
    ) async throws(ConnectorFailure) {
        if let failure = state.withLock({ $0.failure }) { throw failure }
        state.withLock { state in
            if let last { state.pushes.append(last) }
            if let next = end.state { state.state = next }
            state.ends.append(end)
            if let place = state.works.firstIndex(where: { $0.id == end.work }) {
                state.works[place].processedAt = time.wall
            }
        }
    }
}
