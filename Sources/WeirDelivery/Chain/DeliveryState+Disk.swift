import DequeModule
import WeirFlow
import WeirGates
import WeirStore
import WeirWorld

extension DeliveryState {
    /// The queue was opened and holds so many events.
    mutating func openedDisk(events: Int64) {
        guard let queue = settings.queueInUse else { return }
        spill = SpillState(mode: queue.mode, after: queue.after)
        // An eighth of the queue at the most: what was read is in the workers' hands, where `drop_oldest` does not
        // reach.
        let aheadMost = min(max(2 * shape.bytesMost, 1 << 20), 8 << 20, max(65_536, bufferMost))
        var disk = DiskState(aheadMost: min(aheadMost, max(1, queue.maxSize.asInt / 8)))
        disk.enteredEvents = UInt64(max(0, events))
        disk.isReadOut = events <= 0
        counters.recoveredEvents = disk.enteredEvents
        self.disk = disk
        if events > 0 { spill?.recovered() }
    }

    // MARK: Writing

    /// True where what comes in goes to disk: the queue is engaged, and new events may not go round it.
    func writesNew(at now: Moment) -> Bool {
        guard let spill, spill.isEngaged else { return false }
        return settings.strictOrdering || spill.mode == .always || isPaused || trouble(at: now) != nil
            || level * 2 >= bufferMost
    }

    func wantsToWrite(at now: Moment) -> Bool {
        guard !waiting.isEmpty, let disk, phase != .ended, writesNew(at: now) else { return false }
        return disk.retryAt.map { now >= $0 && writing.isEmpty } ?? true
    }

    /// What is to be written next, in order; one parcel where the disk was in trouble.
    mutating func takeForDisk(at now: Moment) -> [Parcel] {
        guard wantsToWrite(at: now) else { return [] }
        let count = disk?.trouble == nil ? waiting.count : 1
        let parcels = Array(waiting.prefix(count))
        waiting.removeFirst(count)
        writing += parcels
        return parcels
    }

    /// Parcels that were taken for the disk and not given to it.
    mutating func notTried(_ parcels: ArraySlice<Parcel>) {
        let ids = Set(parcels.map(\.id))
        writing.removeAll { ids.contains($0.id) }
        putBack(Array(parcels))
    }

    /// The disk has a parcel.
    /// - Returns: its receipt, to be settled.
    mutating func wrote(_ id: UInt64, at now: Moment) -> Receipt? {
        guard let place = writing.firstIndex(where: { $0.id == id }) else { return nil }
        let parcel = writing.remove(at: place)
        leftBytes &+= UInt64(parcel.batch.byteCount)
        disk?.enteredEvents &+= UInt64(parcel.batch.count)
        disk?.isReadOut = false
        disk?.writes &+= 1
        disk?.worked()
        return parcel.receipt
    }

    /// The disk did not take a parcel.
    /// - Returns: its receipt when the parcel is dropped, as the operator wants it.
    mutating func notWritten(_ id: UInt64, _ failure: StoreFailure, isFull: Bool, at now: Moment) -> Receipt? {
        guard let place = writing.firstIndex(where: { $0.id == id }) else { return nil }
        var parcel = writing.remove(at: place)
        if case .recordTooLarge = failure {
            drop(parcel.batch.count, code: failure.code)
            leftBytes &+= UInt64(parcel.batch.byteCount)
            return parcel.receipt
        }
        if isFull && settings.queueInUse?.onFull == .dropNewest {
            drop(parcel.batch.count, code: failure.code)
            leftBytes &+= UInt64(parcel.batch.byteCount)
            // Said, but not waited for: what comes in next is tried, and dropped if it must be.
            disk?.trouble = nil
            return parcel.receipt
        }
        parcel.isOnDisk = false
        putBack([parcel])
        disk?.failed(failure.reason, at: now)
        return nil
    }

    /// The queue made room by giving up its oldest events, as the operator wants it.
    mutating func droppedOldest(_ events: Int, code: String) {
        drop(events, code: code)
        disk?.left(events)
    }

    // MARK: Reading

    func wantsToRead(at now: Moment) -> Bool {
        guard let disk, phase == .running, !disk.isReading, !disk.isReadOut, disk.aheadBytes < disk.aheadMost else {
            return false
        }
        // Nothing is read that could not be sent soon: while the receiver is away, one read-ahead for the probe is
        // enough.
        return spill?.isEngaged == true && (disk.backlog.isEmpty || !isPaused)
    }

    mutating func beginReading() -> (writes: UInt64, bytes: Int) {
        disk?.isReading = true
        guard let disk else { return (0, 1) }
        return (disk.writes, max(min(65_536, disk.aheadMost), disk.aheadMost - disk.aheadBytes))
    }

    /// Takes what was read. What is not a batch of ours is dropped and counted (`damaged`).
    /// - Returns: the records to acknowledge because nothing can be done with them.
    mutating func didRead(
        _ records: [StoredRecord], writes: UInt64, damaged: UInt64, at now: Moment, wall: WallTime
    ) -> [StoredRecord] {
        guard var state = disk else { return [] }
        disk = nil
        state.isReading = false
        if records.isEmpty && state.writes == writes { state.isReadOut = true }
        var useless: [StoredRecord] = []
        for record in records {
            guard let batch = BatchRecord.decode(record) else {
                useless.append(record)
                drop(record.count, code: "damaged")
                state.left(record.count)
                continue
            }
            let age = max(.zero, wall - record.time)
            state.backlog.append(
                Parcel(
                    id: record.offsets.lowerBound.position, batch: batch, receipt: nil, taken: now - age,
                    isOnDisk: true,
                    end: record.offsets.upperBound.position))
            state.aheadBytes += batch.byteCount
            state.openEvents &+= UInt64(batch.count)
        }
        let lost = damaged &- state.damagedEvents
        if damaged > state.damagedEvents {
            // The level that was recovered may have been a guess: never count more lost than is held.
            let known = min(Int64(clamping: lost), max(0, state.events - Int64(clamping: state.openEvents)))
            drop(Int(known), code: "damaged")
            state.left(Int(known))
            state.damagedEvents = damaged
        }
        disk = state
        return useless
    }

    mutating func readFailed(_ failure: StoreFailure, at now: Moment) {
        disk?.isReading = false
        disk?.failed(failure.reason, at: now)
    }
}
