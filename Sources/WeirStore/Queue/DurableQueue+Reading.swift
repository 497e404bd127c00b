import Logging
import NIOCore
import Synchronization
import WeirWorld

extension DurableQueue {
    /// The next records in order: at least one, and not many more than `maxBytes`. Suspends until there is something.
    /// One consumer at a time.
    /// - Throws: `cancelled` as soon as the task is cancelled, `closed`, and what the file system says (try again).
    package func read(maxBytes: Int) async throws(StoreFailure) -> [StoredRecord] {
        while true {
            if Task.isCancelled { throw .cancelled }
            switch next(maxBytes) {
            case .records(let records): return records
            case .failure(let failure): throw failure
            case .wait(let signals): await wait(after: signals)
            }
        }
    }

    /// As `read`, but returns at once with what is in memory or on disk: empty when there is nothing.
    package func readNow(maxBytes: Int) async throws(StoreFailure) -> [StoredRecord] {
        while true {
            switch next(maxBytes) {
            case .records(let records): return records
            case .failure(let failure): throw failure
            case .wait(let signals):
                // The read that was just ordered may be done already.
                guard shell.withLock({ $0.isFilling || $0.signals != signals }) else { return [] }
                // Not cut short by a cancellation: the read comes to its end by itself, and asking again and again
                // until then would keep the thread busy.
                await suspend(after: signals)
            }
        }
    }

    private enum Next {
        case records([StoredRecord])
        case failure(StoreFailure)
        case wait(UInt64)
    }

    private func next(_ maxBytes: Int) -> Next {
        let (answer, mustFill) = shell.withLock { shell -> (Next, Bool) in
            if shell.isClosed { return (.failure(.closed), false) }
            var taken: [StoredRecord] = []
            var bytes = 0
            while let first = shell.ready.first, taken.isEmpty || bytes + first.payload.readableBytes <= maxBytes {
                taken.append(shell.ready.removeFirst())
                bytes += first.payload.readableBytes
            }
            let failure = taken.isEmpty ? shell.readFailure : nil
            if failure != nil { shell.readFailure = nil }
            let mustFill =
                shell.ready.isEmpty && !shell.isFilling && failure == nil && state.withLock { $0.hasUnread }
            if mustFill { shell.isFilling = true }
            if !taken.isEmpty { return (.records(taken), mustFill) }
            if let failure { return (.failure(failure), false) }
            return (.wait(shell.signals), mustFill)
        }
        if mustFill { reading.enqueue { [self] in fill() } }
        return answer
    }

    private func wait(after signals: UInt64) async {
        await withTaskCancellationHandler {
            await suspend(after: signals) { Task.isCancelled }
        } onCancel: {
            shell.withLock { $0.wake() }?.resume()
        }
    }

    private func suspend(after signals: UInt64, unless isOver: () -> Bool = { false }) async {
        await withCheckedContinuation { (continuation: CheckedContinuation<Void, Never>) in
            let mustWait = shell.withLock { shell in
                guard shell.signals == signals, !isOver() else { return false }
                precondition(shell.reader == nil, "two consumers read from the queue \(settings.name)")
                shell.reader = continuation
                return true
            }
            if !mustWait { continuation.resume() }
        }
    }

    /// On the reading lane.
    private func fill() {
        let result = Result { () throws(StoreFailure) in try reader.read(bytes: settings.readAhead) }
        let (consumer, damages) = shell.withLock {
            shell -> (CheckedContinuation<Void, Never>?, [RecoveryReport.Damage]) in
            shell.isFilling = false
            switch result {
            case .failure(let failure):
                shell.readFailure = failure
                return (shell.wake(), [])
            case .success(let read):
                if state.withLock({ $0.epoch }) == read.epoch { shell.ready.append(contentsOf: read.records) }
                shell.counters.damagedRanges &+= UInt64(read.damages.count)
                shell.counters.damagedEvents &+= UInt64(read.damages.reduce(0) { $0 + ($1.events ?? 0) })
                return (shell.wake(), read.damages)
            }
        }
        consumer?.resume()
        for damage in damages {
            world.log.error(
                "damaged records were skipped",
                metadata: [
                    "queue": "\(settings.name)", "segment": "\(damage.segment)", "from": "\(damage.offsets.lowerBound)",
                    "to": "\(damage.offsets.upperBound)", "events": "\(damage.events.map(String.init) ?? "unknown")",
                ])
        }
    }

    // MARK: Letting go

    /// The records in this range were delivered (or dead-lettered); any order, also part of what one read gave. Their
    /// space is given back when all of their segment is done with.
    package func acknowledge(_ offsets: Range<QueueOffset>) {
        let range = offsets.lowerBound.position..<offsets.upperBound.position
        let (consumer, mustTidy) = shell.withLock { shell in
            let (events, mustTidy) = state.withLock { state in
                let events = state.acknowledge(range)
                return (events, state.isTidyDue(since: shell.tidied) ? state.cursor : nil)
            }
            shell.counters.acknowledgedEvents &+= UInt64(events)
            // Only a consumer that waits because too much is in flight wants to know.
            let consumer = shell.reader != nil && state.withLock { $0.hasUnread } ? shell.wake() : nil
            guard let mustTidy, !shell.isTidying, !shell.isClosed else { return (consumer, false) }
            shell.isTidying = true
            shell.tidied = mustTidy
            return (consumer, true)
        }
        consumer?.resume()
        if mustTidy { reading.enqueue { [self] in tidy() } }
    }

    package func acknowledge(_ records: [StoredRecord]) {
        for record in records { acknowledge(record.offsets) }
    }

    private func tidy() {
        shell.withLock { $0.isTidying = false }
        do throws(StoreFailure) {
            try reader.tidy()
        } catch {
            world.log.warning(
                "delivered segments could not be removed",
                metadata: ["queue": "\(settings.name)", "error.kind": "\(error.code)"])
        }
    }

    /// Everything that was read and not acknowledged is read again, in order: after a consumer failed.
    package func rewind() {
        let consumer = shell.withLock { shell in
            shell.ready.removeAll()
            state.withLock { $0.rewind() }
            return shell.wake()
        }
        consumer?.resume()
    }

    /// Drops the oldest records that no consumer has, a segment at a time, until at least `bytes` of disk are given
    /// back or nothing is left.
    /// - Returns: what was dropped, for the counters and the log of the one who decided it.
    @discardableResult
    package func dropOldest(bytes: Int64) -> (events: Int, bytes: Int64) {
        let dropped = shell.withLock { shell in
            let ready = shell.ready.first?.offsets.lowerBound.position
            shell.ready.removeAll()
            let dropped = state.withLock { state in
                if let ready { state.unread(from: ready) }
                return state.dropOldest(bytes: bytes)
            }
            shell.counters.droppedEvents &+= UInt64(dropped.events)
            return dropped
        }
        reading.enqueue { [self] in
            try? reader.remove(dropped.segments)
            tidy()
        }
        return (dropped.events, dropped.bytes)
    }
}
