import NIOCore
import Testing
import WeirTestKit
import WeirWorld

@testable import WeirStore

/// Full disks, failing syncs, kills at every step, and what is dropped on purpose.
@Suite struct TroubleTests {
    @Test("A full disk refuses appends, keeps what was acknowledged, and takes them again when there is space")
    func full() async throws {
        let disk = SimulatedDisk(seed: 1)
        let queue = try await openQueue(disk)
        disk.setCapacity(1_000)
        var kept: [String] = []
        for number in 0..<30 {
            let text = "event \(number) " + String(repeating: "x", count: 40)
            let code = await code(queue, text)
            if code == "ok" { kept.append(text) } else { #expect(code == "disk_full") }
        }
        #expect(kept.count > 5 && kept.count < 30)
        // Reading and acknowledging go on.
        let first = try await queue.read(maxBytes: 1)
        #expect(first.map(text) == [kept[0]])
        queue.acknowledge(first)
        disk.setCapacity(.max)
        #expect(await code(queue, "later") == "ok")
        #expect(try await drain(queue).map(text) == kept.dropFirst() + ["later"])
        #expect(queue.unaccounted == 0)
    }

    @Test("Nothing overtakes an append that failed: what was chosen before the failure fails too")
    func noOvertaking() async throws {
        let disk = SimulatedDisk(seed: 1)
        let queue = try await openQueue(disk)
        func append(_ text: String, since failures: UInt64) async -> String {
            let result: Result<QueueOffset, StoreFailure> = await withCheckedContinuation { continuation in
                queue.append(record(text), unlessFailedSince: failures) { continuation.resume(returning: $0) }
            }
            if case .failure(let failure) = result { return failure.code }
            return "ok"
        }
        let before = queue.writeFailures
        #expect(await append("one", since: before) == "ok")
        disk.setCapacity(0)
        #expect(await append("two", since: before) == "disk_full")
        disk.setCapacity(.max)
        #expect(await append("three", since: before) == "disk_full")
        let after = queue.writeFailures
        #expect(await append("two", since: after) == "ok")
        #expect(await append("three", since: after) == "ok")
        #expect(try await drain(queue).map(text) == ["one", "two", "three"])
    }

    @Test("The reserve is kept free for the rest of the machine")
    func reserve() async throws {
        let disk = SimulatedDisk(seed: 1, capacity: 100_000)
        let queue = try await openQueue(disk, minFree: 90_000)
        var written = 0
        while await code(queue, String(repeating: "x", count: 900)) == "ok" { written += 1 }
        #expect((8...10).contains(written))
        #expect(try disk.space("/data/q").free >= 90_000)
        disk.setCapacity(200_000)
        #expect(await code(queue, "again") == "ok")
    }

    @Test("Unless told, a hundredth of the disk is kept free, between 16 MiB and 1 GiB")
    func reserveByDefault() {
        let settings = QueueSettings()
        let mib: Int64 = 1 << 20
        #expect(settings.reserve(of: 100 * mib) == 16 * mib)
        #expect(settings.reserve(of: 20_000 * mib) == 200 * mib)
        #expect(settings.reserve(of: 4_000_000 * mib) == 1_024 * mib)
        #expect(QueueSettings(minFree: 5).reserve(of: 4_000_000 * mib) == 5)
        #expect(QueueSettings(minFree: 0).reserve(of: 4_000_000 * mib) == 0)
    }

    @Test("A read-only disk and a process without file descriptors are states that pass")
    func passing() async throws {
        let disk = SimulatedDisk(seed: 1)
        let queue = try await openQueue(disk)
        disk.setReadOnly(true)
        #expect(await code(queue, "one") == "read_only")
        disk.setReadOnly(false)
        disk.setOpenFilesMost(0)
        #expect(await code(queue, "two") == "too_many_open_files")
        disk.setOpenFilesMost(.max)
        #expect(await code(queue, "three") == "ok")
        #expect(try await drain(queue).map(text) == ["three"])
    }

    @Test("After a failed sync the records are written again into a new segment, and survive the power cut")
    func failedSync() async throws {
        for seed in 0..<50 as Range<UInt64> {
            let disk = SimulatedDisk(seed: seed)
            let queue = try await openQueue(disk)
            #expect(await code(queue, "before") == "ok")
            disk.failSyncs(1)
            #expect(await code(queue, "during") == "ok")
            #expect(queue.counters.syncFailures == 1)
            #expect(queue.level.segments == 2)
            #expect(await code(queue, "after") == "ok")
            #expect(try await drain(queue).map(text) == ["before", "during", "after"])
            disk.crash()
            let again = try await openQueue(disk, seed: 2)
            #expect(try await drain(again).map(text) == ["before", "during", "after"])
        }
    }

    @Test("Two failed syncs in a row fail the append, and nothing of it comes out")
    func failedTwice() async throws {
        let disk = SimulatedDisk(seed: 3)
        let queue = try await openQueue(disk)
        #expect(await code(queue, "before") == "ok")
        // The sync, the one of the cut, and the one of the copy.
        disk.failSyncs(3)
        #expect(await code(queue, "during") == "io_error")
        #expect(await code(queue, "after") == "ok")
        #expect(try await drain(queue).map(text) == ["before", "after"])
        #expect(queue.unaccounted == 0)
    }

    @Test("Killed at every single write, sync, rename and removal: what was acknowledged is there, whole and in order")
    func everyStep() async throws {
        for power in [false, true] {
            var step = 1
            var reached = true
            while reached {
                let disk = SimulatedDisk(seed: UInt64(step))
                var kept: [String] = []
                var taken = 0
                if let queue = try? await {
                    disk.setLife(operations: step)
                    return try await openQueue(disk, segmentSize: 4_096)
                }() {
                    for number in 0..<30 {
                        let text = "event \(number) " + String(repeating: "y", count: 500)
                        if await code(queue, text) == "ok" { kept.append(text) }
                        if number % 3 == 2, let records = try? await queue.readNow(maxBytes: 600) {
                            queue.acknowledge(records)
                            taken += records.count
                        }
                    }
                    await queue.close()
                }
                reached = disk.operations < 1_000 && (try? disk.list("/")) == nil
                if power { disk.crash() } else { disk.kill() }
                let again = try await openQueue(disk, seed: 2)
                let texts = try await drain(again).map(text)
                // At most what was taken is missing at the front; a last record that was not answered may be there too.
                let missing = kept.filter { !texts.contains($0) }
                #expect(
                    missing.count <= taken && missing == Array(kept.prefix(missing.count)),
                    "power \(power) step \(step)")
                #expect(texts == texts.sorted { number($0) < number($1) }, "power \(power) step \(step)")
                #expect(Set(texts).count == texts.count, "power \(power) step \(step)")
                step += 1
            }
            #expect(step > 40)
        }
    }

