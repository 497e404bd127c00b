internal import NIOCore

/// How much is read from a socket at once: little at first, and more as long as reads come back full. A read costs
/// about as much as copying 64 KiB, so that what flows wants large ones.
///
/// No buffer is kept for the next read, except NIO's own first one: an idle connection costs 8 KiB at the most, also
/// when megabytes have gone through it before. (NIO's own allocators keep the largest, for each channel.)
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
final class ReadAllowance: RecvByteBufferAllocator, @unchecked Sendable {
    private var size = ReadSize()
    /// In bytes; set before each read.
    var left = ReadSize.first

    func buffer(allocator: ByteBufferAllocator) -> ByteBuffer {
        // Capacities are powers of two; NIO rounds up.
        let allowed = max(left, ReadSize.first)
        return allocator.buffer(capacity: min(size.next, 1 << (Int.bitWidth - 1 - allowed.leadingZeroBitCount)))
    }

    func record(actualReadBytes bytes: Int) -> Bool {
        // A read that credit has cut short says nothing about its sender.
        bytes < size.next && bytes >= left / 2 ? true : size.record(actualReadBytes: bytes)
    }
}
