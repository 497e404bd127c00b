import NIOCore
import WeirWorld

/// Reads on from the read position, and lets go of what is done with. Synchronous: it runs on the queue's reading lane.
// Unchecked: everything that changes is touched only on the reading lane; what others need goes through `state`.
final class SegmentReader: @unchecked Sendable {
    private let directory: QueueDirectory
    private let state: SharedState
    private let cursorFile: CursorFile
    private var open: (name: String, file: any FileHandle)?
    private var cursorWritten: UInt64

    /// The cursor is written again after this many acknowledged bytes, and whenever the queue is empty.
    private static let cursorStep: UInt64 = 1 << 20

    init(directory: QueueDirectory, state: SharedState, cursorFile: CursorFile) {
        self.directory = directory
        self.state = state
        self.cursorFile = cursorFile
        cursorWritten = state.withLock { $0.cursor }
    }

    struct Read: Sendable {
        var records: [StoredRecord] = []
        var damages: [RecoveryReport.Damage] = []
        /// The bookkeeping's epoch that the read belongs to; nothing of it counts once that has changed.
        var epoch: UInt64 = 0
    }

    /// At least one record when there is one, and about `bytes` in all. What the disk does not give back is damage.
    func read(bytes: Int) throws(StoreFailure) -> Read {
        do throws(StoreFailure) {
            return try read(bytes: bytes, skipsUnreadable: false)
        } catch {
            guard case .broken = error else { throw error }
            // A disk that still takes a write has a bad place. One that does not is gone as a whole, and its bytes may
            // come back with it: nothing is given up.
            do throws(StoreFailure) { try keepCursor() } catch let other { if !other.isFull { throw error } }
            return try read(bytes: bytes, skipsUnreadable: true)
        }
    }

    private func read(bytes: Int, skipsUnreadable: Bool) throws(StoreFailure) -> Read {
        guard let reading = state.withLock({ $0.reading }) else { return Read() }
        let segment = reading.segment
        let file = try handle(segment.name)
        let start = Int64(reading.position - segment.header.base)
        let limit = Int64(segment.end - segment.header.base)
        var scanner = SegmentScanner(
            file: file, header: segment.header, from: start, before: reading.before, limit: limit,
            chunk: max(64 << 10, min(bytes, 4 << 20)), keepsBodies: true, skipsUnreadable: skipsUnreadable)
        var read = Read(epoch: reading.epoch)
        var flights: [QueueState.Flight] = []
        var bytesRead = 0
        var lastTime = segment.firstTime ?? WallTime(nanoseconds: 0)
        repeat {
            guard let item = try attempt({ () throws(FileFailure) in try scanner.next() }) else { break }
            switch item {
            case .record(let header, let position, let body):
                lastTime = header.time
                let range = position..<(position + UInt64(header.recordLength))
                let record = StoredRecord(header, position: position, body: body)
                flights.append(
                    .init(
                        range: range, before: header.before, count: header.count, time: header.time,
                        isDone: record == nil))
                if let record {
                    read.records.append(record)
                    bytesRead += header.recordLength + record.payload.readableBytes / 2
                } else {
                    read.damages.append(damage(range, segment, header.count))
                }
            case .gap(let range, let events, let isKnown):
                // At the end the segment's own sum tells what is missing.
                let before = scanner.before &- UInt32(truncatingIfNeeded: events ?? 0)
                let count = events ?? max(0, Int(clamping: segment.events) - Int(before))
                flights.append(.init(range: range, before: before, count: count, time: lastTime, isDone: true))
                if !isKnown {
                    read.damages.append(damage(range, segment, count))
                    directory.quarantine(
                        name: segment.name, header: segment.header,
                        Int64(range.lowerBound - segment.header.base)..<Int64(range.upperBound - segment.header.base))
                }
            }
        } while bytesRead < bytes && (scanner.hasMore || read.records.isEmpty)
        let isAtEnd = scanner.offset >= scanner.limit
        guard let taken = state.withLock({ $0.read(flights, of: reading, nextTime: isAtEnd ? nil : lastTime) }) else {
            return Read()
        }
        read.damages.removeAll { $0.offsets.lowerBound.position < taken.known }
        if taken.isMine.contains(false) {
            // Acknowledged before a rewind: not the consumer's to see again.
            let seen = Set(zip(flights, taken.isMine).lazy.filter { $0.1 }.map { $0.0.range.lowerBound })
            read.records.removeAll { !seen.contains($0.offsets.lowerBound.position) }
        }
        return read
    }

    private func damage(_ range: Range<UInt64>, _ segment: QueueState.Segment, _ events: Int?) -> RecoveryReport.Damage
    {
        RecoveryReport.Damage(
            offsets: QueueOffset(range.lowerBound)..<QueueOffset(range.upperBound), segment: segment.name,
            events: events)
    }

    private func handle(_ name: String) throws(StoreFailure) -> any FileHandle {
        if let open, open.name == name { return open.file }
        closeFile()
        let file = try attempt { () throws(FileFailure) in try directory.files.open(directory.path(of: name), .read) }
        open = (name, file)
        return file
    }

    private func closeFile() {
        open?.file.close()
        open = nil
    }

    /// Removes the segments that are done with and writes the cursor where that is due.
    func tidy() throws(StoreFailure) {
        let (spent, cursor, isEmpty) = state.withLock { state in
            (state.removeSpent(), cursorNow(state), !state.hasUnread && state.flights.isEmpty)
        }
        if !spent.isEmpty || cursor.position >= cursorWritten + SegmentReader.cursorStep
            || (isEmpty && cursor.position != cursorWritten)
        {
            // Before the files go: the cursor then never points below what is there.
            try attempt { () throws(FileFailure) in
                try cursorFile.write(cursor)
                if !spent.isEmpty { try cursorFile.sync() }
            }
            cursorWritten = cursor.position
        }
        try remove(spent)
    }

    func remove(_ segments: [QueueState.Segment]) throws(StoreFailure) {
        if segments.isEmpty { return }
        if let open, segments.contains(where: { $0.name == open.name }) { closeFile() }
        try directory.remove(segments.map(\.name))
    }

    private func cursorNow(_ state: QueueState) -> CursorFile.Cursor {
        let segment = state.segments.first { $0.header.base <= state.cursor && state.cursor <= $0.end }
        return CursorFile.Cursor(position: state.cursor, before: state.cursorBefore, salt: segment?.header.salt ?? 0)
    }

    /// Makes the cursor durable as it is now.
    func keepCursor() throws(StoreFailure) {
        let cursor = state.withLock { cursorNow($0) }
        try attempt { () throws(FileFailure) in
            try cursorFile.write(cursor)
            try cursorFile.sync()
        }
        cursorWritten = cursor.position
    }

    /// Writes and syncs the cursor and closes the files.
    func close() {
        try? tidy()
        // Hints: without them the last records come twice.
        try? keepCursor()
        try? FlightsFile(directory).write(state.withLock { $0.flights })
        cursorFile.close()
        closeFile()
    }
}
