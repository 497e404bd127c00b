import NIOCore

/// Cuts what comes in one of the encodings into its objects, one a line, while its bytes come.
protocol ObjectCutter {
    /// The objects so far that were not taken, each with a line feed.
    var lines: ByteBuffer { get }
    /// Objects so far, taken or not.
    var count: Int { get }

    mutating func feed(_ bytes: UnsafeRawBufferPointer) throws(BundleMistake)
    /// No more comes.
    mutating func finish() throws(BundleMistake)
    mutating func takeLines() -> ByteBuffer
}

extension BundleHead.Encoding {
    /// - Parameter keeps: false: objects are checked and counted only.
    func cutter(keeps: Bool) -> any ObjectCutter {
        switch self {
        case .stix: BundleCutter(keeps: keeps)
        case .message: MessageCutter(keeps: keeps)
        case .events: EventCutter(keeps: keeps)
        }
    }

    /// Cuts a whole bundle into its objects.
    /// - Returns: the objects, one a line, and how many there are.
    func cut(_ bytes: ByteBuffer) throws(BundleMistake) -> (lines: ByteBuffer, count: Int) {
        var cutter = cutter(keeps: true)
        try bytes.withUnsafeReadableBytes { bytes throws(BundleMistake) in try cutter.feed(bytes) }
        try cutter.finish()
        return (cutter.lines, cutter.count)
    }
}
