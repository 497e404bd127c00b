import Glibc
import NIOCore
package import WeirWorld

/// Looks into a queue's directory from outside: for `weir queue ls|peek|verify|repair|export`. All calls block.
///
/// Looking needs no lock and also works while a Weir runs on the directory; a write in progress then shows as torn
/// bytes at the end of the newest segment. Only `repair` wants to be the owner.
package struct QueueInspection: Sendable {
    private let directory: QueueDirectory

    package init(directory: String, files: any FileSystem) {
        self.directory = QueueDirectory(path: directory, files: files)
    }

    /// One file of the queue.
    package struct Segment: Sendable, Hashable {
        package var name: String
        package var first: QueueOffset
        package var records: Int
        package var events: Int64
        package var fileBytes: Int64
        package var firstTime: WallTime?
        /// False for the one being written, and for one that a crash left.
        package var isSealed: Bool
    }

    package struct Survey: Sendable, Hashable {
        package var segments: [Segment] = []
        /// The lowest record that is not acknowledged; `nil` when the cursor is lost, and all counts as unacknowledged.
        package var cursor: QueueOffset?
        /// Not acknowledged: events and bytes of records.
        package var events: Int64 = 0
        package var bytes: Int64 = 0
        package var diskBytes: Int64 = 0
        package var oldest: WallTime?
        /// What verification found; always empty for `survey` but for segments that had to be scanned.
        package var damages: [RecoveryReport.Damage] = []
        package var tornBytes: Int64 = 0
        /// Ranges that an earlier repair gave up.
        package var repaired: [RecoveryReport.Damage] = []
        package var unusableFiles: [String] = []

        package var isSound: Bool { damages.isEmpty && tornBytes == 0 && unusableFiles.isEmpty }
    }

    /// What there is, from headers and footers; unsealed segments are read.
    /// - Throws: `newerFormat`, and what the file system says.
    package func survey() throws(StoreFailure) -> Survey { try survey(readsAll: false) }

    /// Reads every record and says what is damaged.
    package func verify() throws(StoreFailure) -> Survey { try survey(readsAll: true) }

    private func survey(readsAll: Bool) throws(StoreFailure) -> Survey {
        let listing = try directory.list()
        let cursor = try attempt { () throws(FileFailure) in
            try CursorFile.read(directory.files, directory: directory.path)
        }
        var survey = Survey(unusableFiles: listing.unusable)
        let start = listing.segments.firstIndex {
            $0.header.salt == cursor?.salt && $0.header.base <= cursor?.position ?? 0
        }
        if let cursor, start != nil || listing.segments.isEmpty { survey.cursor = QueueOffset(cursor.position) }
        for (index, found) in listing.segments.enumerated() {
            var segment = Segment(
                name: found.name, first: QueueOffset(found.header.start), records: Int(found.footer?.records ?? 0),
                events: Int64(clamping: found.footer?.events ?? 0), fileBytes: found.length,
                firstTime: found.footer?.firstTime,
                isSealed: found.footer != nil)
            var end = found.end
            if readsAll || found.footer == nil {
                guard let scan = try scan(found) else { continue }
                if found.footer == nil { segment.records = Int(scan.records) }
                segment.events = Int64(clamping: scan.events)
                segment.firstTime = scan.firstTime
                end = scan.end
                survey.damages += scan.damages
                survey.tornBytes += scan.torn
                survey.repaired += scan.fillers
            }
            survey.segments.append(segment)
            survey.diskBytes += segment.fileBytes
            guard index >= start ?? 0 else { continue }
            survey.events += segment.events
            survey.bytes += Int64(end - found.header.start)
            if index == start, let cursor {
                survey.events -= Int64(cursor.before)
                survey.bytes -= Int64(min(cursor.position, end) - min(found.header.start, cursor.position))
            }
        }
        try? walk(limit: 1) { record in
            survey.oldest = record.time
            return false
        }
        return survey
    }

    // A running Weir may have removed it since it was listed.
    private func scan(_ found: QueueDirectory.Found) throws(StoreFailure) -> QueueDirectory.Scan? {
        do throws(StoreFailure) {
            return try directory.scan(found)
        } catch {
            if isGone(found.name) { return nil }
            throw error
        }
    }

    private func isGone(_ name: String) -> Bool {
        (try? directory.files.status(directory.path(of: name))) == .some(nil)
    }

    /// Hands over records in order, from the cursor on (or from the oldest that is still there).
    /// - Parameters:
    ///   - start: the first offset wanted; the cursor unless told.
    ///   - limit: at most so many records.
    ///   - body: false ends the walk.
    package func walk(
        from start: QueueOffset? = nil, everything: Bool = false, limit: Int = .max,
        _ body: (StoredRecord) throws -> Bool
    ) throws {
        let cursor = try CursorFile.read(directory.files, directory: directory.path)
        let listing = try directory.list()
        var from = start?.position ?? 0
        if start == nil, !everything, let cursor,
            listing.segments.contains(where: { $0.header.salt == cursor.salt && $0.header.base <= cursor.position })
        {
            from = cursor.position
        }
        var left = limit
        for found in listing.segments where found.end > from {
            guard let file = try? directory.files.open(directory.path(of: found.name), .read) else {
                if isGone(found.name) { continue }
                throw StoreFailure.broken("\(found.name) cannot be opened")
            }
            defer { file.close() }
            var scanner = SegmentScanner(
                file: file, header: found.header,
                from: max(Int64(SegmentFormat.headerLength), Int64(clamping: from) - Int64(found.header.base)),
                limit: found.limit,
                chunk: 256 << 10, keepsBodies: true)
            while left > 0, let item = try scanner.next() {
                guard case .record(let header, let position, let bytes) = item,
                    let record = StoredRecord(header, position: position, body: bytes)
                else { continue }
                left -= 1
                if try !body(record) { return }
            }
            if left == 0 { return }
        }
    }

    /// The record at an offset; `nil` when there is none.
    package func record(at offset: QueueOffset) throws -> StoredRecord? {
        var found: StoredRecord?
        try walk(from: offset, limit: 1) { record in
            if record.offsets.lowerBound == offset { found = record }
            return false
        }
        return found
    }

    // MARK: Repair

    /// Makes the directory sound: torn tails are cut and sealed, unusable files put aside, damaged ranges kept in
    /// `quarantine/` and written over by fillers, so that they are met only once.
    /// - Throws: `locked` while a Weir runs on it.
    package func repair() throws(StoreFailure) -> RecoveryReport {
        let lock = try directory.lock()
        defer { lock.release() }
        var recovery = QueueRecovery(directory)
        _ = try recovery.run()
        var report = recovery.report
        // What recovery saw in unsealed segments is seen again here, now that they are sealed.
        report.damages = []
        for found in try directory.list().segments {
            let scan = try directory.scan(found)
            for damage in scan.damages {
                report.damages.append(damage)
                try fill(damage, found)
            }
        }
        return report
    }

    private func fill(_ damage: RecoveryReport.Damage, _ found: QueueDirectory.Found) throws(StoreFailure) {
        let from = Int64(damage.offsets.lowerBound.position - found.header.base)
        let to = Int64(damage.offsets.upperBound.position - found.header.base)
        directory.quarantine(found, from..<to)
        let before = try eventsBefore(from, found)
        try attempt { () throws(FileFailure) in
            let file = try directory.files.open(directory.path(of: found.name), .write(create: false, exclusive: false))
            defer { file.close() }
            var place = from
            var isFirst = true
            while place < to {
                // In pieces of 16 MiB; none is left shorter than a record can be.
                let rest = Int(to - place)
                let length = rest <= 16 << 20 ? rest : min(16 << 20, rest - 64)
                let lost = min(damage.events ?? 0, RecordHeader.countMost)
                let bytes = filler(
                    length: length, count: isFirst ? lost : 0, before: isFirst ? before : before &+ UInt32(lost),
                    salt: found.header.salt, position: found.header.base + UInt64(place))
                try file.write(bytes, at: place)
                place += Int64(length)
                isFirst = false
            }
            try file.sync()
        }
    }

    private func eventsBefore(_ offset: Int64, _ found: QueueDirectory.Found) throws(StoreFailure) -> UInt32 {
        try attempt { () throws(FileFailure) in
            let file = try directory.files.open(directory.path(of: found.name), .read)
            defer { file.close() }
            var scanner = SegmentScanner(file: file, header: found.header, limit: offset, keepsBodies: false)
            while try scanner.next() != nil {}
            return scanner.before
        }
    }

    private func filler(length: Int, count: Int, before: UInt32, salt: UInt32, position: UInt64) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: length)
        let header = RecordHeader(
            kind: 0, count: count, time: WallTime(nanoseconds: 0), bodyLength: length - RecordHeader.length,
            flags: .filler,
            before: before)
        bytes.withUnsafeMutableBytes { bytes in
            header.encode(into: bytes)
            RecordHeader.encode(
                checksum: RecordHeader.checksum(of: UnsafeRawBufferPointer(bytes), salt: salt, position: position),
                into: bytes)
        }
        return bytes
    }
}

