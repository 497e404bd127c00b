import NIOCore
import WeirDelivery
import WeirExpressions
import WeirFlow
import WeirGates
import WeirStore
package import WeirWorld

/// What this machine does with Weir's own parts, for `weir bench`: seconds, not a comparison. The comparison with other
/// servers is `make bench`.
package struct MachineTrial: Sendable {
    /// One measured part.
    package struct Result: Sendable, Hashable {
        /// `queue_commit_in`: for machines.
        package var name: String
        package var meaning: String
        package var eventsPerSecond: Double
        package var bytesPerSecond: Double
    }

    /// Events of a batch and bytes of an event: a read of 256 KiB, as a busy source hands on.
    private static let eventCount = 1_024
    private static let eventLength = 250

    private let world: World
    private let directory: String
    private let duration: Duration

    /// - Parameters:
    ///   - directory: where the queue is tried, on the disk that matters; what is made there is taken away again.
    ///   - duration: for each part.
    package init(directory: String, duration: Duration, world: World) {
        self.directory = directory
        self.duration = duration
        self.world = world
    }

    /// - Throws: what the disk says.
    package func run(_ report: (Result) -> Void) async throws {
        let batch = MachineTrial.batch(at: world.time.wall)
        report(try condition("event.level == \"error\"", "one field of JSON events compared", "condition_one", batch))
        report(
            try condition(
                "event.level == \"error\" && event.n > 100", "two fields of JSON events compared", "condition_two",
                batch))
        report(await gate(batch))
        for result in try await queue(batch) { report(result) }
    }

    private func condition(_ source: String, _ meaning: String, _ name: String, _ batch: Batch) throws -> Result {
        let matcher = try Matcher(source)
        var selected: [Bool] = []
        return measure(name, meaning, batch) { _ = batch.select(matcher, into: &selected) }
    }

    private func measure(_ name: String, _ meaning: String, _ batch: Batch, _ body: () -> Void) -> Result {
        let start = world.time.now
        var rounds = 0
        while world.time.now - start < duration {
            body()
            rounds += 1
        }
        return result(name, meaning, batch, rounds, world.time.now - start)
    }

    private func gate(_ batch: Batch) async -> Result {
        let plan = DestinationPlan(
            shape: DeliveryShape(linger: .zero, concurrency: 1, isOrdered: true, joinsContexts: true),
            endpoints: [EndpointPlan(name: "nothing") { _ in Sink() }])
        let chain = DeliveryChain(
            name: "bench", plan: plan, settings: DeliverySettings(), type: "drop", resolver: LiveResolver(world: world),
            world: world, registry: GateRegistry())
        try? await chain.open()
        async let running: Void = chain.run()
        let start = world.time.now
        var rounds = 0
        while world.time.now - start < duration {
            _ = try? await chain.accept(batch)
            rounds += 1
        }
        let took = world.time.now - start
        await chain.stop(drainWithin: .seconds(5))
        await running
        return result("gate", "through a gate and its delivery chain", batch, rounds, took)
    }

    private func queue(_ batch: Batch) async throws -> [Result] {
        let folder = directory + "/bench-\(world.random.next())"
        defer { try? QueueShelf.remove(folder, files: world.files) }
        let queue = try await DurableQueue.open(
            directory: folder, settings: WeirStore.QueueSettings(name: "bench", maxSize: 4_000_000_000), world: world)
        let start = world.time.now
        var rounds = 0
        while world.time.now - start < duration, queue.level.diskBytes < 3_000_000_000 {
            // Sixteen at once, as many batches wait for one sync when many connections send.
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<16 {
                    group.addTask {
                        _ = try await queue.append(
                            QueueRecord(payload: batch.slab, count: batch.count, time: world.time.wall))
                    }
                }
                try await group.waitForAll()
            }
            rounds += 16
        }
        let written = result("queue_commit_in", "into the disk queue, synced", batch, rounds, world.time.now - start)
        let readStart = world.time.now
        var left = rounds
        while left > 0 {
            let records = try await queue.read(maxBytes: 4 << 20)
            queue.acknowledge(records)
            left -= records.count
        }
        let read = result("queue_out", "out of the disk queue, checked", batch, rounds, world.time.now - readStart)
        await queue.close()
        return [written, read]
    }

    private func result(_ name: String, _ meaning: String, _ batch: Batch, _ rounds: Int, _ took: Duration) -> Result {
        let seconds = max(took.inSeconds, 1e-9)
        return Result(
            name: name, meaning: meaning, eventsPerSecond: Double(rounds * batch.count) / seconds,
            bytesPerSecond: Double(rounds * batch.byteCount) / seconds)
    }

    private static func batch(at wall: WallTime) -> Batch {
        let levels = ["info", "error", "warn", "debug"]
        let texts = (0..<eventCount).map { number in
            let head = "{\"n\":\(number),\"level\":\"\(levels[number % 4])\",\"message\":\""
            return head + String(repeating: "x", count: max(0, eventLength - head.utf8.count - 2)) + "\"}"
        }
        return Batch.texts(texts, context: BatchContext(kind: .json, source: "bench", received: wall))
    }

    /// Takes everything at once.
    private struct Sink: Destination {
        func open() async throws(DeliveryFailure) {}
        func send(_ batch: Batch) async throws(DeliveryFailure) -> DeliveryReport { .delivered }
        func send(_ batches: [Batch]) async throws(DeliveryFailure) -> DeliveryReport { .delivered }
        func close() async {}
    }
}
