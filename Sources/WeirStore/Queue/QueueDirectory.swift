import NIOCore
import WeirWorld

/// The files of one queue: finds, reads, seals and removes segments, and keeps damaged bytes. It holds nothing open.
struct QueueDirectory: Sendable {
    static let lockName = "lock"
    static let quarantineName = "quarantine"
    static let quarantineMost: Int64 = 16 << 20

    let path: String
    let files: any FileSystem

    func path(of name: String) -> String { path + "/" + name }

    /// A segment as it was found, before its records were looked at.
    struct Found {
        var header: SegmentFormat.Header
        var name: String
        var length: Int64
        var footer: SegmentFormat.Footer?
        /// File offset after the last byte that may belong to a record.
        var limit: Int64

        var end: UInt64 { header.base + UInt64(limit) }

        func state(end: UInt64, records: UInt32, events: UInt64, firstTime: WallTime?) -> QueueState.Segment {
            QueueState.Segment(
                header: header, name: name, end: end, records: records, events: events, firstTime: firstTime,
                isSealed: true,
                fileBytes: length)
        }
    }

    struct Listing {
        /// Ascending by base, without overlap.
        var segments: [Found] = []
        /// Segment files that cannot be used as such.
        var unusable: [String] = []
        /// Files without a record that counts: made, or copied, when the power went.
        var empty: [String] = []
    }

    /// What one scan of a segment saw.
    struct Scan {
        var records: UInt32 = 0
        var events: UInt64 = 0
        var firstTime: WallTime?
        var lastTime: WallTime?
        /// Position after the last whole record.
        var end: UInt64
        var damages: [RecoveryReport.Damage] = []
        /// Bytes after `end` that are no record.
        var torn: Int64 = 0
        /// True when the disk did not give something back.
        var hasUnreadable = false
        /// Ranges that an earlier repair wrote over.
        var fillers: [RecoveryReport.Damage] = []
    }

    // MARK: Looking

    /// Reads the header and footer of every segment.
    func list() throws(StoreFailure) -> Listing {
        var listing = Listing()
        for name in try attempt({ () throws(FileFailure) in try files.list(path) }) {
            if name.hasSuffix(SegmentFormat.suffix + SegmentFormat.copySuffix) { listing.empty.append(name) }
            guard name.hasSuffix(SegmentFormat.suffix) else { continue }
            try look(at: name, &listing)
        }
        listing.segments.sort { ($0.header.base, $0.name) < ($1.header.base, $1.name) }
        putAsideOverlaps(&listing)
        return listing
    }

    private func look(at name: String, _ listing: inout Listing) throws(StoreFailure) {
        let path = path(of: name)
        guard let status = try attempt({ () throws(FileFailure) in try files.status(path) }), status.kind == .file
        else { return }
        guard status.length > SegmentFormat.headerLength else {
            listing.empty.append(name)
            return
        }
        let file = try attempt { () throws(FileFailure) in try files.open(path, .read) }
        defer { file.close() }
        // Where one of the two cannot be read, the name and a scan say what it would have said.
        var bytes = SegmentBytes(file, skipsUnreadable: true)
        let start = try attempt { () throws(FileFailure) in try bytes.read(at: 0, count: SegmentFormat.headerLength) }
        let header: SegmentFormat.Header
        switch start.withUnsafeReadableBytes({ SegmentFormat.decodeHeader($0) }) {
        case .valid(let found): header = found
        case .newer(let version):
            throw .newerFormat(
                "\(path) has format version \(version), written by a newer Weir; this one knows version "
                    + "\(SegmentFormat.version). Nothing was changed: start the newer Weir, or move the directory away."
            )
        case .damaged:
            guard let named = SegmentFormat.header(named: name) else {
                listing.unusable.append(name)
                return
            }
            header = named
        }
        var found = Found(header: header, name: name, length: status.length, limit: status.length)
        let footerPlace = status.length - Int64(SegmentFormat.footerLength)
        if footerPlace >= Int64(SegmentFormat.headerLength) {
            let end = try attempt { () throws(FileFailure) in
                try bytes.read(at: footerPlace, count: SegmentFormat.footerLength)
            }
            found.footer = end.withUnsafeReadableBytes { SegmentFormat.decodeFooter($0, of: header) }
            if found.footer != nil { found.limit = footerPlace }
        }
        listing.segments.append(found)
    }

    // A copy of a segment under another name has the same header: the one whose name is right stays. A file that has
    // grown over the beginning of the next one is read up to there.
    private func putAsideOverlaps(_ listing: inout Listing) {
        var kept: [Found] = []
        for found in listing.segments {
            guard let last = kept.last, found.header.base < last.end else {
                kept.append(found)
                continue
            }
            if found.header.base > last.header.base {
                kept[kept.count - 1].limit = Int64(found.header.base - last.header.base)
                kept.append(found)
            } else if found.header == last.header, SegmentFormat.name(found.header) == found.name {
                listing.unusable.append(last.name)
                kept[kept.count - 1] = found
            } else {
                listing.unusable.append(found.name)
            }
        }
        listing.segments = kept
    }

