import CWeirSystem
import NIOCore
import Testing
import WeirWorld

@testable import WeirStore

@Suite struct SegmentFormatTests {
    private let header = SegmentFormat.Header(base: 0x0123_4567_89AB, salt: 0xDEAD_BEEF)

    @Test("CRC-32C gives the values of RFC 3720, by instruction and by table")
    func checksums() {
        let zeros = [UInt8](repeating: 0, count: 32)
        let ones = [UInt8](repeating: 0xFF, count: 32)
        let rising = (0..<32).map { UInt8($0) }
        #expect(weir_crc32c(0, Array("123456789".utf8), 9) == 0xE306_9283)
        #expect(weir_crc32c(0, zeros, 32) == 0x8A91_36AA)
        #expect(weir_crc32c(0, ones, 32) == 0x62A8_AB43)
        #expect(weir_crc32c(0, rising, 32) == 0x46DD_794E)
        #expect(weir_crc32c_portable(0, rising, 32) == 0x46DD_794E)
    }

    @Test("Both CRC-32C agree for every length around the lanes, in one piece and in two")
    func lanes() {
        var random = SplitMix(seed: 7)
        let bytes = (0..<40_000).map { _ in UInt8(truncatingIfNeeded: random.next()) }
        for length in Array(0...800) + [12_287, 12_288, 12_289, 13_055, 13_056, 24_576, 25_343, 40_000] {
            let whole = weir_crc32c(0, bytes, length)
            #expect(whole == weir_crc32c_portable(0, bytes, length))
            let cut = length / 3
            let rest = bytes.withUnsafeBytes { all in
                weir_crc32c(weir_crc32c(0, all.baseAddress, cut), all.baseAddress.map { $0 + cut }, length - cut)
            }
            #expect(whole == rest)
        }
    }

    @Test("Header, footer and name come back as they were written")
    func roundTrip() {
        let bytes = SegmentFormat.encode(header)
        #expect(bytes.count == SegmentFormat.headerLength)
        #expect(bytes.withUnsafeBytes { SegmentFormat.decodeHeader($0) } == .valid(header))
        #expect(SegmentFormat.header(named: SegmentFormat.name(header)) == header)
        let footer = SegmentFormat.Footer(records: 7, events: 1 << 40, firstTime: WallTime(nanoseconds: -5))
        let end = SegmentFormat.encode(footer, of: header)
        #expect(end.count == SegmentFormat.footerLength)
        #expect(end.withUnsafeBytes { SegmentFormat.decodeFooter($0, of: header) } == footer)
        #expect(end.withUnsafeBytes { SegmentFormat.decodeFooter($0, of: .init(base: 1, salt: 2)) } == nil)
    }

    @Test("No flipped bit in a header makes another header, or a newer version, of it")
    func flippedHeader() {
        let good = SegmentFormat.encode(header)
        for bit in 0..<(28 * 8) {
            var bytes = good
            bytes[bit / 8] ^= 1 << (bit % 8)
            #expect(bytes.withUnsafeBytes { SegmentFormat.decodeHeader($0) } == .damaged, "bit \(bit)")
        }
    }

    @Test("A newer version is told from damage")
    func newer() {
        var bytes = SegmentFormat.encode(header)
        bytes[8] = 9
        bytes[10] = ~9
        #expect(bytes.withUnsafeBytes { SegmentFormat.decodeHeader($0) } == .newer(9))
    }

    @Test(
        "Names that are no segment are none",
        arguments: [
            "", "x.segment", "0-0.segment", "0123456789abcdef-0123456.segment", "zzzzzzzzzzzzzzzz-00000000.segment",
            "ffffffffffffffff-00000000.segment",
        ])
    func names(_ name: String) {
        #expect(SegmentFormat.header(named: name) == nil)
    }

    @Test("The cursor comes back; zeros and flipped bits are no cursor")
    func cursor() {
        let cursor = CursorFile.Cursor(generation: 3, position: 1 << 40, before: 77, salt: 5)
        let good = CursorFile.encode(cursor)
        #expect(good.withUnsafeBytes { CursorFile.decode($0) } == cursor)
        #expect([UInt8](repeating: 0, count: 48).withUnsafeBytes { CursorFile.decode($0) } == nil)
        for bit in 0..<(36 * 8) {
            var bytes = good
            bytes[bit / 8] ^= 1 << (bit % 8)
            #expect(bytes.withUnsafeBytes { CursorFile.decode($0) } == nil, "bit \(bit)")
        }
    }

    @Test(
        "A record comes back whole, packed or not",
        arguments: [QueueSettings.Compression.none, .lz4, .zstd], [0, 1, 100, 70_000])
    func records(_ compression: QueueSettings.Compression, _ size: Int) throws {
        for (attributes, pieces) in [("", 1), ("source=edge", 1), ("a", 3)] {
            let payload = ByteBuffer(
                string: String(String(repeating: "all work and no play ", count: size / 20 + 1).prefix(size)))
            let record = QueueRecord(
                payload: Array(repeating: payload, count: pieces), count: 12_345, kind: 9,
                attributes: ByteBuffer(string: attributes), time: WallTime(nanoseconds: 1_700_000_000_550_000_000))
            let encoder = RecordEncoder()
            let length = encoder.append(record, salt: 1, position: 99, before: 4, compression: compression)
            #expect(length == encoder.count)
            #expect(length <= RecordEncoder.bound(record))
            if compression != .none, size == 70_000 { #expect(length < size / 10) }
            let bytes = ByteBuffer(bytes: encoder.written)
            let header = try #require(bytes.withUnsafeReadableBytes { RecordHeader($0) })
            #expect(header.before == 4)
            #expect(
                header.checksum
                    == bytes.withUnsafeReadableBytes { RecordHeader.checksum(of: $0, salt: 1, position: 99) })
            #expect(
                header.checksum
                    != bytes.withUnsafeReadableBytes { RecordHeader.checksum(of: $0, salt: 2, position: 99) })
            #expect(
                header.checksum
                    != bytes.withUnsafeReadableBytes { RecordHeader.checksum(of: $0, salt: 1, position: 98) })
            let body = try #require(bytes.getSlice(at: RecordHeader.length, length: header.bodyLength))
            let stored = try #require(StoredRecord(header, position: 99, body: body))
            #expect(stored.payload == record.payload.reduce(into: ByteBuffer()) { $0.writeImmutableBuffer($1) })
            #expect(stored.attributes == record.attributes)
            #expect(stored.count == 12_345)
            #expect(stored.kind == 9)
            #expect(stored.time == record.time)
            #expect(stored.offsets == QueueOffset(99)..<QueueOffset(99 + UInt64(length)))
        }
    }

    @Test("A packed body that lies about its length is refused, not believed")
    func lyingLength() {
        var body = ByteBuffer()
        body.writeInteger(UInt32.max, endianness: .little)
        body.writeString("nonsense")
        for flags in [1, 2] as [UInt8] {
            let header = RecordHeader(
                kind: 0, count: 1, time: WallTime(nanoseconds: 0), bodyLength: body.readableBytes,
                flags: .init(rawValue: flags),
                before: 0)
            #expect(StoredRecord(header, position: 0, body: body) == nil)
        }
    }
}
