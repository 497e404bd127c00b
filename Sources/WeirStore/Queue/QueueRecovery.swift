import NIOCore
import WeirWorld

/// Opens a directory: what is there, what is damaged, where the consumer was. See "Opening" and "The cursor" in
/// SegmentFormat.swift.
struct QueueRecovery {
    let directory: QueueDirectory
    private(set) var report = RecoveryReport()

    init(_ directory: QueueDirectory) { self.directory = directory }

    /// The state to begin with; torn tails are cut and their segments sealed.
    /// - Returns: the state, and the generation of the cursor that was found.
    mutating func run() throws(StoreFailure) -> (state: QueueState, generation: UInt64) {
        let listing = try directory.list()
        try directory.remove(listing.empty)
        for name in listing.unusable {
            try directory.putAside(name)
            report.quarantinedFiles.append(name)
        }
        var segments: [QueueState.Segment] = []
        var isUnclean = false
        for found in listing.segments {
            if let footer = found.footer {
                segments.append(
                    found.state(
                        end: found.end, records: footer.records, events: footer.events, firstTime: footer.firstTime))
                continue
            }
            isUnclean = true
            if let segment = try recover(found) { segments.append(segment) }
        }
        let cursor = try attempt { () throws(FileFailure) in
            try CursorFile.read(directory.files, directory: directory.path)
        }
        var end = max(segments.last?.end ?? 0, cursor?.position ?? 0)
        if let last = listing.segments.last { end = max(end, last.end + UInt64(SegmentFormat.footerLength)) }
        if isUnclean { end = (end / SegmentFormat.positionStep + 2) * SegmentFormat.positionStep }
        let start = try start(cursor, segments)
        let state = QueueState(
            segments: segments, cursor: start.position, before: start.before, oldest: start.time, end: end,
            flights: FlightsFile(directory).take())
        report.segments = segments.count
        report.events = state.level.events
        report.bytes = state.level.bytes
        return (state, cursor?.generation ?? 0)
    }

    /// - Returns: `nil` when there is nothing in it.
    private mutating func recover(_ found: QueueDirectory.Found) throws(StoreFailure) -> QueueState.Segment? {
        let scan = try directory.scan(found)
        report.scannedSegments += 1
        report.damages += scan.damages
        report.tornBytes += scan.torn
        if scan.records == 0, scan.hasUnreadable {
            // Perhaps the disk gives it back another day.
            try directory.putAside(found.name)
            report.quarantinedFiles.append(found.name)
            return nil
        }
        var segment = found.state(
            end: scan.end, records: scan.records, events: scan.events, firstTime: scan.firstTime)
        do throws(StoreFailure) {
            segment.fileBytes = try directory.seal(found, scan)
        } catch {
            // A full or read-only disk must not keep the queue from draining: the segment is scanned again next time.
            if !error.isTransient { throw error }
        }
        if scan.records > 0 || scan.events > 0 { return segment }
        try directory.remove([found.name])
        return nil
    }

    private struct Start {
        var position: UInt64
        var before: UInt32
        var time: WallTime?
    }

    private mutating func start(
        _ cursor: CursorFile.Cursor?, _ segments: [QueueState.Segment]
    ) throws(StoreFailure) -> Start {
        guard let first = segments.first else { return Start(position: cursor?.position ?? 0, before: 0) }
        if let cursor {
            if let segment = segments.first(where: { $0.header.salt == cursor.salt && contains($0, cursor.position) }) {
                if cursor.position == segment.end { return Start(position: cursor.position, before: cursor.before) }
                if let record = try record(at: cursor.position, segment), record.before == cursor.before {
                    return Start(position: cursor.position, before: cursor.before, time: record.time)
                }
            }
            report.isCursorLost = true
        }
        return Start(position: first.header.start, before: 0, time: first.firstTime)
    }

    private func contains(_ segment: QueueState.Segment, _ position: UInt64) -> Bool {
        segment.header.start <= position && position <= segment.end
    }

    private func record(at position: UInt64, _ segment: QueueState.Segment) throws(StoreFailure) -> RecordHeader? {
        try attempt { () throws(FileFailure) in
            let file = try directory.files.open(directory.path(of: segment.name), .read)
            defer { file.close() }
            var segmentBytes = SegmentBytes(file, skipsUnreadable: true)
            let bytes = try segmentBytes.read(
                at: Int64(position - segment.header.base), count: RecordHeader.length)
            return bytes.withUnsafeReadableBytes { RecordHeader($0) }
        }
    }
}
