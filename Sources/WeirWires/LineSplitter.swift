package import NIOCore

/// Cuts bytes that come in pieces into lines of bounded length. A line is given without its end (LF or CR LF), and the
/// memory is that of the line whose end has not come yet.
///
/// For lines that are looked at one by one; a source that takes a million a second cuts a buffer at a time
/// (`LineCutter`).
package struct LineSplitter<Failure: Error> {
    /// Bytes a line may have.
    package let most: Int
    /// Lines so far.
    package private(set) var count = 0
    private let tooLong: (_ line: Int) -> Failure
    private var carried = ByteBuffer()

    /// - Parameter tooLong: makes the error for a line, counted from 1, that is longer than `most`.
    package init(most: Int, tooLong: @escaping (_ line: Int) -> Failure) {
        self.most = most
        self.tooLong = tooLong
    }

    /// Calls `body` for each line that is whole now.
    package mutating func feed(
        _ bytes: UnsafeRawBufferPointer, _ body: (UnsafeRawBufferPointer) throws(Failure) -> Void
    ) throws(Failure) {
        var start = 0
        while let end = bytes[start...].firstIndex(of: 0x0A) {
            try take(UnsafeRawBufferPointer(rebasing: bytes[start..<end]), body)
            start = end + 1
        }
        guard carried.readableBytes + bytes.count - start <= most else { throw tooLong(count + 1) }
        carried.writeBytes(UnsafeRawBufferPointer(rebasing: bytes[start...]))
    }

    package mutating func feed(
        _ piece: ByteBuffer, _ body: (UnsafeRawBufferPointer) throws(Failure) -> Void
    ) throws(Failure) {
        try piece.withUnsafeReadableBytes { bytes throws(Failure) in try feed(bytes, body) }
    }

    /// Calls `body` for what stands after the last line end, if anything does.
    package mutating func finish(_ body: (UnsafeRawBufferPointer) throws(Failure) -> Void) throws(Failure) {
        if carried.readableBytes > 0 { try take(UnsafeRawBufferPointer(start: nil, count: 0), body) }
    }

    private mutating func take(
        _ rest: UnsafeRawBufferPointer, _ body: (UnsafeRawBufferPointer) throws(Failure) -> Void
    ) throws(Failure) {
        count += 1
        guard carried.readableBytes + rest.count <= most else { throw tooLong(count) }
        if carried.readableBytes == 0 { return try body(Self.trimmed(rest)) }
        carried.writeBytes(rest)
        defer { carried.clear() }
        try carried.withUnsafeReadableBytes { bytes throws(Failure) in try body(Self.trimmed(bytes)) }
    }

    private static func trimmed(_ line: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
        line.last == 0x0D ? UnsafeRawBufferPointer(rebasing: line.dropLast()) : line
    }
}
