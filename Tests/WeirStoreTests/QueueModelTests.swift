import NIOCore
import Synchronization
import Testing
import WeirStore
import WeirTestKit
import WeirWorld

/// Random operations against a plain list, on a disk that crashes, tears, fills up and fails to sync.
@Suite struct QueueModelTests {
    private struct Model {
        /// Answered with success and not acknowledged by the consumer, ascending.
        var owed: [Int] = []
        /// Everything that was ever given to the queue.
        var given: Set<Int> = []
        /// Since the last crash.
        var acknowledged: Set<Int> = []
        /// Answered with a failure in this life.
        var refused: Set<Int> = []
        /// Read in this life and not acknowledged.
        var held: [(id: Int, offsets: Range<QueueOffset>)] = []
        var lastRead = -1
        /// What a failed sync left behind and what was written again may both survive.
        var hasFailedSyncs = false
        /// Acknowledged before a clean stop: it may not come again until the next crash.
        var settled: Set<Int> = []
        /// The disk may die at any step: a stop is not clean then.
        var isMortal = false
        var next = 0
    }

    private final class Answers: Sendable {
        let list = Mutex<[(Int, Bool)]>([])
    }

    private func run(seed: UInt64, durability: QueueSettings.Durability = .commit) async throws {
        var random = SplitMix(seed: seed)
        func roll(_ bound: Int) -> Int { Int(random.next() % UInt64(bound)) }
        let disk = SimulatedDisk(seed: seed &* 31)
        let compression: QueueSettings.Compression = [.none, .none, .lz4, .zstd][roll(4)]
        let settings = QueueSettings(
            segmentSize: [4_096, 8_192, 20_000][roll(3)], maxSize: 1 << 20, durability: durability,
            compression: compression,
            minFree: 0, readAhead: [100, 2_000, 1 << 20][roll(3)])
        let world = simulatedWorld(disk, seed: seed)
        var model = Model()
        var queue = try await DurableQueue.open(directory: "/q", settings: settings, world: world)

        for step in 0..<60 {
            let place = Comment(rawValue: "seed \(seed) step \(step)")
            switch roll(20) {
            case 0..<8:
                let answers = Answers()
                for _ in 0..<(1 + roll(4)) {
                    let id = model.next
                    model.next += 1
                    model.given.insert(id)
                    let text = "\(id):" + String(repeating: "x", count: roll(10) == 0 ? roll(6_000) : roll(300))
                    queue.append(record(text)) { result in
                        let isKept = if case .success = result { true } else { false }
                        answers.list.withLock { $0.append((id, isKept)) }
                    }
                }
                for (id, isKept) in answers.list.withLock({ $0 }) {
                    if isKept { model.owed.append(id) } else { model.refused.insert(id) }
                }
            case 8..<12:
                let records = try await readSafely(queue, maxBytes: 1 + roll(4_000))
                for stored in records {
                    let id = try #require(Int(text(stored).prefix { $0 != ":" }), place)
                    #expect(model.given.contains(id), place)
                    // What was refused may only come back by a power cut that tore away its removal.
                    #expect(!model.refused.contains(id), place)
                    #expect(!model.settled.contains(id), place)
                    #expect(id > model.lastRead || (model.hasFailedSyncs && id == model.lastRead), place)
                    // Nothing that is owed was left out on the way here.
                    let held = Set(model.held.lazy.map(\.id))
                    let expected = model.owed.first { $0 > model.lastRead && !held.contains($0) } ?? id
                    #expect(expected >= id || durability != .commit, place)
                    model.lastRead = id
                    model.held.append((id, stored.offsets))
                }
            case 12..<15:
                guard !model.held.isEmpty else { continue }
                let count = 1 + roll(model.held.count)
                for _ in 0..<count {
                    let (id, offsets) = model.held.remove(at: roll(3) == 0 ? roll(model.held.count) : 0)
                    queue.acknowledge(offsets)
                    model.acknowledged.insert(id)
                    model.owed.removeAll { $0 == id }
                }
            case 15:
                queue.rewind()
                model.lastRead = -1
                model.held = []
            case 16:
                // A full disk, for a while.
                if roll(2) == 0 {
                    disk.setCapacity(
                        disk.paths.reduce(0) { $0 + Int64(disk.contents($1)?.count ?? 0) } + Int64(roll(3_000)))
                } else {
                    disk.setCapacity(.max)
                }
            case 17:
                disk.failSyncs(1 + roll(3))
                model.hasFailedSyncs = true
            case 18:
                disk.setLife(operations: 1 + roll(12))
                model.isMortal = true
            default:
                // Down and up again: by hand, by kill or by the power.
                let way = roll(3)
                disk.setCapacity(.max)
                disk.failSyncs(0)
                if way == 0 { await queue.close() }
                if way != 0 || model.isMortal || model.hasFailedSyncs { model.acknowledged = [] }
                model.settled = model.acknowledged
                model.isMortal = false
                if way == 2 { disk.crash() } else { disk.kill() }
                queue = try await DurableQueue.open(directory: "/q", settings: settings, world: world)
                model.lastRead = -1
                model.held = []
                model.refused = []
            }
            #expect(queue.unaccounted == 0, place)
        }
        disk.setCapacity(.max)
        disk.failSyncs(0)
        disk.crash()
        let last = try await DurableQueue.open(directory: "/q", settings: settings, world: world)
        let ids = try await drain(last).map { try #require(Int(text($0).prefix { $0 != ":" })) }
        let place = Comment(rawValue: "seed \(seed) at the end")
        #expect(ids == ids.sorted(), place)
        #expect(Set(ids).count == ids.count || model.hasFailedSyncs, place)
        #expect(Set(ids).isSubset(of: model.given), place)
        if durability == .commit { #expect(Set(model.owed).isSubset(of: Set(ids)), place) }
    }

    // A dead disk is a failure of the call, not of the test.
    private func readSafely(_ queue: DurableQueue, maxBytes: Int) async throws -> [StoredRecord] {
        do { return try await queue.readNow(maxBytes: maxBytes) } catch { return [] }
    }

    @Test("What was acknowledged survives every crash, in order, and nothing is invented", arguments: 0..<12)
    func commit(_ block: UInt64) async throws {
        for seed in (block * 100)..<(block * 100 + 100) { try await run(seed: seed) }
    }

    @Test(
        "Without a sync something may be lost by a power cut, but nothing is invented or out of order", arguments: 0..<4
    )
    func memory(_ block: UInt64) async throws {
        for seed in (block * 50)..<(block * 50 + 50) { try await run(seed: 10_000 + seed, durability: .memory) }
    }
}
