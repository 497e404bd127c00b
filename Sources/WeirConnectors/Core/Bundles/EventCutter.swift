import NIOCore
import WeirWires

/// Takes events that come one a line, piece by piece, and counts them. Whoever wrote them has seen to it that each is
/// JSON; blank lines are left out.
struct EventCutter: ObjectCutter {
    private struct Found {
        var lines = ByteBuffer()
        var count = 0
        let keeps: Bool

        mutating func take(_ line: UnsafeRawBufferPointer) {
            if line.allSatisfy({ $0 <= 0x20 }) { return }
            count += 1
            if !keeps { return }
            lines.writeBytes(line)
            lines.writeInteger(UInt8(ascii: "\n"))
        }
    }

    private var found: Found
    private var splitter = LineSplitter(most: BundleCutter.objectBytesMost) { _ in
        BundleMistake.tooLarge(BundleCutter.objectBytesMost)
    }

    init(keeps: Bool = true) { found = Found(keeps: keeps) }

    /// The events so far, each with a line feed.
    var lines: ByteBuffer { found.lines }
    var count: Int { found.count }

    mutating func feed(_ bytes: UnsafeRawBufferPointer) throws(BundleMistake) {
        try Self.feed(bytes, &splitter, &found)
    }

    // The parts are apart here, so that one may change while the other is read.
    private static func feed(
        _ bytes: UnsafeRawBufferPointer, _ splitter: inout LineSplitter<BundleMistake>, _ found: inout Found
    ) throws(BundleMistake) {
        try splitter.feed(bytes) { line throws(BundleMistake) in found.take(line) }
    }

    private static func finish(
        _ splitter: inout LineSplitter<BundleMistake>, _ found: inout Found
    ) throws(BundleMistake) {
        try splitter.finish { line throws(BundleMistake) in found.take(line) }
    }

    mutating func finish() throws(BundleMistake) {
        try Self.finish(&splitter, &found)
        guard count > 0 else { throw BundleMistake("no_objects", "There are no events.") }
    }

    mutating func takeLines() -> ByteBuffer {
        defer { found.lines = ByteBuffer() }
        return found.lines
    }
}
