import NIOCore
import Testing
import WeirTestKit
import WeirWorld

@testable import WeirStore

/// What the consumer is done with: in any order, taken back, written down, lost.
@Suite struct AcknowledgementTests {
    @Test("Acknowledgements in any order let the level fall at once, and segments go when all of them is done with")
    func outOfOrder() async throws {
        let disk = SimulatedDisk(seed: 1)
        let queue = try await openQueue(disk, segmentSize: 4_096)
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
        let queue = try await openQueue(disk)
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

    @Test("A lost or foreign cursor costs duplicates, never a record")
    func cursorLost() async throws {
        let disk = SimulatedDisk(seed: 1)
        let queue = try await openQueue(disk)
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
            let again = try await openQueue(disk, seed: 5)
            #expect(try await drain(again).count == 10)
            await again.close()
        }
        disk.put(cursor, in: "/data/q/cursor")
        #expect(try await drain(try await openQueue(disk, seed: 6)).map { number(text($0)) } == Array(4..<10))
    }

    @Test("What was acknowledged out of order does not come again after a clean restart; after a crash it may")
    func sparse() async throws {
        for isClean in [true, false] {
            let disk = SimulatedDisk(seed: 1)
            var queue = try await openQueue(disk, segmentSize: 4_096)
            for number in 0..<40 {
                #expect(await code(queue, "event \(number) " + String(repeating: "s", count: 300)) == "ok")
            }
            let records = try await drain(queue)
            for index in 0..<40 where index % 3 == 0 && index != 3 { queue.acknowledge(records[index].offsets) }
            if isClean { await queue.close() } else { disk.kill() }
            queue = try await openQueue(disk, seed: 2)
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
        let queue = try await openQueue(disk)
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
                let again = try await openQueue(disk, seed: 7)
                #expect(try await drain(again).count == 10, "byte \(place) damage \(damage)")
                disk.kill()
            }
        }
    }
}

private func + (left: StrideTo<Int>, right: StrideThrough<Int>) -> [Int] { Array(left) + Array(right) }