    @Test("Dropping the oldest gives disk space back and counts what went, but not what the consumer holds")
    func dropOldest() async throws {
        let disk = SimulatedDisk(seed: 1)
        let queue = try await openQueue(disk, segmentSize: 4_096, maxSize: 40_000)
        var sent = 0
        var dropped = 0
        for number in 0..<200 {
            let text = "event \(number) " + String(repeating: "z", count: 400)
            if !queue.hasRoom(for: text.utf8.count + 30) {
                let (events, bytes) = queue.dropOldest(bytes: Int64(text.utf8.count + 30))
                #expect(events > 0 && bytes > 0)
                dropped += events
            }
            #expect(queue.hasRoom(for: text.utf8.count + 30))
            #expect(await code(queue, text) == "ok")
            sent += 1
            let onDisk = disk.paths.filter { $0.hasSuffix(".segment") }.reduce(0) {
                $0 + (disk.contents($1)?.count ?? 0)
            }
            #expect(onDisk <= 41_000)
        }
        #expect(queue.unaccounted == 0)
        #expect(queue.counters.droppedEvents == UInt64(dropped))
        let held = try await queue.read(maxBytes: 900)
        let more = queue.dropOldest(bytes: 10_000)
        #expect(more.events > 0)
        #expect(queue.unaccounted == 0)
        let rest = try await drain(queue).map { number(text($0)) }
        #expect(rest == rest.sorted() && rest.last == 199)
        #expect(rest.count + held.count + dropped + more.events == sent)
        queue.acknowledge(held)
        #expect(queue.counters.acknowledgedEvents == UInt64(held.count))
        #expect(queue.unaccounted == 0)
        _ = queue.dropOldest(bytes: .max)
        #expect(queue.unaccounted == 0)
    }

