import NIOCore
import Testing
import WeirWires
import WeirWorld

@Suite struct CompressionTests {
    static func logs(_ lines: Int, seed: UInt64 = 1) -> ByteBuffer {
        var random = SplitMix(seed: seed)
        var bytes = ByteBuffer()
        for line in 0..<lines {
            bytes.writeString("{\"seq\":\(line),\"value\":\(random.next()),\"message\":\"user logged in\"}\n")
        }
        return bytes
    }

    @Test("What is packed comes out again", arguments: ContentCoding.allCases, [0, 1, 3, 5_000, 40_000])
    func roundTrip(coding: ContentCoding, lines: Int) throws {
        let bytes = Self.logs(lines)
        let packed = try Compression.encode(bytes, coding)
        #expect(try Compression.decode(packed, coding) == bytes)
        if lines > 1_000 { #expect(packed.readableBytes < bytes.readableBytes / 2) }
    }

    @Test("A stream may come in pieces of any size", arguments: ContentCoding.allCases, [1, 7, 1_000])
    func pieces(coding: ContentCoding, size: Int) throws {
        let bytes = Self.logs(200)
        let encoder = try CompressionEncoder(coding)
        var packed = ByteBuffer()
        var rest = bytes
        while let piece = rest.readSlice(length: min(size * 3, rest.readableBytes)), piece.readableBytes > 0 {
            try encoder.append(piece, to: &packed)
        }
        try encoder.finish(to: &packed)
        let decoder = try CompressionDecoder(coding)
        var plain = ByteBuffer()
        while let piece = packed.readSlice(length: min(size, packed.readableBytes)), piece.readableBytes > 0 {
            try decoder.append(piece, to: &plain)
        }
        try decoder.finish()
        #expect(plain == bytes)
    }

    @Test("A flush brings everything out before the end", arguments: ContentCoding.allCases)
    func flush(coding: ContentCoding) throws {
        let encoder = try CompressionEncoder(coding)
        let decoder = try CompressionDecoder(coding)
        let bytes = Self.logs(10)
        var packed = ByteBuffer()
        var plain = ByteBuffer()
        try encoder.append(bytes, to: &packed)
        try encoder.flush(to: &packed)
        try decoder.append(packed, to: &plain)
        #expect(plain == bytes)
        #expect(throws: CompressionFailure.truncated) { try decoder.finish() }
    }

    @Test("Several members or frames in a row are one stream", arguments: [ContentCoding.gzip, .zstd])
    func members(coding: ContentCoding) throws {
        var packed = try Compression.encode(ByteBuffer(string: "one\n"), coding)
        packed.writeImmutableBuffer(try Compression.encode(ByteBuffer(string: "two\n"), coding))
        #expect(try Compression.decode(packed, coding) == ByteBuffer(string: "one\ntwo\n"))
    }

    @Test("Deflate without its zlib header is read too")
    func rawDeflate() throws {
        // "hello" as one fixed-Huffman block, RFC 1951.
        let raw = ByteBuffer(bytes: [0xCB, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00])
        #expect(try Compression.decode(raw, .deflate) == ByteBuffer(string: "hello"))
    }

    @Test("A bomb ends at the size limit, and memory stays near it", arguments: ContentCoding.allCases)
    func sizeLimit(coding: ContentCoding) throws {
        let bomb = try Compression.encode(ByteBuffer(repeating: 0x61, count: 20_000_000), coding)
        let decoder = try CompressionDecoder(coding, limits: .init(bytesMost: 100_000, ratioMost: .max))
        var plain = ByteBuffer()
        #expect(throws: CompressionFailure.tooLarge(limit: 100_000)) { try decoder.append(bomb, to: &plain) }
        #expect(plain.readableBytes == 100_001)
    }

    @Test("A bomb ends at the ratio limit", arguments: ContentCoding.allCases)
    func ratioLimit(coding: ContentCoding) throws {
        let bomb = try Compression.encode(ByteBuffer(repeating: 0x61, count: 20_000_000), coding)
        let decoder = try CompressionDecoder(coding, limits: .init(ratioMost: 100, ratioFrom: 65_536))
        var plain = ByteBuffer()
        #expect(throws: CompressionFailure.tooDense(ratio: 100)) { try decoder.append(bomb, to: &plain) }
        #expect(plain.readableBytes < 20_000_000 / 2)
    }

    @Test("A small dense body passes", arguments: ContentCoding.allCases)
    func smallDense(coding: ContentCoding) throws {
        let bytes = ByteBuffer(repeating: 0x61, count: 900_000)
        #expect(try Compression.decode(try Compression.encode(bytes, coding), coding) == bytes)
    }

    @Test("A stream cut anywhere is truncated, never accepted", arguments: ContentCoding.allCases)
    func truncated(coding: ContentCoding) throws {
        let packed = try Compression.encode(Self.logs(5), coding)
        for length in 0..<packed.readableBytes {
            let part = try #require(packed.getSlice(at: packed.readerIndex, length: length))
            #expect(throws: CompressionFailure.self) { try Compression.decode(part, coding) }
        }
    }

    @Test("A stream with any byte changed does not crash, and gzip and zstd see it", arguments: ContentCoding.allCases)
    func flipped(coding: ContentCoding) throws {
        let bytes = Self.logs(5)
        let packed = try Compression.encode(bytes, coding)
        for place in 0..<packed.readableBytes {
            var damaged = packed
            let byte = try #require(damaged.getInteger(at: place, as: UInt8.self))
            damaged.setInteger(byte ^ 0x55, at: place)
            let result = try? Compression.decode(damaged, coding)
            // Header bytes of gzip (time, system, name flags) carry no content.
            if let result { #expect(result == bytes) }
        }
    }

    @Test("Noise is refused", arguments: ContentCoding.allCases)
    func noise(coding: ContentCoding) throws {
        var random = SplitMix(seed: 7)
        for _ in 0..<300 {
            let bytes = ByteBuffer(bytes: (0..<64).map { _ in UInt8(truncatingIfNeeded: random.next()) })
            #expect(throws: CompressionFailure.self) { try Compression.decode(bytes, coding) }
        }
    }
}
