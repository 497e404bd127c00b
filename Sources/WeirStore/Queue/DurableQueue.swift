import Logging
import NIOCore
import Synchronization
package import WeirWorld

/// A durable queue of bytes in front of one receiver: a segmented log with one consumer.
///
/// - An append that was answered with success is on disk as `durability` says; all that wait share one sync.
/// - Records come out in the order in which they were given; after a restart (or a rewind) what was not acknowledged
///   comes again.
/// - Damage on disk is skipped, counted and reported; no failure is fatal, and a full disk passes by itself.
/// - Memory does not depend on the backlog: a few hundred bytes a segment, one read-ahead, and what waits for the disk.
///
/// One consumer reads; any task may append, acknowledge and look. How it works on disk is told in SegmentFormat.swift.
/// Writing and reading have a lane each, so that a slow sync does not hold the reader.
package final class DurableQueue: Sendable {
    package let directory: String
    package let settings: QueueSettings
    /// What opening found.
    package let recovery: RecoveryReport

    let world: World
    let files: QueueDirectory
    let state: SharedState
    private let writer: SegmentWriter
    let reader: SegmentReader
    private let lock: any FileLock
    private let writing: any BlockingLane
    let reading: any BlockingLane
    let shell = Mutex(Shell())

    struct Shell {
        var waiting: [SegmentWriter.Append] = []
        var waitingBytes = 0
        var isWriting = false
        /// Writes that failed, and the last reason.
        var writeFailures: UInt64 = 0
        var writeFailure = StoreFailure.closed
        /// Read ahead of the consumer.
        var ready = CircularBuffer<StoredRecord>()
        var readFailure: StoreFailure?
        var isFilling = false
        var isTidying = false
        var tidied: UInt64 = 0
        /// The consumer, when there is nothing to read.
        var reader: CheckedContinuation<Void, Never>?
        /// Counts whatever a waiting consumer may want to look at.
        var signals: UInt64 = 0
        var isClosed = false
        var counters = QueueCounters()
        /// Sleeps until the next sync of `interval`; owned here, cancelled by `close`.
        var timer: Task<Void, Never>?
    }

    private init(
        directory: QueueDirectory, settings: QueueSettings, world: World, opened: Opened, writing: any BlockingLane,
        reading: any BlockingLane
    ) {
        self.directory = directory.path
        self.settings = settings
        self.world = world
        self.files = directory
        self.writing = writing
        self.reading = reading
        recovery = opened.report
        lock = opened.lock
        state = opened.state
        reader = opened.reader
        writer = SegmentWriter(directory: directory, settings: settings, random: world.random, state: opened.state)
        shell.withLock {
            $0.counters.recoveredEvents = UInt64(clamping: opened.report.events)
            $0.tidied = opened.state.withLock { $0.cursor }
        }
    }

    private struct Opened: Sendable {
        var lock: any FileLock
        var state: SharedState
        var reader: SegmentReader
        var report: RecoveryReport
    }

    /// Opens a queue, made when missing. Takes as long as two small reads a segment, plus a scan of the one that was
    /// being written.
    /// - Throws: `locked` when a running Weir has it, `newerFormat` when it is not ours to read, and what the file
    ///   system says.
    package static func open(
        directory: String, settings: QueueSettings, world: World
    ) async throws(StoreFailure) -> DurableQueue {
        let files = QueueDirectory(path: directory, files: world.files)
        let reading = world.blocking.lane("r:" + settings.name)
        let result: Result<Opened, StoreFailure> = await reading.answer {
            let start = world.time.now
            return Result { () throws(StoreFailure) in
                var opened = try prepare(files)
                opened.report.took = world.time.now - start
                return opened
            }
        }
        switch result {
        case .failure(let failure):
            reading.close()
            throw failure
        case .success(let opened):
            if !opened.report.isClean {
                world.log.warning(
                    "a queue was recovered",
                    metadata: [
                        "queue": "\(settings.name)", "torn.bytes": "\(opened.report.tornBytes)",
                        "damaged.ranges": "\(opened.report.damages.count)",
                        "quarantined.files": "\(opened.report.quarantinedFiles.count)",
                        "cursor.lost": "\(opened.report.isCursorLost)",
                    ])
            }
            return DurableQueue(
                directory: files, settings: settings, world: world, opened: opened,
                writing: world.blocking.lane("w:" + settings.name), reading: reading)
        }
    }

    private static func prepare(_ files: QueueDirectory) throws(StoreFailure) -> Opened {
        try files.prepare()
        let lock = try files.lock()
        do throws(StoreFailure) {
            var recovery = QueueRecovery(files)
            let (state, generation) = try recovery.run()
            let shared = SharedState(state)
            let cursor = try attempt { () throws(FileFailure) in
                try CursorFile(files.files, directory: files.path, generation: generation)
            }
            let reader = SegmentReader(directory: files, state: shared, cursorFile: cursor)
            return Opened(lock: lock, state: shared, reader: reader, report: recovery.report)
        } catch {
            lock.release()
            throw error
        }
    }

    // MARK: Appending

    /// Gives a record to the queue and returns at once; `done` is called when it is durable as asked, on the queue's
    /// writing thread: it must be quick. Appends are written in the order in which they were given, and their answers
    /// come in that order. When one fails, all that wait behind it fail too, so that nothing overtakes it. The caller
    /// bounds how much it lets wait (`level.waitingBytes`).
    /// - Parameter failures: `writeFailures` as the caller saw it when it chose this record to be next; when another
    ///   write has failed since then, this one fails too.
    package func append(
        _ record: QueueRecord, unlessFailedSince failures: UInt64? = nil,
        done: @escaping @Sendable (Result<QueueOffset, StoreFailure>) -> Void
    ) {
        let (failure, mustStart) = shell.withLock { shell -> (StoreFailure?, Bool) in
            if shell.isClosed { return (.closed, false) }
            if let failures, failures != shell.writeFailures { return (shell.writeFailure, false) }
            shell.waiting.append(SegmentWriter.Append(record: record, done: done))
            shell.waitingBytes += record.payloadBytes
            defer { shell.isWriting = true }
            return (nil, !shell.isWriting)
        }
        if let failure { return done(.failure(failure)) }
        if mustStart { writing.enqueue { [self] in write() } }
    }

    /// Returns when the record is durable as asked.
    package func append(_ record: QueueRecord) async throws(StoreFailure) -> QueueOffset {
        let result: Result<QueueOffset, StoreFailure> = await withCheckedContinuation { continuation in
            append(record) { continuation.resume(returning: $0) }
        }
        return try result.get()
    }

    /// On the writing lane: everything that waits, again and again, until nothing does.
    private func write() {
        while true {
            let appends = shell.withLock { shell -> [SegmentWriter.Append] in
                let taken = shell.waiting
                shell.waiting = []
                if taken.isEmpty { shell.isWriting = false }
                return taken
            }
            if appends.isEmpty { break }
            let count = writer.commit(appends)
            lookAtSyncs()
            if let failure = writer.failure { failWaiting(failure) }
            let consumer = shell.withLock { shell in
                shell.waitingBytes -= appends.reduce(0) { $0 + $1.record.payloadBytes }
                shell.counters.appendedEvents &+= UInt64(count.events)
                shell.counters.appendedRecords &+= UInt64(count.records)
                return shell.wake()
            }
            consumer?.resume()
        }
        startTimer()
    }

    private func failWaiting(_ failure: StoreFailure) {
        let behind = shell.withLock { shell in
            shell.writeFailures &+= 1
            shell.writeFailure = failure
            defer { shell.waiting = [] }
            shell.waitingBytes -= shell.waiting.reduce(0) { $0 + $1.record.payloadBytes }
            return shell.waiting
        }
        for append in behind { append.done(.failure(failure)) }
    }

    /// Counts failed writes: for `append(_:unlessFailedSince:)`.
    package var writeFailures: UInt64 { shell.withLock { $0.writeFailures } }

    private func startTimer() {
        guard case .interval(let interval) = settings.durability, writer.hasUnsynced else { return }
        let time = world.time
        shell.withLock { shell in
            guard shell.timer == nil, !shell.isClosed else { return }
            // A bare task: kept in the shell, cancelled by `close`.
            shell.timer = Task { [self] in
                try? await time.sleep(for: interval)
                writing.enqueue { [self] in syncNow() }
            }
        }
    }

    private func syncNow() {
        shell.withLock { $0.timer = nil }
        // What it throws is counted: see `lookAtSyncs`.
        try? writer.syncNow()
        lookAtSyncs()
        startTimer()
    }

    /// On the writing lane: counts the syncs that failed, and says so.
    private func lookAtSyncs() {
        let (failures, doubtful) = shell.withLock { shell in
            let failures = writer.syncFailures - shell.counters.syncFailures
            let doubtful = writer.doubtfulEvents - shell.counters.doubtfulEvents
            shell.counters.syncFailures = writer.syncFailures
            shell.counters.doubtfulEvents = writer.doubtfulEvents
            return (failures, doubtful)
        }
        guard failures > 0 else { return }
        if doubtful == 0 {
            world.log.error(
                "a sync failed; what it was for was written again, or refused",
                metadata: ["queue": "\(settings.name)", "failures": "\(failures)"])
        } else {
            world.log.error(
                "a sync failed, and so did writing again: a power cut may take acknowledged events",
                metadata: ["queue": "\(settings.name)", "failures": "\(failures)", "doubtful.events": "\(doubtful)"])
        }
    }

    // MARK: Levels

    package var level: QueueLevel {
        shell.withLock { shell in
            var level = state.withLock { $0.level }
            level.waitingBytes = shell.waitingBytes
            return level
        }
    }

    package var counters: QueueCounters { shell.withLock { $0.counters } }

    /// Whether so many bytes more stay within the maximum size. Cheap: asked before every append.
    package func hasRoom(for bytes: Int) -> Bool {
        let waiting = shell.withLock { $0.waitingBytes }
        return state.withLock { $0.diskBytes } + Int64(waiting) + Int64(bytes) <= settings.maxSize
    }

    // MARK: Closing

    /// Writes what waits, syncs, seals the segment and keeps the cursor. What is appended or read afterwards fails
    /// with `closed`.
    package func close() async {
        let (isFirst, consumer, timer) = shell.withLock { shell in
            defer { shell.isClosed = true }
            return (!shell.isClosed, shell.wake(), shell.timer)
        }
        guard isFirst else { return }
        timer?.cancel()
        consumer?.resume()
        await writing.answer { [self] in
            // Appends that came before are on the lane already, or in the list.
            write()
            writer.close()
            lookAtSyncs()
        }
        await reading.answer { [self] in
            reader.close()
            lock.release()
        }
    }

    // Not in `close`: a job given to a closed lane is never answered, and somebody may look into a closed queue.
    deinit {
        writing.close()
        reading.close()
    }
}

extension DurableQueue.Shell {
    /// To be resumed after the lock is gone.
    mutating func wake() -> CheckedContinuation<Void, Never>? {
        signals &+= 1
        defer { reader = nil }
        return reader
    }
}

extension BlockingLane {
    /// Runs `body` on the lane and hands its answer back.
    func answer<Value: Sendable>(_ body: @escaping @Sendable () -> Value) async -> Value {
        await withCheckedContinuation { continuation in
            enqueue { continuation.resume(returning: body()) }
        }
    }
}
