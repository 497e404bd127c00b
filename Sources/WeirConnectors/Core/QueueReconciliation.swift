import Logging
import NIOCore
import Synchronization
import WeirStore
import WeirWorld

/// Brings the books into line with a queue that was just opened: what was pushed after the ledger's last word is
/// counted, what is missing is said, files that nothing names are removed.
struct QueueReconciliation {
    let connector: ConnectorID
    let book: ConnectorBook
    let spool: BundleSpool
    let world: World

    func run(_ queue: DurableQueue) async throws(StoreFailure) {
        let marks = book.withSlot(connector) { slot, _ in slot.marks }
        if queue.end.position < marks.pushed.through {
            // Somebody removed the directory: its positions begin again.
            closeGap()
            book.withSlot(connector) { slot, _ in
                slot.marks.pushed.through = 0
                slot.marks.settled.through = 0
                slot.isDirty = true
            }
        }
        try await countTail(queue)
        if queue.level.events == 0 { closeGap() }
        let names = book.withSlot(connector) { slot, _ in slot.marks.spooled }
        let orphans = try await spool.removeOrphans(keeping: names)
        if orphans > 0 {
            world.log.info(
                "files of unfinished pushes were removed",
                metadata: ["connector": "\(connector)", "files": "\(orphans)"])
        }
        try await book.write(connector)
    }

    /// Records that are in the queue and not in the ledger.
    private func countTail(_ queue: DurableQueue) async throws(StoreFailure) {
        let through = book.withSlot(connector) { slot, _ in slot.marks.pushed.through }
        let found = Mutex<[(start: UInt64, record: WorkRecord)]>([])
        _ = try await queue.records(from: through == 0 ? nil : QueueOffset(through - 1), limit: .max) { stored in
            let start = stored.offsets.lowerBound.position
            if start >= through {
                var record = WorkRecord(stored) ?? .unreadable(stored)
                record.forgetBytes()
                found.withLock { $0.append((start, record)) }
            }
            return false
        }
        let tail = found.withLock { $0 }
        for id in Set(tail.flatMap { [$0.record.work, $0.record.runEnd?.work] }.compactMap(\.self)).sorted() {
            await book.load(id)
        }
        let wall = world.time.wall
        book.withSlot(connector) { slot, state in
            for (start, record) in tail { state.countPushed(record, of: connector, at: start, &slot, wall) }
        }
    }

    /// The queue is empty, so nothing can be on its way: what the books still expect of it was damaged or removed.
    func closeGap() {
        let wall = world.time.wall
        let missing = book.withSlot(connector) { slot, state -> UInt64 in
            let missing = slot.marks.closeGap()
            guard missing > 0 else { return 0 }
            slot.isDirty = true
            for work in state.works.works(of: connector) where work.isPending {
                state.works.change(work.id, at: wall) { work in
                    let lost = work.pushed - work.delivered - work.failed
                    work.failed += lost
                    work.note("\(lost) bundles were lost: the work queue was damaged on disk.", isError: true, at: wall)
                }
            }
            return missing
        }
        if missing > 0 {
            world.log.error(
                "bundles are missing in a work queue",
                metadata: ["connector": "\(connector)", "bundles": "\(missing)"])
        }
    }
}

extension WorkRecord {
    /// What cannot be understood, but is there.
    static func unreadable(_ stored: StoredRecord) -> WorkRecord {
        WorkRecord(body: .none, work: nil, bytes: Int64(stored.payload.readableBytes))
    }

    /// Keeps what is counted, so that a long tail takes little memory.
    fileprivate mutating func forgetBytes() {
        if case .inline(let encoding, _) = body { body = .inline(encoding, .init()) }
    }
}
