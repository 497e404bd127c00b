import Glibc
import Logging
import NIOCore
import WeirStore
import WeirTestKit
import WeirWorld

/// A live temporary directory, removed at the end.
func withTemporaryDirectory<Value>(_ body: (String) async throws -> Value) async throws -> Value {
    let files = LiveFileSystem()
    let path = "/tmp/weir-store-\(getpid())-\(LiveRandom().next())"
    try files.makeDirectory(path)
    do {
        let value = try await body(path)
        removeTree(path, files)
        return value
    } catch {
        removeTree(path, files)
        throw error
    }
}

private func removeTree(_ path: String, _ files: LiveFileSystem) {
    for name in (try? files.list(path)) ?? [] {
        let child = path + "/" + name
        if (try? files.status(child))??.kind == .directory {
            removeTree(child, files)
        } else {
            try? files.remove(child)
        }
    }
    try? files.removeDirectory(path)
}

func quietLog() -> Logger { Logger(label: "test") { _ in SwiftLogNoOpLogHandler() } }

func record(_ text: String, count: Int = 1, kind: UInt8 = 0, attributes: String = "") -> QueueRecord {
    QueueRecord(
        payload: ByteBuffer(string: text), count: count, kind: kind, attributes: ByteBuffer(string: attributes),
        time: WallTime(nanoseconds: 1_700_000_000_120_000_000))
}

func text(_ record: StoredRecord) -> String { String(buffer: record.payload) }

/// A world on a simulated disk, without threads.
func simulatedWorld(_ disk: SimulatedDisk, seed: UInt64 = 1) -> World {
    World(
        time: ManualTime(), random: SeededRandom(seed: seed), files: disk, blocking: InlineBlocking(), log: quietLog())
}

/// Everything that can be read now.
func drain(_ queue: DurableQueue) async throws -> [StoredRecord] {
    var all: [StoredRecord] = []
    while true {
        let records = try await queue.readNow(maxBytes: 1 << 20)
        if records.isEmpty { return all }
        all += records
    }
}

extension DurableQueue {
    /// Recovered + appended = acknowledged + dropped + damaged + held.
    var unaccounted: Int64 {
        let counters = counters
        let made = counters.recoveredEvents + counters.appendedEvents
        let gone = counters.acknowledgedEvents + counters.droppedEvents + counters.damagedEvents
        return Int64(made) - Int64(gone) - level.events
    }
}

/// A queue in `/data/q` of a simulated disk, in small segments.
func openQueue(
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

/// What came of an append: `ok`, or the code of the failure.
func code(_ queue: DurableQueue, _ text: String) async -> String {
    do {
        _ = try await queue.append(record(text))
        return "ok"
    } catch {
        return error.code
    }
}

/// The number in `event 17 …`.
func number(_ text: String) -> Int { Int(text.dropFirst(6).prefix { $0 != " " }) ?? -1 }
