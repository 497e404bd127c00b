import CLz4
import CZstd
import NIOCore

/// Packs payloads on the writer's lane. Keeps one zstd context: making one for each record costs more than the record.
final class Compressor {
    private let context = ZSTD_createCCtx()

    deinit { ZSTD_freeCCtx(context) }

    /// The most that packing `count` bytes can give.
    static func bound(_ count: Int, _ kind: QueueSettings.Compression) -> Int {
        switch kind {
        case .none: count
        case .lz4: Int(LZ4_compressBound(Int32(clamping: count)))
        case .zstd: ZSTD_compressBound(count)
        }
    }

    /// Packs into `target`; `nil` when it does not get smaller, and the payload is stored as it is.
    func pack(
        _ payload: UnsafeRawBufferPointer, into target: UnsafeMutableRawBufferPointer, _ kind: QueueSettings.Compression
    ) -> Int? {
        let packed: Int
        switch kind {
        case .none: return nil
        case .lz4:
            packed = Int(
                LZ4_compress_default(
                    payload.bindMemory(to: CChar.self).baseAddress, target.bindMemory(to: CChar.self).baseAddress,
                    Int32(clamping: payload.count), Int32(clamping: target.count)))
        case .zstd:
            guard let context else { return nil }
            let size = ZSTD_compressCCtx(
                context, target.baseAddress, target.count, payload.baseAddress, payload.count, 1)
            packed = ZSTD_isError(size) != 0 ? 0 : size
        }
        return packed > 0 && packed < payload.count ? packed : nil
    }

    /// Unpacks a payload whose length before packing is known; `nil` when it is not what it says.
    static func unpack(_ packed: ByteBuffer, length: Int, _ kind: QueueSettings.Compression) -> ByteBuffer? {
        guard length >= 0, length <= RecordHeader.bodyMost else { return nil }
        var result = ByteBuffer()
        result.writeWithUnsafeMutableBytes(minimumWritableBytes: length) { target in
            packed.withUnsafeReadableBytes { source in
                switch kind {
                case .none: return 0
                case .lz4:
                    let count = LZ4_decompress_safe(
                        source.bindMemory(to: CChar.self).baseAddress, target.bindMemory(to: CChar.self).baseAddress,
                        Int32(clamping: source.count), Int32(clamping: length))
                    return max(0, Int(count))
                case .zstd:
                    let count = ZSTD_decompress(target.baseAddress, length, source.baseAddress, source.count)
                    return ZSTD_isError(count) != 0 ? 0 : count
                }
            }
        }
        return result.readableBytes == length ? result : nil
    }
}
