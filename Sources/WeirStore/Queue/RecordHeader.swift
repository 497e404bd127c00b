import CWeirSystem
import WeirWorld

/// The 22 bytes before each body; see SegmentFormat.swift.
struct RecordHeader: Hashable {
    static let length = 22
    static let marker: UInt8 = 0xD7
    static let bodyMost = 1 << 27
    static let countMost = 1 << 24 - 1
    static let attributesMost = 65_535

    struct Flags: OptionSet, Hashable {
        var rawValue: UInt8
        static let attributes = Flags(rawValue: 4)
        static let filler = Flags(rawValue: 8)
        var compression: UInt8 { rawValue & 3 }
    }

    var kind: UInt8
    var count: Int
    /// Hundredths of a second since 1970, 40 bits.
    var centiseconds: UInt64
    var bodyLength: Int
    var flags: Flags
    /// Events in the segment before this record.
    var before: UInt32
    var checksum: UInt32 = 0

    var time: WallTime { WallTime(nanoseconds: Int64(centiseconds) &* 10_000_000) }
    /// With the header.
    var recordLength: Int { RecordHeader.length + bodyLength }

    static func centiseconds(_ time: WallTime) -> UInt64 {
        UInt64(clamping: time.nanoseconds / 10_000_000) & 0xFF_FFFF_FFFF
    }

    /// Writes all but the checksum into the first 18 bytes.
    func encode(into bytes: UnsafeMutableRawBufferPointer) {
        bytes[0] = RecordHeader.marker
        bytes[1] = kind
        bytes[2] = UInt8(truncatingIfNeeded: count)
        bytes[3] = UInt8(truncatingIfNeeded: count >> 8)
        bytes[4] = UInt8(truncatingIfNeeded: count >> 16)
        for place in 0..<5 { bytes[5 + place] = UInt8(truncatingIfNeeded: centiseconds >> (8 * UInt64(place))) }
        let length = UInt32(truncatingIfNeeded: bodyLength) | UInt32(flags.rawValue) << 28
        bytes.storeBytes(of: length.littleEndian, toByteOffset: 10, as: UInt32.self)
        bytes.storeBytes(of: before.littleEndian, toByteOffset: 14, as: UInt32.self)
    }

    static func encode(checksum: UInt32, into bytes: UnsafeMutableRawBufferPointer) {
        bytes.storeBytes(of: checksum.littleEndian, toByteOffset: 18, as: UInt32.self)
    }

    /// `nil` where no record can begin. Does not look at the checksum.
    init?(_ bytes: UnsafeRawBufferPointer) {
        guard bytes.count >= RecordHeader.length, bytes[0] == RecordHeader.marker else { return nil }
        kind = bytes[1]
        count = Int(bytes[2]) | Int(bytes[3]) << 8 | Int(bytes[4]) << 16
        centiseconds = (0..<5).reduce(0) { $0 | UInt64(bytes[5 + $1]) << (8 * UInt64($1)) }
        let length = bytes.number(at: 10, as: UInt32.self)
        bodyLength = Int(length & 0x0FFF_FFFF)
        flags = Flags(rawValue: UInt8(length >> 28))
        before = bytes.number(at: 14, as: UInt32.self)
        checksum = bytes.number(at: 18, as: UInt32.self)
        guard bodyLength > 0, bodyLength <= RecordHeader.bodyMost, flags.compression != 3 else { return nil }
    }

    init(kind: UInt8, count: Int, time: WallTime, bodyLength: Int, flags: Flags, before: UInt32) {
        self.kind = kind
        self.count = count
        centiseconds = RecordHeader.centiseconds(time)
        self.bodyLength = bodyLength
        self.flags = flags
        self.before = before
    }

    /// The checksum's beginning: what binds a record to its place.
    static func seed(salt: UInt32, position: UInt64) -> UInt32 {
        var bytes: (UInt64, UInt32) = (position.littleEndian, salt.littleEndian)
        // 12 bytes: the tuple has no padding before its end.
        return withUnsafeBytes(of: &bytes) { weir_crc32c(0, $0.baseAddress, 12) }
    }

    /// The whole record's checksum where header and body stand in one piece.
    static func checksum(of record: UnsafeRawBufferPointer, salt: UInt32, position: UInt64) -> UInt32 {
        let head = weir_crc32c(seed(salt: salt, position: position), record.baseAddress, 18)
        return weir_crc32c(head, record.baseAddress?.advanced(by: length), record.count - length)
    }
}
