import NIOCore
import Synchronization
import WeirWorld

/// Appends to the newest segment. Synchronous: it runs on the queue's writing lane.
///
/// What it promises is in SegmentFormat.swift under "Writing".
// Unchecked: everything that changes is touched only on the writing lane; what others need goes through `state`.
final class SegmentWriter: @unchecked Sendable {
    struct Append: Sendable {
        var record: QueueRecord
        var done: @Sendable (Result<QueueOffset, StoreFailure>) -> Void
    }

    struct Open {
        var header: SegmentFormat.Header
        var file: any FileHandle
        /// File offset after the last written record; behind `synced` only until the next sync.
        var end: Int64
        var records: UInt32 = 0
        var events: UInt64 = 0
        var firstTime: WallTime?
        /// False until file and directory entry are durable.
        var isDurable = false
    }

    /// Written and not yet answered.
    struct Written {
        var append: Append
        var start: UInt64
        var end: UInt64
    }

    let directory: QueueDirectory
    let settings: QueueSettings
    let random: any RandomSource
    let state: SharedState
    private let encoder = RecordEncoder()
    var open: Open?
    private(set) var written: [Written] = []
    /// True while acknowledged bytes are not synced (`interval`, `memory`).
    var hasUnsynced = false
    /// After a failed sync, until one has worked: nothing is acknowledged without a sync, whatever `durability` says.
    var mustProve = false
    private var answered = (records: 0, events: 0)
    /// Why the last commit did not take everything; records that are too large by themselves aside.
    private(set) var failure: StoreFailure?
    /// Bytes that may be written before the free space is asked for again.
    var spaceChecked: Int64 = 0
    var syncFailures: UInt64 = 0
    /// Events of the open segment that a sync has covered (`interval`).
    var synced: UInt64 = 0
    /// Events that were acknowledged without a sync, and whose sync failed for good.
    var doubtfulEvents: UInt64 = 0

    /// Bytes coded before they are written: stays in the cache of one core.
    private static let runMost = 512 << 10
    /// The free space is asked for again after this many bytes.
    static let spaceStep: Int64 = 4 << 20

    init(directory: QueueDirectory, settings: QueueSettings, random: any RandomSource, state: SharedState) {
        self.directory = directory
        self.settings = settings
        self.random = random
        self.state = state
    }

    // MARK: Appending

    /// Writes all, syncs once where the settings ask for it, and answers all, in order.
    /// - Returns: what was answered with success.
    func commit(_ appends: [Append]) -> (records: Int, events: Int) {
        answered = (0, 0)
        failure = nil
        commitAll(appends)
        return answered
    }

    private func commitAll(_ appends: [Append]) {
        var index = 0
        while index < appends.count {
            let record = appends[index].record
            let bytes = RecordEncoder.bound(record)
            guard bytes <= RecordHeader.bodyMost, record.attributes.readableBytes <= RecordHeader.attributesMost,
                (0...RecordHeader.countMost).contains(record.count)
            else {
                appends[index].done(.failure(.recordTooLarge(bytes: bytes, limit: RecordHeader.bodyMost)))
                index += 1
                continue
            }
            do throws(StoreFailure) {
                index = try write(appends, from: index)
            } catch {
                // Those written before it are whole; everything behind it fails too, so that the order holds when it
                // is tried again.
                finish()
                failure = error
                for append in appends[index...] { append.done(.failure(error)) }
                return
            }
        }
        finish()
    }

    /// Writes as many as fit into one call. - Returns: the index after the last one written.
    private func write(_ appends: [Append], from first: Int) throws(StoreFailure) -> Int {
        try makeRoom(for: RecordEncoder.bound(appends[first].record))
        // What was written before this one may have been lost with its segment: nothing may overtake it.
        if let failure { throw failure }
        guard var segment = open else { throw .closed }
        encoder.clear()
        var index = first
        var records: [Written] = []
        var events = segment.events
        while index < appends.count {
            let record = appends[index].record
            let bound = RecordEncoder.bound(record)
            let end = segment.end + Int64(encoder.count)
            if index > first {
                if encoder.count + bound > SegmentWriter.runMost || end + Int64(bound) > Int64(settings.segmentSizeUsed)
                {
                    break
                }
                guard fits(record) else { break }
            }
            let position = segment.header.base + UInt64(end)
            let length = encoder.append(
                record, salt: segment.header.salt, position: position, before: UInt32(truncatingIfNeeded: events),
                compression: settings.compression)
            events += UInt64(record.count)
            records.append(Written(append: appends[index], start: position, end: position + UInt64(length)))
            index += 1
        }
        do throws(FileFailure) {
            try segment.file.write([encoder.written], at: segment.end)
        } catch {
            // What was written in part is cut off. Where even that fails, the next write goes over it.
            try? segment.file.truncate(to: segment.end)
            spaceChecked = 0
            throw StoreFailure(error)
        }
        segment.end += Int64(encoder.count)
        segment.events = events
        segment.records &+= UInt32(truncatingIfNeeded: records.count)
        segment.firstTime = segment.firstTime ?? records.first?.append.record.time
        spaceChecked -= Int64(encoder.count)
        open = segment
        written += records
        return index
    }

    private func fits(_ record: QueueRecord) -> Bool {
        record.attributes.readableBytes <= RecordHeader.attributesMost
            && (0...RecordHeader.countMost).contains(record.count)
            && RecordEncoder.bound(record) <= RecordHeader.bodyMost
    }

    /// Answers what was written, after the sync where one is asked for.
    func finish() {
        guard !written.isEmpty else { return }
        if settings.durability == .commit || mustProve {
            do throws(StoreFailure) {
                try syncOpen()
            } catch {
                rewrite(after: error)
                return
            }
        } else {
            hasUnsynced = true
        }
        answer()
    }

    private func answer() {
        guard let first = written.first, let last = written.last else { return }
        let events = written.reduce(0) { $0 + $1.append.record.count }
        state.withLock {
            $0.wrote(to: last.end, records: written.count, events: events, firstTime: first.append.record.time)
        }
        let done = written
        written = []
        answered.records += done.count
        answered.events += events
        for one in done { one.append.done(.success(QueueOffset(one.start))) }
    }

    /// After a failed sync nothing in this file can be trusted any more; what was not answered is still in memory.
    private func rewrite(after failure: StoreFailure) {
        let appends = written.map(\.append)
        abandon()
        var index = 0
        do throws(StoreFailure) {
            while index < appends.count { index = try write(appends, from: index) }
            try syncOpen()
        } catch {
            // A second failure in a row: the disk does not keep what it is given.
            abandon()
            self.failure = error
            for append in appends { append.done(.failure(error)) }
            return
        }
        answer()
    }

    /// Leaves the segment as it was at its last good sync.
    private func abandon() {
        written = []
        guard let segment = open else { return }
        open = nil
        let end = state.withLock { $0.segments.last?.end ?? segment.header.start }
        // The cut may be synced: what lies before it was synced well, and what lies behind must not come back beside
        // its copy.
        try? segment.file.truncate(to: Int64(end - segment.header.base))
        try? segment.file.sync()
        segment.file.close()
        state.withLock { state in
            state.sealedLast(fileBytes: Int64(end - segment.header.base))
            state.skip(to: segment.header.base + UInt64(segment.end))
        }
    }
}
