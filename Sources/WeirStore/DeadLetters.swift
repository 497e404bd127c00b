import NIOCore
import Synchronization
package import WeirWorld

/// The dead letters of one destination: a durable log with its own bound, from which single letters can be taken out.
///
/// The log is a `DurableQueue`. Letters that were taken out of the middle are remembered in the file `removed`, until
/// the queue's cursor has passed them.
package final class DeadLetters: Sendable {
    package enum OnFull: String, Sendable, Hashable {
        /// The newest letters are the ones a person looks for.
        case dropOldest = "drop_oldest"
        case dropNewest = "drop_newest"
    }

    /// A letter and where it lies.
    package struct Entry: Sendable, Hashable {
        package var id: QueueOffset
        package var letter: DeadLetter
    }

    private struct State {
        /// Taken out, above the queue's cursor.
        var removed: Set<UInt64>
        var isAdvancing = false
        /// Something was taken out while the cursor was being moved.
        var mustAdvanceAgain = false
    }

    private let queue: DurableQueue
    private let onFull: OnFull
    private let removedFile: AtomicFile
    private let state: Mutex<State>

    private init(queue: DurableQueue, onFull: OnFull, removedFile: AtomicFile, removed: Set<UInt64>) {
        self.queue = queue
        self.onFull = onFull
        self.removedFile = removedFile
        state = Mutex(State(removed: removed))
    }

    /// - Parameter maxSize: bytes on disk; 1 GB.
    package static func open(
        directory: String, name: String, maxSize: Int64 = 1_000_000_000, onFull: OnFull = .dropOldest,
        minFree: Int64? = nil,
        world: World
    ) async throws(StoreFailure) -> DeadLetters {
        let queue = try await DurableQueue.open(
            directory: directory,
            settings: QueueSettings(name: name, segmentSize: 16_000_000, maxSize: maxSize, minFree: minFree),
            world: world)
        let file = AtomicFile(path: directory + "/removed", files: world.files)
        let removed: Set<UInt64> = await queue.reading.answer { Self.removed(by: file) }
        return DeadLetters(queue: queue, onFull: onFull, removedFile: file, removed: removed)
    }

    /// Positions of the letters that were taken out and still lie in the log, for those who look at it from outside.
    package static func removed(in directory: String, files: any FileSystem) -> Set<UInt64> {
        removed(by: AtomicFile(path: directory + "/removed", files: files))
    }

    // A list that cannot be read brings replayed letters back into view: told by nothing but their age, and harmless.
    private static func removed(by file: AtomicFile) -> Set<UInt64> {
        let removed = (try? file.read()).flatMap { $0 }.flatMap { Checkpoints.decode($0) } ?? [:]
        return Set(removed.keys.lazy.compactMap { UInt64($0) })
    }

    /// Keeps letters, with one sync for all.
    /// - Returns: how many letters were dropped because the log is full, of these or of the oldest.
    package func append(_ letters: [DeadLetter]) async throws(StoreFailure) -> Int {
        if letters.isEmpty { return 0 }
        let records = letters.map(\.record)
        let bytes = records.reduce(0) { $0 + RecordEncoder.bound($1) }
        var dropped = 0
        if !queue.hasRoom(for: bytes) {
            if onFull == .dropNewest { return letters.count }
            dropped = dropOldest(bytes: Int64(bytes))
            // More at once than fits at all.
            if !queue.hasRoom(for: bytes) { return dropped + letters.count }
        }
        let result: Result<QueueOffset, StoreFailure> = await withCheckedContinuation { continuation in
            for record in records.dropLast() { queue.append(record) { _ in } }
            // Answers come in order and a failure takes the rest with it: the last answer is the answer to all.
            if let last = records.last { queue.append(last) { continuation.resume(returning: $0) } }
        }
        _ = try result.get()
        return dropped
    }

    // Letters that were taken out before do not count as dropped.
    private func dropOldest(bytes: Int64) -> Int {
        let before = queue.cursor.position
        let events = queue.dropOldest(bytes: bytes).events
        let after = queue.cursor.position
        return state.withLock { state in
            let gone = state.removed.filter { $0 >= before && $0 < after }
            state.removed.subtract(gone)
            return max(0, events - gone.count)
        }
    }

    package var level: QueueLevel {
        var level = queue.level
        level.events = max(0, level.events - Int64(state.withLock { $0.removed.count }))
        return level
    }

    // MARK: Looking

    /// The oldest letters first.
    /// - Parameters:
    ///   - id: only those after it: the last one of the page before.
    ///   - chosen: which letters; what it does not choose takes no memory.
    package func list(
        limit: Int, after id: QueueOffset? = nil, where chosen: (@Sendable (DeadLetter) -> Bool)? = nil
    ) async throws(StoreFailure) -> [Entry] {
        let removed = state.withLock { $0.removed }
        let records = try await queue.records(from: id, limit: limit) { record in
            let start = record.offsets.lowerBound
            guard start > id ?? QueueOffset(0), !removed.contains(start.position) else { return false }
            return chosen.map { chosen in DeadLetter(record).map(chosen) ?? false } ?? true
        }
        return records.compactMap(DeadLetters.entry)
    }

    /// `nil` when there is no such letter (any more).
    package func show(_ id: QueueOffset) async throws(StoreFailure) -> Entry? {
        if state.withLock({ $0.removed.contains(id.position) }) { return nil }
        let records = try await queue.records(from: id, limit: 1) { _ in true }
        return records.first { $0.offsets.lowerBound == id }.flatMap(DeadLetters.entry)
    }

    private static func entry(_ record: StoredRecord) -> Entry? {
        DeadLetter(record).map { Entry(id: record.offsets.lowerBound, letter: $0) }
    }

    // MARK: Taking out

    /// Sends letters again, oldest first, a page at a time, and takes out those that `send` returns from. Stops at the
    /// first that it throws for.
    /// - Parameter chosen: which letters; those that are there when it begins.
    /// - Returns: how many were sent.
    /// - Throws: what `send` throws; the letters sent before it are taken out.
    package func replay(
        where chosen: @Sendable (Entry) -> Bool = { _ in true }, send: @Sendable (Entry) async throws -> Void
    ) async throws -> Int {
        let end = queue.end
        var sent = 0
        var last: QueueOffset?
        while true {
            let page = try await list(limit: 256, after: last)
            guard let newest = page.last?.id else { return sent }
            var done: [QueueOffset] = []
            for entry in page where entry.id < end && chosen(entry) {
                do {
                    try await send(entry)
                } catch {
                    try await remove(done)
                    throw error
                }
                done.append(entry.id)
                sent += 1
            }
            try await remove(done)
            last = newest
            if newest >= end { return sent }
        }
    }

    /// Takes letters out for good.
    package func remove(_ ids: [QueueOffset]) async throws(StoreFailure) {
        if ids.isEmpty { return }
        let isMine = state.withLock { state in
            let cursor = queue.cursor
            for id in ids where id >= cursor { state.removed.insert(id.position) }
            state.mustAdvanceAgain = state.isAdvancing
            defer { state.isAdvancing = true }
            return !state.isAdvancing
        }
        guard isMine else { return }
        defer { state.withLock { $0.isAdvancing = false } }
        repeat {
            state.withLock { $0.mustAdvanceAgain = false }
            try await advance()
        } while state.withLock { $0.mustAdvanceAgain }
    }

    /// Moves the queue's cursor over what is taken out at its beginning, and writes down the rest.
    private func advance() async throws(StoreFailure) {
        queue.rewind()
        reading: while true {
            let records = try await queue.readNow(maxBytes: 1 << 20)
            if records.isEmpty { break }
            for record in records {
                guard state.withLock({ $0.removed.contains(record.offsets.lowerBound.position) }) else { break reading }
                queue.acknowledge(record.offsets)
            }
        }
        queue.rewind()
        let cursor = queue.cursor.position
        let rest = state.withLock { state in
            state.removed = state.removed.filter { $0 >= cursor }
            return state.removed
        }
        let result: Result<Void, StoreFailure> = await queue.reading.answer { [queue, removedFile] in
            Result { () throws(StoreFailure) in
                // First the cursor: what it has passed is not in the list any more.
                try queue.reader.keepCursor()
                try removedFile.write(
                    Checkpoints.encode(Dictionary(uniqueKeysWithValues: rest.map { (String($0), "") })))
            }
        }
        try result.get()
    }

    /// Hands all letters over, oldest first, without taking them out.
    package func export(_ body: (Entry) throws -> Void) async throws {
        var last: QueueOffset?
        while true {
            let page = try await list(limit: 256, after: last)
            guard let newest = page.last?.id else { return }
            for entry in page { try body(entry) }
            last = newest
        }
    }

    package func close() async { await queue.close() }
}
