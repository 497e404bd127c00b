// The queue on disk.
//
// What it must do
//   · An append that was acknowledged is there after kill -9 and after a power cut, whole and in order.
//   · Whatever the disk does to a byte, no wrong event comes out: a damaged record is skipped, everything after it is
//     found again, and the loss is counted exactly where it can be.
//   · Opening costs two small reads a segment, and a scan of the one segment that was being written at the crash.
//   · Small batches stay small: 22 bytes a record.
//
// The directory
//   lock                held with flock by the one process that writes; readers need no lock
//   cursor              where the consumer is: a hint (below)
//   flights             what the consumer had beyond the cursor at a clean stop: a hint
//   BASE-SALT.segment   the records; BASE is 16 and SALT 8 hexadecimal digits
//   quarantine/         damaged bytes as they were found, for people; at most 16 MiB
//
// Positions
//   A record is named by its position: the number of bytes before it in the whole life of the queue. A segment holds
//   the positions from BASE on, so the byte at file offset n has the position BASE + n, and the next segment's BASE is
//   not below the end of the one before. Levels are differences of positions and cannot drift.
//   After an unclean stop the next segment's BASE leaves out at least a mebibyte: records that were lost unsynced
//   (`interval`, `memory`) may have been delivered under their position, and no position is given twice.
//
// A segment (all numbers little-endian)
//   offset 0     header, 32 bytes: magic "weirsegm" · version u16 · ~version u16 · salt u32 · base u64 · crc u32 ·
//                zero u32. crc is CRC32C of the 24 bytes before it. The version is written twice (once inverted), so
//                that a flipped bit is told from a newer format; only the latter refuses the queue.
//   offset 32    records, one after the other
//   at the end   footer, 48 bytes, once the segment is sealed: magic "weirseal" · base u64 · salt u32 · records u32 ·
//                events u64 · first time i64 · crc u32 · zero u32. crc covers the 40 bytes before it.
//
// A record
//   offset 0   marker u8 = 0xD7
//          1   kind u8                 opaque to the queue
//          2   count u24               events in the payload
//          5   time u40                hundredths of a second since 1970
//         10   length u28, flags u4    length of the body; flags: bits 0-1 compression (0 none, 1 lz4 block, 2 zstd
//                                      frame), bit 2 the body begins with attributes, bit 3 a filler that repair wrote
//                                      over a damaged range
//         14   before u32              events in this segment before this record
//         18   crc u32                 CRC32C of position u64, salt u32, bytes 0 ..< 18 and the body
//         22   body                    [attributes length u16, attributes] [length before compression u32] payload
//
//   Salt and position are part of the checksum but not of the record. A record therefore only counts where it was
//   written: a stale block of a file that was deleted before, a segment copied over another, or an event that contains
//   the bytes of a segment (somebody ships a queue directory as log) is no record here. The salt is random, so that a
//   sender cannot make such bytes on purpose.
//   `before` makes losses exact: after a gap the next record says how many events it swallowed, and the level is exact
//   from any record on.
//
// Name and header both carry base and salt. The header is believed when its checksum holds (files may have been
// renamed), else the name; when neither can be read, the file is moved to quarantine.
//
// Writing
//   All appends that wait are coded into one buffer and written with one call and, with `commit`, one fdatasync; then
//   all are answered. A new file is synced, and its directory too, before the first answer from it. When the write
//   fails (no space) the file is cut back to the last good end and the appends fail; the next one tries again. When the
//   sync fails, the kernel may already have dropped the dirty pages and a second sync would lie: the segment gets no
//   further record, and what was not answered is written again from memory into a new one, once; if that fails too, the
//   appends fail. An append that failed may still be found after a power cut that undid the cut.
//   With `interval` what was answered is not in memory any more: the segment is copied from the page cache to a new
//   file, which takes its name once every record in it was found whole and is synced. When that fails too, the queue
//   says how many events are in doubt and answers nothing more without a sync, until one has worked.
//
// Opening
//   Sealed segments: header and footer. A segment without footer is scanned; bytes after its last whole record are a
//   write that was cut off by the stop (or a truncation: both look the same, and both are reported as torn bytes). They
//   are copied to quarantine and cut off, and the segment is sealed. Nothing is ever appended to a file of an earlier
//   run.
//
// Resynchronising
//   Where a record should begin and none does, the scanner looks at every following byte for a marker whose header is
//   plausible (length within the segment, `before` not falling) and whose checksum holds. Lost is what lies between.
//   Blocks that the disk does not give back (EIO) count as zeros, and so as damage, but only while the disk still takes
//   a synced write: a disk that is gone as a whole makes the read fail, and nothing is given up.
//
// The cursor
//   Two slots of 48 bytes at offsets 0 and 4096, written in turn: generation u64 · position u64 · before u32 ·
//   salt u32 · "weircurs" · crc u32 of the 32 bytes before · 12 zero bytes. The valid slot with the higher generation
//   counts, and only when the segment with that salt exists and has a record (or its end) there; otherwise reading
//   begins at the oldest segment: duplicates, never a loss.
//   Records that were acknowledged above one that was not are kept over a clean restart only, in a file of their own
//   (FlightsFile.swift): duplicates again, at most what was in flight at a crash.
//
// Left out: an index (reads are sequential), preallocation (no gain with a sync a batch), encryption (the file system's
// job), several consumers (a queue belongs to one destination).

