import NIOCore

/// Takes events that come one a line, piece by piece, and counts them. Whoever wrote them has seen to it that each is
/// JSON; blank lines are left out.
struct EventCutter {
    /// The events so far, each with a line feed.
    private(set) var lines = ByteBuffer()
    private(set) var count = 0
    private let keeps: Bool
    /// The beginning of a line whose end has not come yet.
    private var carried = ByteBuffer()

    init(keeps: Bool = true) { self.keeps = keeps }

    mutating func feed(_ bytes: UnsafeRawBufferPointer) throws(BundleMistake) {
        var start = 0
        while let end = bytes[start...].firstIndex(of: 0x0A) {
            try take(UnsafeRawBufferPointer(rebasing: bytes[start..<end]))
            start = end + 1
        }
        if carried.readableBytes + bytes.count - start > BundleCutter.objectBytesMost {
            throw .tooLarge(BundleCutter.objectBytesMost)
        }
        carried.writeBytes(UnsafeRawBufferPointer(rebasing: bytes[start...]))
    }

    mutating func finish() throws(BundleMistake) {
        try take(UnsafeRawBufferPointer(start: nil, count: 0))
        guard count > 0 else { throw BundleMistake("no_objects", "There are no events.") }
    }

    mutating func takeLines() -> ByteBuffer {
        defer { lines = ByteBuffer() }
        return lines
    }

    private mutating func take(_ rest: UnsafeRawBufferPointer) throws(BundleMistake) {
        let length = carried.readableBytes + rest.count
        if length > BundleCutter.objectBytesMost { throw .tooLarge(BundleCutter.objectBytesMost) }
        defer { carried.clear() }
        let isBlank = carried.readableBytesView.allSatisfy { $0 <= 0x20 } && rest.allSatisfy { $0 <= 0x20 }
        if isBlank { return }
        count += 1
        if !keeps { return }
        lines.writeImmutableBuffer(carried)
        lines.writeBytes(rest)
        lines.writeInteger(UInt8(ascii: "\n"))
    }
}
