import Logging
import NIOCore
import Synchronization
import WeirGates
import WeirStore
import WeirWorld

/// The work queue of one connector on disk: opened when it is needed, closed when it is idle, and brought into line
/// with what the ledger has counted when it is opened.
final class WorkQueue: Sendable {
    private enum Door {
        case closed
        /// Somebody opens or closes it; the others wait.
        case moving([CheckedContinuation<Void, Never>])
        case open(DurableQueue)
    }

    private struct Shell {
        var door = Door.closed
        var users = 0
        var lastUse: Moment
        /// Files of settled bundles, until the settlement is written down.
        var removable: Set<String> = []
    }

    let connector: ConnectorID
    let spool: BundleSpool
    private let directory: ConnectorDirectory
    private let book: ConnectorBook
    private let settings: ConnectorsSettings
    private let world: World
    private let shell: Mutex<Shell>

    /// - Parameter world: with threads that many queues share.
    init(connector: ConnectorID, root: String, book: ConnectorBook, settings: ConnectorsSettings, world: World) {
        self.connector = connector
        self.book = book
        self.settings = settings
        self.world = world
        directory = ConnectorDirectory(root: root, connector: connector)
        spool = BundleSpool(
            directory: directory.spool, deadDirectory: directory.path + "/dead-letters", files: world.files,
            lane: world.blocking.lane("spool"))
        shell = Mutex(Shell(lastUse: world.time.now))
    }

    // MARK: Opening

    /// The queue, open until `endUse`.
    func use() async throws(StoreFailure) -> DurableQueue {
        enum Step {
            case ready(DurableQueue)
            case open
            case wait
        }
        while true {
            let step = shell.withLock { shell -> Step in
                switch shell.door {
                case .open(let queue):
                    shell.users += 1
                    return .ready(queue)
                case .closed:
                    shell.door = .moving([])
                    return .open
                case .moving: return .wait
                }
            }
            switch step {
            case .ready(let queue): return queue
            case .wait: await untilMoved()
            case .open:
                do throws(StoreFailure) {
                    let queue = try await open()
                    moved(.open(queue))
                } catch {
                    moved(.closed)
                    throw error
                }
            }
        }
    }

    func endUse() {
        let now = world.time.now
        shell.withLock { shell in
            shell.users -= 1
            shell.lastUse = now
        }
    }

    private func untilMoved() async {
        await withCheckedContinuation { (continuation: CheckedContinuation<Void, Never>) in
            let isWaiting = shell.withLock { shell in
                guard case .moving(let waiting) = shell.door else { return false }
                shell.door = .moving(waiting + [continuation])
                return true
            }
            if !isWaiting { continuation.resume() }
        }
    }

    private func moved(_ door: Door) {
        let now = world.time.now
        let waiting = shell.withLock { shell -> [CheckedContinuation<Void, Never>] in
            guard case .moving(let waiting) = shell.door else { return [] }
            shell.door = door
            shell.lastUse = now
            return waiting
        }
        for continuation in waiting { continuation.resume() }
    }

    private func open() async throws(StoreFailure) -> DurableQueue {
        do throws(StoreFailure) {
            let wasOpen = book.withSlot(connector) { slot, _ in
                defer { slot.marks.isOpen = true }
                return slot.marks.isOpen
            }
            // Before the first append: after a crash the queue must be looked at.
            if !wasOpen { try await book.write(connector) }
            let queue = try await DurableQueue.open(
                directory: directory.queue,
                settings: QueueSettings(
                    name: connector, segmentSize: 16_000_000, maxSize: .max / 2, minFree: settings.minFree),
                world: world)
            do throws(StoreFailure) {
                try await QueueReconciliation(connector: connector, book: book, spool: spool, world: world).run(queue)
            } catch {
                await queue.close()
                throw error
            }
            book.withSlot(connector) { slot, _ in slot.isReadable = true }
            return queue
        } catch {
            book.withSlot(connector) { slot, _ in
                slot.isReadable = false
                _ = slot.trouble(error.reason, at: world.time.wall)
            }
            throw error
        }
    }

    // MARK: Closing

    /// Closes it when nobody used it for so long and nothing is in it.
    func closeIfIdle(for duration: Duration) async {
        let now = world.time.now
        let isEmpty = book.with {
            $0.slots[connector].map { $0.marks.level.messages == 0 && $0.waiting.isEmpty } ?? true
        }
        guard isEmpty else { return }
        await close { $0.users == 0 && now - $0.lastUse >= duration }
    }

    func close() async { await close { _ in true } }