import CWeirSystem
import WeirWorld

/// Numbers and codes of the format above. Nothing here touches a file.
enum SegmentFormat {
    static let version: UInt16 = 1
    static let headerLength = 32
    static let footerLength = 48
    static let suffix = ".segment"
    /// Of a copy in the making, after the name of its segment.
    static let copySuffix = ".new"
    static let positionStep: UInt64 = 1 << 20

    struct Header: Hashable {
        var base: UInt64
        var salt: UInt32

        /// The first position of a record.
        var start: UInt64 { base + UInt64(headerLength) }
    }

    struct Footer: Hashable {
        var records: UInt32
        var events: UInt64
        var firstTime: WallTime
    }

    enum HeaderRead: Hashable {
        case valid(Header)
        case newer(UInt16)
        case damaged
    }

    static func name(_ header: Header) -> String {
        hexadecimal(header.base, 16) + "-" + hexadecimal(UInt64(header.salt), 8) + suffix
    }

    static func header(named name: String) -> Header? {
        guard name.hasSuffix(suffix) else { return nil }
        let parts = name.dropLast(suffix.count).split(separator: "-", omittingEmptySubsequences: false)
        guard parts.count == 2, parts[0].utf8.count == 16, parts[1].utf8.count == 8,
            let base = UInt64(parts[0], radix: 16), let salt = UInt32(parts[1], radix: 16), base < 1 << 62
        else { return nil }
        return Header(base: base, salt: salt)
    }

    static func encode(_ header: Header) -> [UInt8] {
        var bytes = ByteWriter()
        bytes.text("weirsegm")
        bytes.number(version)
        bytes.number(~version)
        bytes.number(header.salt)
        bytes.number(header.base)
        bytes.number(checksum(bytes.bytes))
        bytes.number(0 as UInt32)
        return bytes.bytes
    }

    static func decodeHeader(_ bytes: UnsafeRawBufferPointer) -> HeaderRead {
        guard bytes.count >= headerLength, bytes.prefix(8).elementsEqual("weirsegm".utf8) else { return .damaged }
        let found = bytes.number(at: 8, as: UInt16.self)
        guard found == ~bytes.number(at: 10, as: UInt16.self) else { return .damaged }
        if found > version { return .newer(found) }
        guard found == version, checksum(bytes.prefix(24)) == bytes.number(at: 24, as: UInt32.self) else {
            return .damaged
        }
        let base = bytes.number(at: 16, as: UInt64.self)
        guard base < 1 << 62 else { return .damaged }
        return .valid(Header(base: base, salt: bytes.number(at: 12, as: UInt32.self)))
    }

    static func encode(_ footer: Footer, of header: Header) -> [UInt8] {
        var bytes = ByteWriter()
        bytes.text("weirseal")
        bytes.number(header.base)
        bytes.number(header.salt)
        bytes.number(footer.records)
        bytes.number(footer.events)
        bytes.number(footer.firstTime.nanoseconds)
        bytes.number(checksum(bytes.bytes))
        bytes.number(0 as UInt32)
        return bytes.bytes
    }

    static func decodeFooter(_ bytes: UnsafeRawBufferPointer, of header: Header) -> Footer? {
        guard bytes.count == footerLength, bytes.prefix(8).elementsEqual("weirseal".utf8),
            bytes.number(at: 8, as: UInt64.self) == header.base, bytes.number(at: 16, as: UInt32.self) == header.salt,
            checksum(bytes.prefix(40)) == bytes.number(at: 40, as: UInt32.self)
        else { return nil }
        return Footer(
            records: bytes.number(at: 20, as: UInt32.self), events: bytes.number(at: 24, as: UInt64.self),
            firstTime: WallTime(nanoseconds: bytes.number(at: 32, as: Int64.self)))
    }

    static func checksum(_ bytes: some Collection<UInt8>) -> UInt32 {
        bytes.withContiguousStorageIfAvailable { weir_crc32c(0, $0.baseAddress, $0.count) }
            ?? Array(bytes).withUnsafeBytes { weir_crc32c(0, $0.baseAddress, $0.count) }
    }

    private static func hexadecimal(_ number: UInt64, _ width: Int) -> String {
        let digits = String(number, radix: 16)
        return String(repeating: "0", count: width - digits.count) + digits
    }
}

/// Little-endian numbers, for the small fixed structures.
struct ByteWriter {
    private(set) var bytes: [UInt8] = []

    mutating func text(_ text: String) { bytes.append(contentsOf: text.utf8) }

    mutating func number(_ number: some FixedWidthInteger) {
        withUnsafeBytes(of: number.littleEndian) { bytes.append(contentsOf: $0) }
    }
}

extension UnsafeRawBufferPointer {
    /// - Precondition: the number lies within the buffer.
    func number<Number: FixedWidthInteger>(at offset: Int, as type: Number.Type) -> Number {
        Number(littleEndian: loadUnaligned(fromByteOffset: offset, as: type))
    }
}