    /// Reads a segment whole.
    func scan(_ found: Found) throws(StoreFailure) -> Scan {
        let file = try attempt { () throws(FileFailure) in try files.open(path(of: found.name), .read) }
        defer { file.close() }
        var scanner = SegmentScanner(file: file, header: found.header, limit: found.limit, keepsBodies: false)
        var scan = Scan(end: found.header.start)
        while let item = try attempt({ () throws(FileFailure) in try scanner.next() }) {
            switch item {
            case .record(let record, _, _):
                scan.records &+= 1
                scan.firstTime = scan.firstTime ?? record.time
                scan.lastTime = record.time
                scan.end = scanner.position
            case .gap(let range, let events, true):
                scan.fillers.append(damage(range, found, events))
                scan.end = scanner.position
            case .gap(let range, let events, false):
                if scanner.offset < scanner.limit {
                    scan.damages.append(damage(range, found, events))
                } else {
                    scan.torn = Int64(range.count)
                }
            }
        }
        scan.events = UInt64(scanner.before)
        scan.hasUnreadable = scanner.hasUnreadable
        // A footer tells what was there even where the end of the records is gone. And what cannot be read now is no
        // torn write: it is not cut off, and may be read another day.
        if scan.torn > 0, found.footer != nil || scan.hasUnreadable {
            let lost = found.footer.map { max(0, Int(clamping: $0.events) - Int(scan.events)) }
            scan.damages.append(damage(scan.end..<found.end, found, lost))
            scan.torn = 0
            scan.end = found.end
        }
        if let footer = found.footer { scan.events = max(scan.events, footer.events) }
        return scan
    }

    private func damage(_ range: Range<UInt64>, _ found: Found, _ events: Int?) -> RecoveryReport.Damage {
        RecoveryReport.Damage(
            offsets: QueueOffset(range.lowerBound)..<QueueOffset(range.upperBound), segment: found.name, events: events)
    }

    // MARK: Changing

    /// Makes the directory, durably.
    func prepare() throws(StoreFailure) {
        try attempt { () throws(FileFailure) in
            var made: [String] = []
            var above = path
            while try files.status(above) == nil {
                let slash = above.lastIndex(of: "/")
                above = slash.map { $0 == above.startIndex ? "/" : String(above[..<$0]) } ?? "."
                made.append(above)
            }
            if made.isEmpty { return }
            try files.makeDirectory(path)
            for directory in made { try files.syncDirectory(directory) }
        }
    }

    /// - Throws: `locked` when another owner has it.
    func lock() throws(StoreFailure) -> any FileLock {
        let lock = try attempt { () throws(FileFailure) in try files.lock(path(of: QueueDirectory.lockName)) }
        guard let lock else { throw .locked("\(path) belongs to a running Weir") }
        return lock
    }

    /// Closes a segment of an earlier run: what follows its last record is kept aside and cut off, and the footer is
    /// written.
    /// - Returns: the segment's length on disk.
    func seal(_ found: Found, _ scan: Scan) throws(StoreFailure) -> Int64 {
        let end = Int64(scan.end - found.header.base)
        if found.length > end { quarantine(found, end..<found.length) }
        return try attempt { () throws(FileFailure) in
            let file = try files.open(path(of: found.name), .write(create: false, exclusive: false))
            defer { file.close() }
            try file.truncate(to: end)
            let footer = SegmentFormat.Footer(
                records: scan.records, events: scan.events, firstTime: scan.firstTime ?? WallTime(nanoseconds: 0))
            try file.write(SegmentFormat.encode(footer, of: found.header), at: end)
            try file.sync()
            return end + Int64(SegmentFormat.footerLength)
        }
    }

    /// Copies damaged bytes to a side file; says nothing when it cannot, because the loss is reported anyway.
    func quarantine(_ found: Found, _ range: Range<Int64>) { quarantine(name: found.name, header: found.header, range) }

    func quarantine(name: String, header: SegmentFormat.Header, _ range: Range<Int64>) {
        let place = path(of: QueueDirectory.quarantineName)
        do throws(FileFailure) {
            try files.makeDirectory(place)
            var kept: Int64 = 0
            for name in try files.list(place) { kept += try files.status(place + "/" + name)?.length ?? 0 }
            let count = min(Int64(range.count), QueueDirectory.quarantineMost - kept)
            guard count > 0 else { return }
            let source = try files.open(path(of: name), .read)
            defer { source.close() }
            let target = try files.open(
                place + "/\(name)-at-\(range.lowerBound).bytes", .write(create: true, exclusive: false))
            defer { target.close() }
            var found = SegmentBytes(source, skipsUnreadable: true)
            var done: Int64 = 0
            while done < count {
                let bytes = try found.read(at: range.lowerBound + done, count: Int(min(count - done, 1 << 20)))
                if bytes.readableBytes == 0 { break }
                try target.write(Array(bytes.readableBytesView), at: done)
                done += Int64(bytes.readableBytes)
            }
        } catch {
            return
        }
    }

    /// Moves a file that is no segment out of the way.
    func putAside(_ name: String) throws(StoreFailure) {
        let place = path(of: QueueDirectory.quarantineName)
        try attempt { () throws(FileFailure) in
            try files.makeDirectory(place)
            var target = place + "/" + name
            while try files.status(target) != nil { target += "+" }
            try files.rename(path(of: name), to: target)
            try files.syncDirectory(path)
        }
    }

    func remove(_ names: [String]) throws(StoreFailure) {
        if names.isEmpty { return }
        try attempt { () throws(FileFailure) in
            for name in names {
                do throws(FileFailure) {
                    try files.remove(path(of: name))
                } catch {
                    if error.kind != .missing { throw error }
                }
            }
            try files.syncDirectory(path)
        }
    }
}

/// Turns what the file system says into what the store says.
func attempt<Value>(_ body: () throws(FileFailure) -> Value) throws(StoreFailure) -> Value {
    do throws(FileFailure) { return try body() } catch { throw StoreFailure(error) }
}