    private func close(if mayClose: (Shell) -> Bool) async {
        let queue = shell.withLock { shell -> DurableQueue? in
            guard case .open(let queue) = shell.door, mayClose(shell) else { return nil }
            shell.door = .moving([])
            return queue
        }
        guard let queue else { return }
        // First all is counted and written down; then the queue's cursor is kept by its close.
        try? await book.write(connector)
        await queue.close()
        let isCounted = book.with { !($0.slots[connector]?.isDirty ?? false) }
        if isCounted {
            book.withSlot(connector) { slot, _ in slot.marks.isOpen = false }
            try? await book.write(connector)
        }
        moved(.closed)
    }

    // MARK: Coming in

    /// Returns when the record is durable and counted.
    func append(_ record: WorkRecord, reserved: Int64) async throws(StoreFailure) {
        let queue = try await use()
        defer { endUse() }
        let stored: QueueRecord
        do { stored = try record.record(at: world.time.wall) } catch { throw .broken("\(error)") }
        let result: Result<Void, StoreFailure> = await withCheckedContinuation { continuation in
            // Counted on the queue's thread, where answers come in the order of the records.
            queue.append(stored) { [self] result in
                if case .success(let start) = result { count(record, at: start, reserved: reserved) }
                continuation.resume(returning: result.map { _ in })
            }
        }
        try result.get()
    }

    private func count(_ record: WorkRecord, at start: QueueOffset, reserved: Int64) {
        let wall = world.time.wall
        book.withSlot(connector) { slot, state in
            slot.reserve(-reserved)
            _ = slot.trouble(nil, at: wall)
            state.countPushed(record, of: connector, at: start.position, &slot, wall)
        }
    }

    // MARK: Going out

    enum Ending: Sendable {
        case delivered(objects: Int)
        /// It is a dead letter.
        case buried(BundleMistake)
        /// There was nothing in it but the end of a run.
        case nothing
    }

    /// Counts a record as dealt with. Records are settled in their order.
    func settle(_ offsets: Range<QueueOffset>, _ record: WorkRecord?, bytes: Int64, _ ending: Ending) {
        let range = offsets.lowerBound.position..<offsets.upperBound.position
        let wall = world.time.wall
        let file = record?.file
        let isFirst = book.withSlot(connector) { slot, state in
            // The one who pushed may not have come to counting it yet.
            if let record { state.countPushed(record, of: connector, at: range.lowerBound, &slot, wall) }
            guard slot.marks.countSettled(range, bytes: bytes, file: file) else { return false }
            slot.isDirty = true
            if case .delivered(let objects) = ending { slot.counted(objects: objects) }
            if case .buried = ending { slot.marks.deadLettered &+= 1 }
            guard let work = record?.work, state.works[work]?.connector == connector else { return true }
            state.works.change(work, at: wall) { $0.count(ending, at: wall) }
            return true
        }
        if isFirst, let file { _ = shell.withLock { $0.removable.insert(file) } }
    }

    /// The settlement is on disk: the queue and the spool may forget it.
    func written(_ marks: QueueMarks) {
        let (queue, names) = shell.withLock { shell -> (DurableQueue?, [String]) in
            let names = shell.removable.subtracting(marks.spooled)
            shell.removable.subtract(names)
            guard case .open(let queue) = shell.door else { return (nil, names.sorted()) }
            return (queue, names.sorted())
        }
        queue?.acknowledge(QueueOffset(0)..<QueueOffset(marks.settled.through))
        spool.remove(names)
    }
}

extension Work {
    /// One of its bundles is dealt with.
    mutating func count(_ ending: WorkQueue.Ending, at wall: WallTime) {
        switch ending {
        case .delivered: delivered += 1
        case .buried(let mistake):
            failed += 1
            note("\(mistake.sentence) (\(mistake.code))", isError: true, at: wall)
        case .nothing: break
        }
    }
}

extension ConnectorBook.State {
    /// Counts a record that is in the queue, once.
    mutating func countPushed(
        _ record: WorkRecord, of connector: ConnectorID, at start: UInt64, _ slot: inout QueueSlot, _ wall: WallTime
    ) {
        guard slot.marks.countPushed(start, bytes: record.bytes, file: record.file) else { return }
        slot.isDirty = true
        if record.hasBundle {
            registry.pushed(connector)
            if let work = record.work, works[work]?.connector == connector {
                works.change(work, at: wall) { $0.pushed += 1 }
            }
        }
        if let end = record.runEnd { count(end, of: connector, wall) }
    }

    /// A run's end takes effect with the record that it came in.
    private mutating func count(_ end: RunEnd, of connector: ConnectorID, _ wall: WallTime) {
        registry.finish(connector, end)
        changedRecords.insert(connector)
        guard let work = end.work, works[work]?.connector == connector else { return }
        works.change(work, at: wall) { work in
            work.processedAt = end.schedule.lastRun ?? wall
            work.note(end.message, isError: false, at: wall)
        }
    }
}
