internal import Logging
import Synchronization
import WeirFlow
import WeirGates
import WeirStore
import WeirWorld

extension DeliveryChain {
    /// Opens the queue where there is one.
    func openDisk() async throws {
        guard let queueDirectory, let own = settings.queueInUse else { return }
        let settings = WeirStore.QueueSettings(
            name: name, segmentSize: own.segmentSizeInUse.asInt, maxSize: own.maxSize.bytes,
            durability: own.durability.stored, compression: own.compress.stored, minFree: own.minFree?.bytes)
        let queue = try await DurableQueue.open(directory: queueDirectory + "/queue", settings: settings, world: world)
        let level = queue.level
        disk.withLock { $0 = queue }
        change { shared, _, _ in shared.state.openedDisk(events: level.events) }
        if level.events > 0 {
            world.log.notice(
                "A disk queue has events of an earlier run; they are delivered first.",
                metadata: ["gate": "\(name)", "queue.events": "\(level.events)", "queue.bytes": "\(level.bytes)"])
        }
    }

    var queue: DurableQueue? { disk.withLock { $0 } }

    /// Writes what must go to disk, in order. One task does it, so that the order of taking is the order on disk; it
    /// does not wait for one write before it gives the next, so that one sync serves all.
    func write() async {
        guard let queue else { return }
        while !Task.isCancelled {
            let failures = queue.writeFailures
            let parcels = change { shared, now, _ in shared.state.takeForDisk(at: now) }
            for (place, parcel) in parcels.enumerated()
            where !append(parcel, to: queue, unlessFailedSince: failures) {
                // A smaller one might still fit, but it must not overtake.
                change { shared, _, _ in shared.state.notTried(parcels[(place + 1)...]) }
                break
            }
            if parcels.isEmpty {
                if shared.withLock({ $0.state.phase == .ended }) { return }
                await writeAlarm.wait()
            }
        }
    }

    /// - Returns: false where it must wait for room.
    @discardableResult
    func append(_ parcel: Parcel, to queue: DurableQueue, unlessFailedSince failures: UInt64? = nil) -> Bool {
        let onFull = settings.queueInUse?.onFull ?? .block
        let size = parcel.batch.byteCount
        if size > queue.settings.maxSize {
            // One event that will never fit must not stop those behind it.
            let limit = Int(clamping: queue.settings.maxSize)
            written(parcel.id, .failure(.recordTooLarge(bytes: size, limit: limit)))
            return true
        }
        if !queue.hasRoom(for: size) {
            if onFull == .dropOldest { dropOldest(of: queue, bytes: size, code: "queue_full") }
            if !queue.hasRoom(for: size) {
                written(parcel.id, .failure(.noSpace("The queue has reached its max_size.")), code: "queue_full")
                return onFull == .dropNewest
            }
        }
        let pieces = BatchRecord.pieces(parcel.batch)
        let wall = world.time.wall
        guard pieces.count > 1 else {
            queue.append(BatchRecord.encode(parcel.batch, at: wall), unlessFailedSince: failures) { result in
                self.written(parcel.id, result.map { _ in () })
            }
            return true
        }
        // The answers come in order: the last one is good only if all are, since a failure fails what waits behind it.
        // Should an earlier piece have been kept, it is a duplicate, not a loss.
        let box = FailureBox()
        for (place, piece) in pieces.enumerated() {
            let isLast = place == pieces.count - 1
            queue.append(BatchRecord.encode(piece, at: wall), unlessFailedSince: failures) { result in
                if case .failure(let failure) = result { box.set(failure) }
                if isLast { self.written(parcel.id, box.failure.map { .failure($0) } ?? .success(())) }
            }
        }
        return true
    }

