import WeirWorld

/// Segments: begun when there is none with room, sealed when they are full or spent.
extension SegmentWriter {
    /// Makes sure that a segment is open with room for so many bytes, and that the disk keeps its reserve.
    func makeRoom(for bytes: Int) throws(StoreFailure) {
        try checkSpace(for: bytes)
        if let segment = open {
            let isFull = segment.end + Int64(bytes) > Int64(settings.segmentSizeUsed) && segment.records > 0
            // `before` and the record count have 32 bits.
            let isCounted = segment.events > UInt64(UInt32.max - 1 << 25)
            let isSpent = segment.end > Int64(settings.segmentSizeUsed / 2) && state.withLock { $0.lastIsSpent }
            if !isFull, !isCounted, !isSpent { return }
            if !written.isEmpty {
                // What is in this segment is answered first; a failed sync opens another one, so look again.
                finish()
                return try makeRoom(for: bytes)
            }
            seal()
        }
        if open == nil { try begin() }
    }

    private func checkSpace(for bytes: Int) throws(StoreFailure) {
        if settings.minFree == 0 || spaceChecked >= Int64(bytes) { return }
        let space = try attempt { () throws(FileFailure) in try directory.files.space(directory.path) }
        let reserve = settings.reserve(of: space.total)
        let room = space.free - reserve
        guard room >= Int64(bytes) else {
            throw .noSpace(
                "\(directory.path): \(space.free) bytes are free on the file system, and \(reserve) of them stay free"
            )
        }
        spaceChecked = min(room, max(SegmentWriter.spaceStep, Int64(bytes)))
    }

    private func begin() throws(StoreFailure) {
        let base = state.withLock { $0.end }
        let header = SegmentFormat.Header(base: base, salt: UInt32(truncatingIfNeeded: random.next()))
        let name = SegmentFormat.name(header)
        let file = try attempt { () throws(FileFailure) in
            let file = try directory.files.open(directory.path(of: name), .write(create: true, exclusive: true))
            do throws(FileFailure) {
                try file.write(SegmentFormat.encode(header), at: 0)
            } catch {
                file.close()
                try? directory.files.remove(directory.path(of: name))
                throw error
            }
            return file
        }
        open = Open(header: header, file: file, end: Int64(SegmentFormat.headerLength))
        synced = 0
        state.withLock {
            $0.began(
                QueueState.Segment(
                    header: header, name: name, end: header.start, isSealed: false,
                    fileBytes: Int64(SegmentFormat.headerLength)))
        }
    }

    /// Closes the open segment with its footer. When the footer cannot be written the segment is scanned at the next
    /// start.
    func seal() {
        // What was acknowledged without a sync is proven first; when that fails, this is called again.
        if hasUnsynced, settings.durability != .memory, (try? syncNow()) == nil { return }
        guard let segment = open else { return }
        let footer = SegmentFormat.Footer(
            records: segment.records, events: segment.events, firstTime: segment.firstTime ?? WallTime(nanoseconds: 0))
        var length = segment.end
        do throws(FileFailure) {
            try segment.file.write(SegmentFormat.encode(footer, of: segment.header), at: segment.end)
            length += Int64(SegmentFormat.footerLength)
        } catch {
            try? segment.file.truncate(to: segment.end)
        }
        open = nil
        defer { segment.file.close() }
        state.withLock { $0.sealedLast(fileBytes: length) }
        guard settings.durability != .memory else { return }
        do throws(FileFailure) {
            try segment.file.sync()
        } catch {
            // Every answered record was synced before; only the footer is in doubt, and it is a convenience.
            syncFailures &+= 1
        }
    }

    /// Seals the open segment; an empty one is left to the next opening.
    func close() {
        guard let segment = open else { return }
        if segment.records == 0 {
            open = nil
            segment.file.close()
            state.withLock { $0.sealedLast(fileBytes: segment.end) }
            return
        }
        seal()
    }
}
