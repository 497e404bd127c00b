import NIOCore
import Testing
import WeirTestKit
import WeirWorld

@testable import WeirStore

/// A disk that does not give back what it was given.
@Suite struct BadDiskTests {
    private static let texts = (0..<60).map { "event \($0) " + String(repeating: "x", count: 900) }

    private func open(_ disk: SimulatedDisk, durability: QueueSettings.Durability = .commit) async throws
        -> DurableQueue
    {
        try await DurableQueue.open(
            directory: "/q", settings: QueueSettings(durability: durability, minFree: 0, readAhead: 8_000),
            world: simulatedWorld(disk, seed: UInt64(disk.operations)))
    }

    private func filled(_ disk: SimulatedDisk) async throws -> DurableQueue {
        let queue = try await open(disk)
        for text in BadDiskTests.texts { _ = try await queue.append(record(text, count: 2)) }
        return queue
    }

    private func segment(_ disk: SimulatedDisk) throws -> String {
        try #require(disk.paths.first { $0.hasSuffix(".segment") })
    }

    /// Records that do not touch the bytes of the file.
    private func whole(_ queue: DurableQueue, without bad: Range<Int>) async throws -> [String] {
        try await queue.peek(limit: 1_000).filter {
            !bad.overlaps(Int($0.offsets.lowerBound.position)..<Int($0.offsets.upperBound.position))
        }.map(text)
    }

    @Test(
        "A bad block costs the records in it: they are counted and reported, all others come out",
        arguments: [true, false])
    func badBlock(_ restarts: Bool) async throws {
        for block in 0..<13 {
            let disk = SimulatedDisk(seed: 3)
            var queue = try await filled(disk)
            let bad = (block * 4_096)..<(block * 4_096 + 4_096)
            let expected = try await whole(queue, without: bad)
            if restarts {
                await queue.close()
                disk.setUnreadable(bad, in: try segment(disk))
                queue = try await open(disk)
            } else {
                disk.setUnreadable(bad, in: try segment(disk))
            }
            #expect(try await drain(queue).map(text) == expected, "block \(block)")
            #expect(queue.counters.damagedEvents == UInt64(2 * (60 - expected.count)), "block \(block)")
            #expect(queue.counters.damagedRanges > 0 || block == 0 && restarts)
            #expect(queue.unaccounted == 0)
            #expect(expected.count >= 54)
        }
    }

    @Test("A bad block in a segment that a crash left open: nothing readable is lost, and nothing is cut off")
    func badBlockAfterCrash() async throws {
        for block in 0..<14 {
            let disk = SimulatedDisk(seed: 3)
            var queue = try await filled(disk)
            let path = try segment(disk)
            let bad = (block * 4_096)..<(block * 4_096 + 4_096)
            let expected = try await whole(queue, without: bad)
            let before = try #require(disk.contents(path))
            disk.kill()
            disk.setUnreadable(bad, in: path)
            queue = try await open(disk)
            #expect(!queue.recovery.isClean, "block \(block)")
            #expect(disk.contents(path)?.prefix(before.count) == before[...], "block \(block)")
            #expect(try await drain(queue).map(text) == expected, "block \(block)")
            #expect(queue.unaccounted == 0)
        }
    }

