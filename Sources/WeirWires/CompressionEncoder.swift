import CZlib
import CZstd
package import NIOCore

/// Packs a stream piece by piece, for bodies and files that are written as they grow.
///
/// `@unchecked Sendable`: the handle of the C library has one owner, who calls from one thread at a time (a file's
/// lane, a send).
package final class CompressionEncoder: @unchecked Sendable {
    private enum Handle {
        case zlib(UnsafeMutablePointer<z_stream>)
        case zstd(OpaquePointer)
    }
    private let handle: Handle

    /// - Parameter level: see `Compression.encode`.
    package init(_ coding: ContentCoding, level: Int32? = nil) throws(CompressionFailure) {
        switch coding {
        case .gzip, .deflate:
            // zlib keeps a pointer back to its stream, so the stream must not move.
            let stream = UnsafeMutablePointer<z_stream>.allocate(capacity: 1)
            stream.initialize(to: z_stream())
            // 15 bits of window; +16 writes the gzip wrapper instead of zlib's.
            let window: Int32 = coding == .gzip ? 15 + 16 : 15
            let size = Int32(MemoryLayout<z_stream>.size)
            let code = deflateInit2_(
                stream, min(max(level ?? 1, 1), 9), Z_DEFLATED, window, 8, Z_DEFAULT_STRATEGY, ZLIB_VERSION, size)
            guard code == Z_OK else {
                stream.deallocate()
                throw .unavailable
            }
            handle = .zlib(stream)
        case .zstd:
            guard let context = ZSTD_createCCtx() else { throw .unavailable }
            _ = ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, min(max(level ?? 1, 1), 19))
            _ = ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1)
            handle = .zstd(context)
        }
    }

    deinit {
        switch handle {
        case .zlib(let stream):
            _ = deflateEnd(stream)
            stream.deallocate()
        case .zstd(let context): _ = ZSTD_freeCCtx(context)
        }
    }

    /// Takes bytes; what is packed so far is appended to `packed`, the rest stays inside.
    package func append(_ bytes: ByteBuffer, to packed: inout ByteBuffer) throws(CompressionFailure) {
        guard bytes.readableBytes > 0 else { return }
        try step(bytes, Z_NO_FLUSH, ZSTD_e_continue, &packed)
    }

    /// Writes out everything taken so far, so that a reader of the bytes sees it all. Costs some of the gain.
    package func flush(to packed: inout ByteBuffer) throws(CompressionFailure) {
        try step(ByteBuffer(), Z_SYNC_FLUSH, ZSTD_e_flush, &packed)
    }

    /// Ends the stream. Nothing may be appended afterwards.
    package func finish(to packed: inout ByteBuffer) throws(CompressionFailure) {
        try step(ByteBuffer(), Z_FINISH, ZSTD_e_end, &packed)
    }

    private static let stepBytes = 65_536

    private func step(
        _ bytes: ByteBuffer, _ flush: Int32, _ directive: ZSTD_EndDirective, _ packed: inout ByteBuffer
    ) throws(CompressionFailure) {
        let error = bytes.withUnsafeReadableBytes { input -> CompressionFailure? in
            switch handle {
            case .zlib(let stream): Self.deflateAll(stream, input, flush, &packed)
            case .zstd(let context): Self.zstdAll(context, input, directive, &packed)
            }
        }
        if let error { throw error }
    }

    private static func deflateAll(
        _ stream: UnsafeMutablePointer<z_stream>, _ input: UnsafeRawBufferPointer, _ flush: Int32,
        _ packed: inout ByteBuffer
    ) -> CompressionFailure? {
        // avail_in has 32 bits; a batch is far below, but a caller's buffer need not be.
        guard input.count <= Int(Int32.max) else { return .tooLarge(limit: Int(Int32.max)) }
        stream.pointee.next_in = UnsafeMutablePointer(
            mutating: input.bindMemory(to: UInt8.self).baseAddress)
        stream.pointee.avail_in = UInt32(input.count)
        defer { stream.pointee.next_in = nil }
        while true {
            var code = Z_OK
            let written = packed.writeWithUnsafeMutableBytes(minimumWritableBytes: stepBytes) { room in
                stream.pointee.next_out = room.bindMemory(to: UInt8.self).baseAddress
                stream.pointee.avail_out = UInt32(clamping: room.count)
                let before = stream.pointee.avail_out
                code = deflate(stream, flush)
                return Int(before - stream.pointee.avail_out)
            }
            switch code {
            case Z_STREAM_END: return nil
            case Z_OK, Z_BUF_ERROR:
                let hasRoomLeft = stream.pointee.avail_out > 0
                if flush != Z_FINISH, stream.pointee.avail_in == 0, hasRoomLeft { return nil }
                if written == 0, hasRoomLeft { return .corrupt("deflate makes no progress") }
            default: return .corrupt("deflate says \(code)")
            }
        }
    }

    private static func zstdAll(
        _ context: OpaquePointer, _ input: UnsafeRawBufferPointer, _ directive: ZSTD_EndDirective,
        _ packed: inout ByteBuffer
    ) -> CompressionFailure? {
        var source = ZSTD_inBuffer(src: input.baseAddress, size: input.count, pos: 0)
        while true {
            var left = 0
            packed.writeWithUnsafeMutableBytes(minimumWritableBytes: stepBytes) { room in
                var target = ZSTD_outBuffer(dst: room.baseAddress, size: room.count, pos: 0)
                left = ZSTD_compressStream2(context, &target, &source, directive)
                return ZSTD_isError(left) == 0 ? target.pos : 0
            }
            if ZSTD_isError(left) != 0 { return .corrupt(String(cString: ZSTD_getErrorName(left))) }
            let isDone = directive == ZSTD_e_continue ? source.pos == source.size : left == 0
            if isDone { return nil }
        }
    }
}
