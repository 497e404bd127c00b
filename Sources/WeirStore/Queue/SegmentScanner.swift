import CWeirSystem
import Glibc
import NIOCore
import WeirWorld

/// Walks over the records of one segment and finds its way again after damage. Confined to whoever made it.
struct SegmentScanner {
    enum Item {
        /// A record whose checksum holds. The body shares the window's memory.
        case record(RecordHeader, position: UInt64, body: ByteBuffer)
        /// Bytes that are no record, up to the next one or to the limit. `events` is how many they held, `nil` when
        /// nothing after them can tell. `isKnown` is true for a filler: it was reported when it was repaired.
        case gap(Range<UInt64>, events: Int?, isKnown: Bool)
    }

    let header: SegmentFormat.Header
    /// File offset after the last byte that may belong to a record.
    let limit: Int64
    /// File offset of the next record.
    private(set) var offset: Int64
    /// Events in the segment before `offset`.
    private(set) var before: UInt32
    private var bytes: SegmentBytes
    /// False for recovery and verification, which only look: big bodies are then summed up in pieces and never held.
    private let keepsBodies: Bool
    private let chunk: Int
    private var window = ByteBuffer()
    private var windowStart: Int64 = 0

    init(
        file: any FileHandle, header: SegmentFormat.Header, from offset: Int64 = Int64(SegmentFormat.headerLength),
        before: UInt32 = 0, limit: Int64, chunk: Int = 1 << 20, keepsBodies: Bool, skipsUnreadable: Bool = true
    ) {
        bytes = SegmentBytes(file, skipsUnreadable: skipsUnreadable)
        self.header = header
        self.offset = offset
        self.before = before
        self.limit = limit
        self.chunk = max(chunk, 4096)
        self.keepsBodies = keepsBodies
    }

    var position: UInt64 { header.base + UInt64(offset) }

    /// True when the disk did not give something back, which was then taken for damage.
    var hasUnreadable: Bool { bytes.unreadable > 0 }

    /// True when `next` can answer from what was read already.
    var hasMore: Bool {
        let rest = Int(windowStart) + window.readableBytes - Int(offset)
        guard offset >= windowStart, rest >= RecordHeader.length else { return false }
        let found = window.withUnsafeReadableBytes { bytes in
            RecordHeader(UnsafeRawBufferPointer(rebasing: bytes[Int(offset - windowStart)...]))
        }
        return found.map { $0.recordLength <= rest } ?? true
    }

    /// - Returns: `nil` at the limit.
    mutating func next() throws(FileFailure) -> Item? {
        guard offset < limit else { return nil }
        if let found = try record(at: offset) { return try take(found) }
        let start = position
        var candidate = offset + 1
        while let place = try marker(from: candidate) {
            if let found = try record(at: place) {
                offset = place
                let lost = Int(found.before &- before)
                before = found.before
                return .gap(start..<position, events: lost, isKnown: false)
            }
            candidate = place + 1
        }
        offset = limit
        return .gap(start..<position, events: nil, isKnown: false)
    }

    private mutating func take(_ found: RecordHeader) throws(FileFailure) -> Item {
        let start = position
        let place = offset
        offset += Int64(found.recordLength)
        before = found.before &+ UInt32(found.count)
        if found.flags.contains(.filler) { return .gap(start..<position, events: found.count, isKnown: true) }
        guard keepsBodies else { return .record(found, position: start, body: ByteBuffer()) }
        guard try load(found.recordLength, at: place),
            let body = window.getSlice(
                at: window.readerIndex + Int(place - windowStart) + RecordHeader.length, length: found.bodyLength)
        else { return .gap(start..<position, events: found.count, isKnown: false) }
        return .record(found, position: start, body: body)
    }

    /// The header of a record that begins at a place and whose checksum holds.
    private mutating func record(at place: Int64) throws(FileFailure) -> RecordHeader? {
        guard place + Int64(RecordHeader.length) <= limit, try load(RecordHeader.length, at: place) else { return nil }
        let found = window.withUnsafeReadableBytes { bytes in
            RecordHeader(UnsafeRawBufferPointer(rebasing: bytes[Int(place - windowStart)...]))
        }
        guard let found, place + Int64(found.recordLength) <= limit, found.before >= before,
            try checksum(of: found, at: place) == found.checksum
        else { return nil }
        return found
    }

    private mutating func checksum(of found: RecordHeader, at place: Int64) throws(FileFailure) -> UInt32? {
        let position = header.base + UInt64(place)
        // A header that is only noise may claim a body of 128 MiB: it is summed up in pieces before anything that big
        // is held.
        if found.recordLength > chunk { return try checksumInPieces(of: found, at: place, position: position) }
        guard try load(found.recordLength, at: place) else { return nil }
        return window.withUnsafeReadableBytes { bytes in
            let start = Int(place - windowStart)
            return RecordHeader.checksum(
                of: UnsafeRawBufferPointer(rebasing: bytes[start..<(start + found.recordLength)]), salt: header.salt,
                position: position)
        }
    }

    private mutating func checksumInPieces(
        of found: RecordHeader, at place: Int64, position: UInt64
    ) throws(FileFailure) -> UInt32? {
        var sum = RecordHeader.seed(salt: header.salt, position: position)
        var done = 0
        while done < found.recordLength {
            // The 4 bytes of the checksum itself are left out.
            if done == 18 { done = RecordHeader.length }
            let count = done < 18 ? 18 : min(256 << 10, found.recordLength - done)
            let piece = try bytes.read(at: place + Int64(done), count: count)
            guard piece.readableBytes == count else { return nil }
            sum = piece.withUnsafeReadableBytes { weir_crc32c(sum, $0.baseAddress, $0.count) }
            done += count
        }
        return sum
    }

    /// The next place at or after `place` with a marker byte and room for a header.
    private mutating func marker(from place: Int64) throws(FileFailure) -> Int64? {
        var place = place
        while place + Int64(RecordHeader.length) <= limit {
            guard try load(RecordHeader.length, at: place) else { return nil }
            let start = Int(place - windowStart)
            let found: Int? = window.withUnsafeReadableBytes { bytes in
                guard let base = bytes.baseAddress,
                    let hit = memchr(base + start, Int32(RecordHeader.marker), bytes.count - start)
                else { return nil }
                return base.distance(to: UnsafeRawPointer(hit))
            }
            if let found { return windowStart + Int64(found) }
            place = windowStart + Int64(window.readableBytes)
        }
        return nil
    }

    /// Makes the window hold `count` bytes at a place; false when the file ends before.
    private mutating func load(_ count: Int, at place: Int64) throws(FileFailure) -> Bool {
        let end = windowStart + Int64(window.readableBytes)
        if place >= windowStart, place + Int64(count) <= end { return true }
        let wanted = Int(min(Int64(max(count, chunk)), limit - place))
        window = try bytes.read(at: place, count: wanted)
        windowStart = place
        return window.readableBytes >= count
    }
}
