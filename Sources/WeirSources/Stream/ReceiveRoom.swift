internal import NIOCore

/// Buffers for a connection's reads: as large as what came lately, with room in front for what the handler has
/// gathered, so that an event that straddles two reads becomes contiguous by copying only its beginning.
///
/// Nothing is kept between reads: 10,000 idle connections hold no buffers. Source of the measure: SWIFT.md 3.1, 5.5.
///
/// `@unchecked Sendable`: the protocol asks for it; the channel and the handler that share it live on one event loop.
final class ReceiveRoom: RecvByteBufferAllocator, @unchecked Sendable {
    static let sizeLeast = 2_048
    static let sizeMost = 256 * 1_024
    /// NIO keeps the first buffer of a channel for ever, so the first one is small.
    private static let sizeFirst = 1_024

    private var isFirst = true
    private var size = 4_096
    private var smallReads = 0
    /// Bytes that the handler would like in front of the next read.
    var headroom = 0
    /// Least and most are the same while memory is short.
    var isShort = false

    func buffer(allocator: ByteBufferAllocator) -> ByteBuffer {
        if isFirst {
            isFirst = false
            return allocator.buffer(capacity: ReceiveRoom.sizeFirst)
        }
        let size = isShort ? ReceiveRoom.sizeLeast : size
        var buffer = allocator.buffer(capacity: headroom + size)
        buffer.moveWriterIndex(to: headroom)
        buffer.moveReaderIndex(to: headroom)
        return buffer
    }

    /// Grows at once when a read filled its buffer, shrinks after two reads below a quarter.
    func record(actualReadBytes count: Int) -> Bool {
        if count >= size {
            size = min(size * 4, ReceiveRoom.sizeMost)
            smallReads = 0
        } else if count < size / 4 {
            smallReads += 1
            if smallReads == 2 {
                size = max(size / 2, ReceiveRoom.sizeLeast)
                smallReads = 0
            }
        } else {
            smallReads = 0
        }
        // "May grow" also means "do not hand out the kept buffer again".
        return true
    }
}
