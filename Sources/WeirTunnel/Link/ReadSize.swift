internal import NIOCore

/// How much is read from a socket at once: little at first, and more as long as reads come back full. A read costs
/// about as much as copying 64 KiB, so that what flows wants large ones.
///
/// No buffer is kept for the next read, except NIO's own first one (8 KiB), also when megabytes have gone through it
/// before. (NIO's own allocators keep the largest, for each channel.)
struct ReadSize: RecvByteBufferAllocator {
    static let first = 8 << 10
    static let least = 16 << 10
    static let most = 512 << 10

    private(set) var next = Self.first
    private var wasSmall = false

    func buffer(allocator: ByteBufferAllocator) -> ByteBuffer { allocator.buffer(capacity: next) }

    /// - Returns: true, whereupon NIO asks for another buffer.
    mutating func record(actualReadBytes bytes: Int) -> Bool {
        if bytes >= next {
            next = min(max(next * 4, Self.least), Self.most)
            wasSmall = false
        } else {
            // Once may be chance.
            if bytes < next / 4, wasSmall || next < Self.least { next = max(next / 4, Self.least) }
            wasSmall = bytes < next / 4
        }
        return true
    }
}

/// The same, within what a stream may send: what nobody has asked for stays in the sender's kernel. One for each
/// channel, touched on its event loop only.
///
/// NIO keeps a channel's first buffer for as long as the channel lives. So the first is tiny, and what does not fit is
/// read at once into a second one (`SocketEnd` allows that for the first read): ten thousand idle streams would hold
/// 8 KiB each otherwise, on both sides.
final class ReadAllowance: RecvByteBufferAllocator, @unchecked Sendable {
    /// The buffer that stays, in bytes.
    private static let kept = 64

    private var size = ReadSize()
    /// The first buffer was used.
    private var hasRead = false
    /// In bytes; set before each read.
    var left = ReadSize.first

    func buffer(allocator: ByteBufferAllocator) -> ByteBuffer {
        guard hasRead else { return allocator.buffer(capacity: Self.kept) }
        // Capacities are powers of two; NIO rounds up.
        let allowed = max(left, ReadSize.first)
        return allocator.buffer(capacity: min(size.next, 1 << (Int.bitWidth - 1 - allowed.leadingZeroBitCount)))
    }

    func record(actualReadBytes bytes: Int) -> Bool {
        guard hasRead else {
            hasRead = true
            return true
        }
        // A read that credit has cut short says nothing about its sender.
        return bytes < size.next && bytes >= left / 2 ? true : size.record(actualReadBytes: bytes)
    }
}
