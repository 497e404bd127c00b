import NIOCore
import Testing
import WeirTestKit
import WeirWorld

@testable import WeirStore

/// Full disks, failing syncs, kills at every step, and what is dropped on purpose.
@Suite struct TroubleTests {
    private func open(
        _ disk: SimulatedDisk, segmentSize: Int = 8_192, maxSize: Int64 = 1 << 20,
        durability: QueueSettings.Durability = .commit,
        compression: QueueSettings.Compression = .none, minFree: Int64 = 0, seed: UInt64 = 1
    ) async throws -> DurableQueue {
        try await DurableQueue.open(
            directory: "/data/q",
            settings: QueueSettings(
                segmentSize: segmentSize, maxSize: maxSize, durability: durability, compression: compression,
                minFree: minFree),
            world: simulatedWorld(disk, seed: seed))
    }

    private func code(_ queue: DurableQueue, _ text: String) async -> String {
        do {
            _ = try await queue.append(record(text))
            return "ok"
        } catch {
            return error.code
        }
    }

    @Test("A full disk refuses appends, keeps what was acknowledged, and takes them again when there is space")
    func full() async throws {
        let disk = SimulatedDisk(seed: 1)
        let queue = try await open(disk)
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
        let queue = try await open(disk)
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
        let queue = try await open(disk, minFree: 90_000)
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
        let queue = try await open(disk)
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
            let queue = try await open(disk)
            #expect(await code(queue, "before") == "ok")
            disk.failSyncs(1)
            #expect(await code(queue, "during") == "ok")
            #expect(queue.counters.syncFailures == 1)
            #expect(queue.level.segments == 2)
            #expect(await code(queue, "after") == "ok")
            #expect(try await drain(queue).map(text) == ["before", "during", "after"])
            disk.crash()
            let again = try await open(disk, seed: 2)
            #expect(try await drain(again).map(text) == ["before", "during", "after"])
        }
    }

    @Test("Two failed syncs in a row fail the append, and nothing of it comes out")
    func failedTwice() async throws {
        let disk = SimulatedDisk(seed: 3)
        let queue = try await open(disk)
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
                    return try await open(disk, segmentSize: 4_096)
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
                let again = try await open(disk, seed: 2)
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

    private func number(_ text: String) -> Int { Int(text.dropFirst(6).prefix { $0 != " " }) ?? -1 }

    @Test("Dropping the oldest gives disk space back and counts what went, but not what the consumer holds")
    func dropOldest() async throws {
        let disk = SimulatedDisk(seed: 1)
        let queue = try await open(disk, segmentSize: 4_096, maxSize: 40_000)
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

    @Test("Acknowledgements in any order let the level fall at once, and segments go when all of them is done with")
    func outOfOrder() async throws {
        let disk = SimulatedDisk(seed: 1)
        let queue = try await open(disk, segmentSize: 4_096)
        for number in 0..<40 {
            #expect(await code(queue, "event \(number) " + String(repeating: "w", count: 300)) == "ok")
        }
        let segments = queue.level.segments
        let records = try await drain(queue)
        for (done, index) in (stride(from: 1, to: 40, by: 2) + stride(from: 38, through: 0, by: -2)).enumerated() {
            queue.acknowledge(records[index].offsets)
            #expect(queue.level.events == Int64(39 - done))
            if done < 39 { #expect(queue.level.segments == segments) }
        }
        #expect(queue.level.bytes == 0)
        #expect(queue.level.segments <= 1)
        #expect(queue.level.oldest == nil)
    }

    @Test("A rewind gives again what was not acknowledged, and only that")
    func rewind() async throws {
        let disk = SimulatedDisk(seed: 1)
        let queue = try await open(disk)
        for number in 0..<10 { #expect(await code(queue, "event \(number)") == "ok") }
        let records = try await drain(queue)
        for index in [0, 1, 4, 7] { queue.acknowledge(records[index].offsets) }
        queue.rewind()
        #expect(try await drain(queue).map { number(text($0)) } == [2, 3, 5, 6, 8, 9])
        queue.rewind()
        let half = try await queue.read(maxBytes: 20)
        queue.acknowledge(half)
        #expect(try await drain(queue).count == 6 - half.count)
        #expect(queue.unaccounted == 0)
    }

    @Test(
        "Small batches of 119-byte events cost at most 20 % on disk, and packing makes them smaller",
        arguments: [1, 5, 50])
    func overhead(_ batch: Int) async throws {
        let disk = SimulatedDisk(seed: 1)
        let queue = try await open(disk, segmentSize: 1 << 20, maxSize: 1 << 30)
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
        let queue = try await open(disk)
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

    @Test("A lost or foreign cursor costs duplicates, never a record")
    func cursorLost() async throws {
        let disk = SimulatedDisk(seed: 1)
        let queue = try await open(disk)
        for number in 0..<10 { #expect(await code(queue, "event \(number)") == "ok") }
        queue.acknowledge(Array(try await drain(queue).prefix(4)))
        await queue.close()
        let cursor = try #require(disk.contents("/data/q/cursor"))
        for damage in 0..<3 {
            let bytes: [UInt8] =
                switch damage {
                case 0: []
                case 1: cursor.map { ~$0 }
                default: Array(repeating: 0, count: cursor.count)
                }
            disk.put(bytes, in: "/data/q/cursor")
            let again = try await open(disk, seed: 5)
            #expect(try await drain(again).count == 10)
            await again.close()
        }
        disk.put(cursor, in: "/data/q/cursor")
        #expect(try await drain(try await open(disk, seed: 6)).map { number(text($0)) } == Array(4..<10))
    }

    @Test("What was acknowledged out of order does not come again after a clean restart; after a crash it may")
    func sparse() async throws {
        for isClean in [true, false] {
            let disk = SimulatedDisk(seed: 1)
            var queue = try await open(disk, segmentSize: 4_096)
            for number in 0..<40 {
                #expect(await code(queue, "event \(number) " + String(repeating: "s", count: 300)) == "ok")
            }
            let records = try await drain(queue)
            for index in 0..<40 where index % 3 == 0 && index != 3 { queue.acknowledge(records[index].offsets) }
            if isClean { await queue.close() } else { disk.kill() }
            queue = try await open(disk, seed: 2)
            let left = (0..<40).filter { $0 % 3 != 0 || $0 == 3 }
            if isClean {
                #expect(queue.level.events == Int64(left.count))
                #expect(queue.recovery.events == Int64(left.count))
                #expect(try await drain(queue).map { number(text($0)) } == left)
            } else {
                #expect(Set(try await drain(queue).map { number(text($0)) }).isSuperset(of: left))
            }
            #expect(queue.unaccounted == 0)
            #expect(disk.contents("/data/q/flights") == nil)
        }
    }

    @Test("A damaged list of what was acknowledged out of order costs duplicates, never a record")
    func sparseDamaged() async throws {
        let disk = SimulatedDisk(seed: 1)
        let queue = try await open(disk)
        for number in 0..<10 { #expect(await code(queue, "event \(number)") == "ok") }
        let records = try await drain(queue)
        for index in [2, 5] { queue.acknowledge(records[index].offsets) }
        await queue.close()
        let bytes = try #require(disk.contents("/data/q/flights"))
        for place in bytes.indices {
            for damage in 0..<3 {
                var hurt = bytes
                switch damage {
                case 0: hurt[place] ^= 0x41
                case 1: hurt.removeLast(bytes.count - place)
                default: hurt.replaceSubrange(place..., with: repeatElement(0, count: bytes.count - place))
                }
                if hurt == bytes { continue }
                disk.put(hurt, in: "/data/q/flights")
                let again = try await open(disk, seed: 7)
                #expect(try await drain(again).count == 10, "byte \(place) damage \(damage)")
                disk.kill()
            }
        }
    }

    @Test("Looking from outside sees what a running queue holds, without disturbing it")
    func inspection() async throws {
        let disk = SimulatedDisk(seed: 1)
        let queue = try await open(disk, segmentSize: 4_096)
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
        let queue = try await open(disk, durability: .interval(.milliseconds(100)))
        let before = disk.syncs
        for number in 0..<10 { #expect(await code(queue, "event \(number)") == "ok") }
        #expect(disk.syncs == before)
        await queue.close()
        #expect(disk.syncs > before)
        disk.crash()
        #expect(try await drain(try await open(disk, seed: 2)).count == 10)
    }

    @Test("Appends after the close fail and say so")
    func closed() async throws {
        let queue = try await open(SimulatedDisk(seed: 1))
        await queue.close()
        await queue.close()
        #expect(await code(queue, "late") == "closed")
        await #expect(throws: StoreFailure.closed) { _ = try await queue.read(maxBytes: 1) }
    }
}

private func + (left: StrideTo<Int>, right: StrideThrough<Int>) -> [Int] { Array(left) + Array(right) }
