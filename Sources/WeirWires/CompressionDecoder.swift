import CZlib
import CZstd
package import NIOCore

/// Unpacks a stream piece by piece. What comes out is bounded in bytes and in proportion to what went in, before it is
/// made, so that a bomb costs no more memory than an honest body.
///
/// `@unchecked Sendable`: the handle of the C library has one owner, who calls from one thread at a time.
package final class CompressionDecoder: @unchecked Sendable {
    package struct Limits: Sendable, Hashable {
        /// Most bytes that may come out. Default 64 MiB.
        package var bytesMost: Int
        /// Most bytes that may come out for each byte that went in, once more than `ratioFrom` came out. Default 200;
        /// logs reach 10 to 50, deflate can do 1032.
        package var ratioMost: Int
        /// Below this the ratio does not matter: a short body of equal lines is dense and harmless. Default 1 MiB.
        package var ratioFrom: Int

        package init(bytesMost: Int = 64 << 20, ratioMost: Int = 200, ratioFrom: Int = 1 << 20) {
            self.bytesMost = bytesMost
            self.ratioMost = ratioMost
            self.ratioFrom = ratioFrom
        }
    }

    private enum Handle {
        case zlib(UnsafeMutablePointer<z_stream>)
        case zstd(OpaquePointer)
    }
    private let coding: ContentCoding
    private let limits: Limits
    private var handle: Handle?
    /// True between two members or frames, where the stream may end.
    private var isComplete = false
    package private(set) var bytesIn = 0
    package private(set) var bytesOut = 0
    /// Bytes up to the end of the last whole member or frame.
    package private(set) var bytesInWhole = 0

    package init(_ coding: ContentCoding, limits: Limits = .init()) throws(CompressionFailure) {
        self.coding = coding
        self.limits = limits
        switch coding {
        case .gzip: handle = .zlib(try Self.inflater(window: 15 + 16))
        // Which of the two kinds of deflate it is shows in the first byte.
        case .deflate: handle = nil
        case .zstd:
            guard let context = ZSTD_createDCtx() else { throw .unavailable }
            // 8 MiB of window is what a decoder of HTTP bodies must take, and may stop at (RFC 9659).
            _ = ZSTD_DCtx_setParameter(context, ZSTD_d_windowLogMax, 23)
            handle = .zstd(context)
        }
    }

    deinit {
        switch handle {
        case .zlib(let stream):
            _ = inflateEnd(stream)
            stream.deallocate()
        case .zstd(let context): _ = ZSTD_freeDCtx(context)
        case nil: break
        }
    }

    /// Packed bytes that were given and not yet unpacked.
    private var pending = ByteBuffer()
    /// The library may hold more than it had room to give.
    private var mayHoldMore = false

    package var pendingBytes: Int { pending.readableBytes }
    /// True while `take` may bring more without another `give`.
    package var hasMore: Bool { pending.readableBytes > 0 || mayHoldMore }

    /// Puts packed bytes in line; nothing is unpacked yet.
    package func give(_ bytes: ByteBuffer) {
        bytesIn += bytes.readableBytes
        if pending.readableBytes == 0 { pending = bytes } else { pending.writeImmutableBuffer(bytes) }
    }

    /// Unpacks what was given and appends about `most` bytes of it to `plain`, or all if that is less.
    package func take(into plain: inout ByteBuffer, most: Int = .max) throws(CompressionFailure) {
        guard hasMore else { return }
        let handle: Handle
        if let known = self.handle {
            handle = known
        } else {
            guard let first = pending.getInteger(at: pending.readerIndex, as: UInt8.self) else { return }
            handle = .zlib(try Self.deflater(first))
        }
        self.handle = handle
        let (consumed, failure) = pending.withUnsafeReadableBytes { input in
            switch handle {
            case .zlib(let stream): inflateSome(stream, input, &plain, most)
            case .zstd(let context): zstdSome(context, input, &plain, most)
            }
        }
        pending.moveReaderIndex(forwardBy: consumed)
        if pending.readableBytes == 0 { pending = ByteBuffer() }
        if let failure { throw failure }
    }

    /// Takes packed bytes and appends what comes out to `plain`.
    package func append(_ bytes: ByteBuffer, to plain: inout ByteBuffer) throws(CompressionFailure) {
        give(bytes)
        try take(into: &plain)
    }

    /// Says that nothing more comes.
    /// - Throws: `.truncated` in the middle of a stream; an empty stream is truncated too.
    package func finish() throws(CompressionFailure) {
        if !isComplete { throw .truncated }
    }

    private static let stepBytes = 65_536

    private static func inflater(window: Int32) throws(CompressionFailure) -> UnsafeMutablePointer<z_stream> {
        // zlib keeps a pointer back to its stream, so the stream must not move.
        let stream = UnsafeMutablePointer<z_stream>.allocate(capacity: 1)
        stream.initialize(to: z_stream())
        guard inflateInit2_(stream, window, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK else {
            stream.deallocate()
            throw .unavailable
        }
        return stream
    }

    // A zlib header begins with method 8 in the low four bits; as raw deflate that would be a stored block with a bit
    // set in its padding, which no encoder writes.
    private static func deflater(_ first: UInt8) throws(CompressionFailure) -> UnsafeMutablePointer<z_stream> {
        try inflater(window: first & 0x0F == 8 ? 15 : -15)
    }

    /// How many bytes one step may make: one more than allowed, so that the excess shows.
    private var stepMost: Int {
        var most = limits.bytesMost - bytesOut
        if bytesOut >= limits.ratioFrom || limits.ratioFrom < limits.bytesMost {
            let (product, overflow) = bytesIn.multipliedReportingOverflow(by: limits.ratioMost)
            most = min(most, max(overflow ? .max : product, limits.ratioFrom) - bytesOut)
        }
        return min(max(most, 0) + 1, Self.stepBytes)
    }

    private var excess: CompressionFailure? {
        if bytesOut > limits.bytesMost { return .tooLarge(limit: limits.bytesMost) }
        if bytesOut > limits.ratioFrom, bytesOut / max(bytesIn, 1) >= limits.ratioMost {
            return .tooDense(ratio: limits.ratioMost)
        }
        return nil
    }

    /// - Returns: how much of the input was taken, and why it went no further.
    private func inflateSome(
        _ stream: UnsafeMutablePointer<z_stream>, _ input: UnsafeRawBufferPointer, _ plain: inout ByteBuffer,
        _ outMost: Int
    ) -> (consumed: Int, CompressionFailure?) {
        guard input.count <= Int(Int32.max) else { return (0, .tooLarge(limit: Int(Int32.max))) }
        stream.pointee.next_in = UnsafeMutablePointer(mutating: input.bindMemory(to: UInt8.self).baseAddress)
        stream.pointee.avail_in = UInt32(input.count)
        defer { stream.pointee.next_in = nil }
        var left: Int { Int(stream.pointee.avail_in) }
        var out = 0
        mayHoldMore = false
        while true {
            if isComplete {
                guard left > 0 else { return (input.count, nil) }
                // Several gzip members in a row are one file (RFC 1952 section 2.2); zlib streams are not.
                guard coding == .gzip else { return (input.count - left, .corrupt("data after the end")) }
                guard inflateReset(stream) == Z_OK else { return (input.count - left, .unavailable) }
                isComplete = false
            }
            if out >= outMost {
                mayHoldMore = true
                return (input.count - left, nil)
            }
            var code = Z_OK
            let most = stepMost
            let written = plain.writeWithUnsafeMutableBytes(minimumWritableBytes: most) { room in
                stream.pointee.next_out = room.bindMemory(to: UInt8.self).baseAddress
                stream.pointee.avail_out = UInt32(most)
                code = inflate(stream, Z_NO_FLUSH)
                return most - Int(stream.pointee.avail_out)
            }
            bytesOut += written
            out += written
            if let excess { return (input.count - left, excess) }
            switch code {
            case Z_STREAM_END:
                isComplete = true
                bytesInWhole = bytesIn - left
            case Z_OK, Z_BUF_ERROR:
                if left == 0, stream.pointee.avail_out > 0 { return (input.count, nil) }
                if code == Z_BUF_ERROR, written == 0 { return (input.count - left, nil) }
            case Z_MEM_ERROR: return (input.count - left, .unavailable)
            default:
                return (
                    input.count - left,
                    .corrupt(stream.pointee.msg.map { String(cString: $0) } ?? "inflate says \(code)")
                )
            }
        }
    }

    /// As `inflateSome`.
    private func zstdSome(
        _ context: OpaquePointer, _ input: UnsafeRawBufferPointer, _ plain: inout ByteBuffer, _ outMost: Int
    ) -> (consumed: Int, CompressionFailure?) {
        var source = ZSTD_inBuffer(src: input.baseAddress, size: input.count, pos: 0)
        var out = 0
        mayHoldMore = false
        while true {
            if out >= outMost {
                mayHoldMore = true
                return (source.pos, nil)
            }
            var left = 0
            let most = stepMost
            let written = plain.writeWithUnsafeMutableBytes(minimumWritableBytes: most) { room in
                var target = ZSTD_outBuffer(dst: room.baseAddress, size: most, pos: 0)
                left = ZSTD_decompressStream(context, &target, &source)
                return ZSTD_isError(left) == 0 ? target.pos : 0
            }
            if ZSTD_isError(left) != 0 { return (source.pos, .corrupt(String(cString: ZSTD_getErrorName(left)))) }
            bytesOut += written
            out += written
            if let excess { return (source.pos, excess) }
            isComplete = left == 0
            if isComplete { bytesInWhole = bytesIn - (source.size - source.pos) }
            if source.pos == source.size, isComplete || written < most { return (source.pos, nil) }
        }
    }
}