    /// Called on the queue's thread.
    private func written(_ id: UInt64, _ result: Result<Void, StoreFailure>, code: String? = nil) {
        if case .failure(let failure) = result, settings.queueInUse?.onFull == .dropOldest, failure.isFull, code == nil,
            let queue
        {
            // The file system is full before `max_size` is: the oldest go, and the next attempt finds their room.
            dropOldest(
                of: queue, bytes: Int(clamping: Int64(settings.queueInUse?.segmentSizeInUse.bytes ?? 65_536)),
                code: "disk_full")
        }
        let receipt = change { shared, now, _ -> Receipt? in
            switch result {
            case .success: return shared.state.wrote(id, at: now)
            case .failure(let failure):
                return shared.state.notWritten(id, failure, isFull: failure.isFull, at: now)
            }
        }
        receipt?.settle(.kept)
        lookAtDisk()
    }

    /// Now and then, where the queue changes: a look at its size, for the forecast.
    private func lookAtDisk() {
        let now = world.time.now
        guard shared.withLock({ $0.state.disk?.heldTrend.wantsLook(at: now) ?? false }), let level = queue?.level else {
            return
        }
        shared.withLock { $0.state.disk?.saw(level, at: now) }
    }

    private func dropOldest(of queue: DurableQueue, bytes: Int, code: String) {
        let dropped = queue.dropOldest(bytes: Int64(bytes))
        guard dropped.events > 0 else { return }
        change { shared, _, _ in shared.state.droppedOldest(dropped.events, code: code) }
        world.log.error(
            "A full disk queue dropped its oldest events.",
            metadata: ["gate": "\(name)", "dropped.events": "\(dropped.events)", "dropped.bytes": "\(dropped.bytes)"])
    }

    /// Reads the backlog back, ahead of the workers.
    func read() async {
        guard let queue else { return }
        while !Task.isCancelled {
            let order = change { shared, now, _ -> (writes: UInt64, bytes: Int)? in
                shared.state.wantsToRead(at: now) ? shared.state.beginReading() : nil
            }
            guard let order else {
                if shared.withLock({ $0.state.phase == .ended }) { return }
                await readAlarm.wait()
                continue
            }
            do throws(StoreFailure) {
                let records = try await queue.readNow(maxBytes: order.bytes)
                let damaged = queue.counters.damagedEvents
                let wall = world.time.wall
                let useless = change { shared, now, _ in
                    shared.state.didRead(records, writes: order.writes, damaged: damaged, at: now, wall: wall)
                }
                queue.acknowledge(useless)
                lookAtDisk()
            } catch {
                change { shared, now, _ in shared.state.readFailed(error, at: now) }
                if shared.withLock({ $0.state.phase == .ended }) { return }
                do { try await world.time.sleep(for: .milliseconds(250)) } catch { return }
            }
        }
    }

    /// At the end, when the workers have gone: what is in memory goes to disk, and the queue is closed.
    func closeDisk() async {
        guard let queue else { return }
        let rest = change { shared, _, _ in shared.state.takeRest() }
        for parcel in rest { append(parcel, to: queue) }
        await queue.close()
    }

    func acknowledge(_ done: [Range<UInt64>]) {
        guard !done.isEmpty, let queue else { return }
        for range in done { queue.acknowledge(QueueOffset(range.lowerBound)..<QueueOffset(range.upperBound)) }
    }
}

/// The first failure of several appends.
private final class FailureBox: Sendable {
    private let first = Mutex<StoreFailure?>(nil)
    func set(_ failure: StoreFailure) { first.withLock { if $0 == nil { $0 = failure } } }
    var failure: StoreFailure? { first.withLock { $0 } }
}

extension DurabilitySetting {
    var stored: WeirStore.QueueSettings.Durability {
        switch self {
        case .commit: .commit
        case .memory: .memory
        case .interval(let duration): .interval(duration)
        }
    }
}

extension DiskQueueSettings.Compression {
    var stored: WeirStore.QueueSettings.Compression {
        switch self {
        case .none: .none
        case .lz4: .lz4
        case .zstd: .zstd
        }
    }
}