    @Test("A disk that is gone as a whole gives nothing up: reading fails until it is back")
    func gone() async throws {
        let disk = SimulatedDisk(seed: 3)
        let queue = try await filled(disk)
        let path = try segment(disk)
        disk.setUnreadable(0..<1_000_000, in: path)
        disk.failSyncs(2)
        for _ in 0..<2 { await #expect(throws: StoreFailure.self) { _ = try await queue.readNow(maxBytes: 1_000_000) } }
        disk.setUnreadable(nil, in: path)
        #expect(try await drain(queue).map(text) == BadDiskTests.texts)
        #expect(queue.counters.damagedEvents == 0)
    }

    @Test("A segment of which nothing can be read is put aside, not removed")
    func allBad() async throws {
        let disk = SimulatedDisk(seed: 3)
        _ = try await filled(disk)
        let path = try segment(disk)
        let before = disk.contents(path)
        disk.kill()
        disk.setUnreadable(0..<1_000_000, in: path)
        let queue = try await open(disk)
        #expect(try await drain(queue).isEmpty)
        #expect(queue.recovery.quarantinedFiles.count == 1)
        #expect(disk.paths.filter { $0.contains("/quarantine/") }.map { disk.contents($0) } == [before])
    }

    @Test("Verify names what cannot be read, and repair writes over it")
    func repair() async throws {
        let disk = SimulatedDisk(seed: 3)
        let queue = try await filled(disk)
        let bad = 20_480..<24_576
        let expected = try await whole(queue, without: bad)
        await queue.close()
        disk.setUnreadable(bad, in: try segment(disk))
        let inspection = QueueInspection(directory: "/q", files: disk)
        #expect(try !inspection.verify().isSound)
        _ = try inspection.repair()
        #expect(try inspection.verify().isSound)
        #expect(try await drain(try await open(disk)).map(text) == expected)
    }

    // MARK: Syncs that fail

    @Test("Where an interval is asked for, a failed sync is made good from the page cache, and survives the power cut")
    func intervalMadeGood() async throws {
        for seed in 0..<40 as Range<UInt64> {
            let disk = SimulatedDisk(seed: seed)
            let queue = try await open(disk, durability: .interval(.milliseconds(100)))
            for text in BadDiskTests.texts.prefix(20) { _ = try await queue.append(record(text)) }
            let some = try await queue.read(maxBytes: 3_000)
            queue.acknowledge(Array(some.prefix(1)))
            disk.failSyncs(1)
            // The close syncs what the timer has not.
            await queue.close()
            #expect(queue.counters.syncFailures == 1)
            #expect(queue.counters.doubtfulEvents == 0)
            disk.crash()
            let again = try await open(disk)
            #expect(again.recovery.isClean, "seed \(seed)")
            #expect(try await drain(again).map(text) == BadDiskTests.texts[1..<20].map { $0 }, "seed \(seed)")
            #expect(!disk.paths.contains { $0.hasSuffix(".new") })
        }
    }

    @Test("Where making good fails too, the queue says how many events are in doubt, and believes no write any more")
    func intervalInDoubt() async throws {
        let disk = SimulatedDisk(seed: 4)
        let time = ManualTime()
        let queue = try await DurableQueue.open(
            directory: "/q", settings: QueueSettings(durability: .interval(.milliseconds(100)), minFree: 0),
            world: World(
                time: time, random: SeededRandom(seed: 1), files: disk, blocking: InlineBlocking(), log: quietLog()))
        _ = try await queue.append(record("before", count: 3))
        while time.sleeperCount == 0 { await Task.yield() }
        // The sync, the one of the copy, and those of the first append after it, with its cut and its second try.
        disk.failSyncs(6)
        time.advance(by: .milliseconds(100))
        while queue.counters.doubtfulEvents == 0 { await Task.yield() }
        #expect(queue.counters.doubtfulEvents == 3)
        await #expect(throws: StoreFailure.self) { _ = try await queue.append(record("refused")) }
        disk.failSyncs(0)
        let syncs = disk.syncs
        _ = try await queue.append(record("proven"))
        #expect(disk.syncs > syncs)
        let later = disk.syncs
        _ = try await queue.append(record("trusted again"))
        #expect(disk.syncs == later)
        #expect(try await drain(queue).map(text) == ["before", "proven", "trusted again"])
        disk.crash()
        #expect(try await drain(try await open(disk)).map(text).contains("proven"))
    }

    @Test("What was closed cleanly survives the power cut that follows, whatever the interval")
    func intervalClosed() async throws {
        for seed in 0..<40 as Range<UInt64> {
            let disk = SimulatedDisk(seed: seed)
            let queue = try await open(disk, durability: .interval(.seconds(60)))
            for text in BadDiskTests.texts { _ = try await queue.append(record(text)) }
            await queue.close()
            disk.crash()
            #expect(try await drain(try await open(disk)).count == 60, "seed \(seed)")
        }
    }
}
