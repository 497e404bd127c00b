import Logging
import WeirDelivery
import WeirFlow
import WeirGates
import WeirTestKit
import WeirWorld

/// A chain with receivers of ours, on a clock that the test moves.
struct Stage: Sendable {
    let time = ManualTime()
    let registry = GateRegistry()
    let world: World
    let chain: DeliveryChain

    init(
        _ receivers: [any Destination], weights: [Int]? = nil,
        shape: DeliveryShape = DeliveryShape(isOrdered: true, joinsContexts: true),
        settings: DeliverySettings = DeliverySettings(), seed: UInt64 = 1
    ) {
        var log = Logger(label: "test")
        log.logLevel = .critical
        let world = World(
            time: time, random: SeededRandom(seed: seed), files: NoFiles(), blocking: InlineBlocking(), log: log)
        self.world = world
        let endpoints = receivers.enumerated().map { place, receiver in
            EndpointPlan(name: "endpoint-\(place)", weight: weights?[place] ?? 1) { _ in receiver }
        }
        chain = DeliveryChain(
            name: "out", plan: DestinationPlan(shape: shape, endpoints: endpoints), settings: settings, type: "test",
            resolver: FixedAddresses(), world: world, registry: registry)
    }

    func batch(_ texts: [String], source: String = "test") -> Batch {
        .texts(texts, context: BatchContext(kind: .raw, source: source, received: time.wall))
    }

    /// Runs the chain round a test's body, and stops it.
    func running<Value: Sendable>(_ body: (DeliveryChain) async throws -> Value) async throws -> Value {
        try await chain.open()
        async let ended: Void = chain.run()
        let value: Value
        do {
            value = try await body(chain)
        } catch {
            await chain.stop(drainWithin: .zero)
            await ended
            throw error
        }
        await chain.stop(drainWithin: .seconds(1))
        await ended
        return value
    }
}

/// A file system without files, for chains that keep nothing on disk.
struct NoFiles: FileSystem {
    private func nothing(_ operation: String, _ path: String) -> FileFailure {
        FileFailure(kind: .missing, operation: operation, path: path, code: 2)
    }
    func open(_ path: String, _ access: FileAccess) throws(FileFailure) -> any FileHandle {
        throw nothing("open", path)
    }
    func rename(_ from: String, to: String) throws(FileFailure) { throw nothing("rename", from) }
    func remove(_ path: String) throws(FileFailure) { throw nothing("remove", path) }
    func makeDirectory(_ path: String) throws(FileFailure) { throw nothing("mkdir", path) }
    func removeDirectory(_ path: String) throws(FileFailure) { throw nothing("rmdir", path) }
    func list(_ directory: String) throws(FileFailure) -> [String] { throw nothing("list", directory) }
    func status(_ path: String) throws(FileFailure) -> FileStatus? { nil }
    func syncDirectory(_ path: String) throws(FileFailure) { throw nothing("sync", path) }
    func lock(_ path: String) throws(FileFailure) -> (any FileLock)? { nil }
    func space(_ path: String) throws(FileFailure) -> DiskSpace { DiskSpace(total: 0, free: 0) }
}