extension DurableQueue {
    /// The oldest records that are not acknowledged, without taking them.
    package func peek(limit: Int) async throws(StoreFailure) -> [StoredRecord] {
        try await records(from: nil, limit: limit) { _ in true }
    }

    /// Records from an offset (the cursor unless told) on, without taking them.
    /// - Parameter wanted: which; the others do not count for the limit.
    package func records(
        from start: QueueOffset?, limit: Int, where wanted: @escaping @Sendable (StoredRecord) -> Bool
    ) async throws(StoreFailure) -> [StoredRecord] {
        let start = max(start ?? cursor, cursor)
        let result: Result<[StoredRecord], StoreFailure> = await reading.answer { [self] in
            var records: [StoredRecord] = []
            do {
                try QueueInspection(directory: directory, files: world.files).walk(from: start) { record in
                    if wanted(record) { records.append(record) }
                    return records.count < limit
                }
            } catch let failure as StoreFailure {
                return .failure(failure)
            } catch let failure as FileFailure {
                return .failure(StoreFailure(failure))
            } catch {
                return .failure(.broken("\(error)"))
            }
            return .success(records)
        }
        return try result.get()
    }

    /// The lowest record that is not acknowledged.
    package var cursor: QueueOffset { QueueOffset(state.withLock { $0.cursor }) }

    /// Where the next record goes, or beyond.
    package var end: QueueOffset { QueueOffset(state.withLock { $0.end }) }

    /// The files, for people; from memory.
    package var segments: [QueueInspection.Segment] {
        state.withLock { state in
            state.segments.map {
                QueueInspection.Segment(
                    name: $0.name, first: QueueOffset($0.header.start), records: Int($0.records),
                    events: Int64(clamping: $0.events), fileBytes: $0.fileBytes, firstTime: $0.firstTime,
                    isSealed: $0.isSealed)
            }
        }
    }
}
