import NIOCore

/// Cuts bytes that come in pieces into lines of bounded length.
struct LineSplitter {
    struct TooLong: Error, Hashable {
        /// Counted from 1.
        var line: Int
        var most: Int
    }

    let most: Int
    /// Lines so far.
    private(set) var count = 0
    private var carried = ByteBuffer()

    init(most: Int) { self.most = most }

    /// Calls `body` for each line that is whole now, without its end (LF or CR LF).
    mutating func feed(_ piece: ByteBuffer, _ body: (UnsafeRawBufferPointer) throws -> Void) throws {
        try piece.withUnsafeReadableBytes { bytes in
            var start = 0
            while let end = bytes[start...].firstIndex(of: 0x0A) {
                try take(UnsafeRawBufferPointer(rebasing: bytes[start..<end]), body)
                start = end + 1
            }
            guard carried.readableBytes + bytes.count - start <= most else {
                throw TooLong(line: count + 1, most: most)
            }
            carried.writeBytes(UnsafeRawBufferPointer(rebasing: bytes[start...]))
        }
    }

    /// What stands after the last line end, if anything does.
    mutating func finish(_ body: (UnsafeRawBufferPointer) throws -> Void) throws {
        if carried.readableBytes > 0 { try take(UnsafeRawBufferPointer(start: nil, count: 0), body) }
    }

    private mutating func take(_ rest: UnsafeRawBufferPointer, _ body: (UnsafeRawBufferPointer) throws -> Void) throws {
        count += 1
        guard carried.readableBytes + rest.count <= most else { throw TooLong(line: count, most: most) }
        if carried.readableBytes == 0 { return try body(Self.trimmed(rest)) }
        carried.writeBytes(rest)
        defer { carried.clear() }
        try carried.withUnsafeReadableBytes { try body(Self.trimmed($0)) }
    }

    private static func trimmed(_ line: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
        line.last == 0x0D ? UnsafeRawBufferPointer(rebasing: line.dropLast()) : line
    }
}