    @Test(
        "Small batches of 119-byte events cost at most 20 % on disk, and packing makes them smaller",
        arguments: [1, 5, 50])
    func overhead(_ batch: Int) async throws {
        let disk = SimulatedDisk(seed: 1)
        let queue = try await openQueue(disk, segmentSize: 1 << 20, maxSize: 1 << 30)
        let event = String(repeating: "e", count: 118) + "\n"
        for _ in 0..<(500 / batch) {
            _ = try await queue.append(record(String(repeating: event, count: batch), count: batch))
        }
        #expect(Double(queue.level.diskBytes) <= 500 * 119 * 1.2)
        let packed = try await DurableQueue.open(
            directory: "/packed", settings: QueueSettings(compression: .zstd, minFree: 0), world: simulatedWorld(disk))
        for _ in 0..<(500 / batch) {
            _ = try await packed.append(record(String(repeating: event, count: batch), count: batch))
        }
        #expect(packed.level.diskBytes < queue.level.diskBytes)
        #expect(try await drain(packed).allSatisfy { text($0) == String(repeating: event, count: batch) })
    }

    @Test("A record over the limit is refused and harms no other")
    func tooLarge() async throws {
        let disk = SimulatedDisk(seed: 1)
        let queue = try await openQueue(disk)
        var big = record("x")
        big.count = 1 << 24
        await #expect(throws: StoreFailure.self) { _ = try await queue.append(big) }
        big = record("x")
        big.attributes = ByteBuffer(repeating: 1, count: 70_000)
        await #expect(throws: StoreFailure.self) { _ = try await queue.append(big) }
        // Far over a segment's size is fine: it gets a segment of its own.
        let long = String(repeating: "q", count: 100_000)
        #expect(await code(queue, long) == "ok")
        #expect(await code(queue, "small") == "ok")
        #expect(try await drain(queue).map(text) == [long, "small"])
    }

    @Test("Looking from outside sees what a running queue holds, without disturbing it")
    func inspection() async throws {
        let disk = SimulatedDisk(seed: 1)
        let queue = try await openQueue(disk, segmentSize: 4_096)
        for number in 0..<30 {
            #expect(await code(queue, "event \(number) " + String(repeating: "v", count: 300)) == "ok")
        }
        queue.acknowledge(Array(try await drain(queue).prefix(12)))
        let inspection = QueueInspection(directory: "/data/q", files: disk)
        var exported: [Int] = []
        try inspection.walk(everything: true) { record in
            exported.append(number(text(record)))
            return true
        }
        #expect(exported.last == 29)
        #expect(try await queue.peek(limit: 3).map { number(text($0)) } == [12, 13, 14])
        #expect(throws: StoreFailure.self) { _ = try inspection.repair() }
        await queue.close()
        let survey = try inspection.verify()
        #expect(survey.isSound)
        #expect(survey.events == 18)
        #expect(survey.oldest != nil)
        #expect(try inspection.survey().bytes == survey.bytes)
    }

    @Test("Where an interval is asked for, appends do not wait for the disk and the sync follows")
    func interval() async throws {
        let disk = SimulatedDisk(seed: 1)
        let queue = try await openQueue(disk, durability: .interval(.milliseconds(100)))
        let before = disk.syncs
        for number in 0..<10 { #expect(await code(queue, "event \(number)") == "ok") }
        #expect(disk.syncs == before)
        await queue.close()
        #expect(disk.syncs > before)
        disk.crash()
        #expect(try await drain(try await openQueue(disk, seed: 2)).count == 10)
    }

    @Test("Appends after the close fail and say so")
    func closed() async throws {
        let queue = try await openQueue(SimulatedDisk(seed: 1))
        await queue.close()
        await queue.close()
        #expect(await code(queue, "late") == "closed")
        await #expect(throws: StoreFailure.closed) { _ = try await queue.read(maxBytes: 1) }
    }
}
