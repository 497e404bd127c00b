import NIOCore
import Testing
import WeirStore
import WeirTestKit
import WeirWorld

@Suite struct DurableQueueTests {
    @Test("What was appended comes out in order, on a real disk, also after a restart")
    func inOrder() async throws {
        try await withTemporaryDirectory { directory in
            let world = World.live(log: quietLog())
            let queue = try await DurableQueue.open(
                directory: directory + "/q", settings: QueueSettings(minFree: 0), world: world)
            for number in 0..<100 {
                _ = try await queue.append(record("event \(number)", kind: 3, attributes: "a=\(number)"))
            }
            #expect(queue.level.events == 100)
            var seen: [StoredRecord] = []
            while seen.count < 40 { seen += try await queue.read(maxBytes: 200) }
            queue.acknowledge(Array(seen.prefix(40)))
            #expect(queue.level.events == 60)
            await queue.close()

            let again = try await DurableQueue.open(
                directory: directory + "/q", settings: QueueSettings(minFree: 0), world: world)
            #expect(again.recovery.isClean)
            #expect(again.recovery.scannedSegments == 0)
            #expect(again.level.events == 60)
            var rest: [StoredRecord] = []
            while rest.count < 60 { rest += try await again.read(maxBytes: 1 << 20) }
            #expect(rest.map(text) == (40..<100).map { "event \($0)" })
            #expect(rest.first?.kind == 3)
            #expect(rest.first.map { String(buffer: $0.attributes) } == "a=40")
            #expect(rest.first?.time == WallTime(nanoseconds: 1_700_000_000_120_000_000))
            again.acknowledge(rest)
            #expect(again.level.events == 0)
            #expect(again.level.bytes == 0)
            await again.close()
            #expect(try LiveFileSystem().list(directory + "/q").filter { $0.hasSuffix(".segment") } == [])
        }
    }

    @Test("A second owner of a directory is refused")
    func locked() async throws {
        try await withTemporaryDirectory { directory in
            let world = World.live(log: quietLog())
            let queue = try await DurableQueue.open(
                directory: directory, settings: QueueSettings(minFree: 0), world: world)
            await #expect(throws: StoreFailure.locked("\(directory) belongs to a running Weir")) {
                _ = try await DurableQueue.open(directory: directory, settings: QueueSettings(minFree: 0), world: world)
            }
            await queue.close()
            let again = try await DurableQueue.open(
                directory: directory, settings: QueueSettings(minFree: 0), world: world)
            await again.close()
        }
    }

    @Test("A reader that waits is woken by an append, and by its cancellation")
    func waiting() async throws {
        try await withTemporaryDirectory { directory in
            let world = World.live(log: quietLog())
            let queue = try await DurableQueue.open(
                directory: directory, settings: QueueSettings(minFree: 0), world: world)
            async let first = queue.read(maxBytes: 100)
            _ = try await queue.append(record("one"))
            #expect(try await first.map(text) == ["one"])
            let waiting = Task { try await queue.read(maxBytes: 100) }
            waiting.cancel()
            await #expect(throws: StoreFailure.cancelled) { _ = try await waiting.value }
            await queue.close()
        }
    }

    @Test("Many appends share a sync and are answered in order")
    func grouped() async throws {
        try await withTemporaryDirectory { directory in
            let world = World.live(log: quietLog())
            let queue = try await DurableQueue.open(
                directory: directory, settings: QueueSettings(segmentSize: 100_000, minFree: 0), world: world)
            let offsets = await withCheckedContinuation { continuation in
                let gathered = Gathered(count: 5_000) { continuation.resume(returning: $0) }
                for number in 0..<5_000 { queue.append(record("event \(number)")) { gathered.add($0) } }
            }
            #expect(offsets.count == 5_000)
            #expect(offsets == offsets.sorted())
            #expect(queue.level.segments > 1)
            var seen: [String] = []
            while seen.count < 5_000 {
                let records = try await queue.read(maxBytes: 10_000)
                seen += records.map(text)
                queue.acknowledge(records)
            }
            #expect(seen == (0..<5_000).map { "event \($0)" })
            await queue.close()
        }
    }
}
