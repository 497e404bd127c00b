import NIOCore
import WeirWires

/// Reads a queue message of OpenCTI while its bytes come: an object whose `content` is a bundle in base64. All other
/// members are passed over, but for the id of the work.
struct MessageCutter: ObjectCutter {
    /// As the message says; it may come after the content.
    private(set) var work: WorkID?
    private var bundle: BundleCutter

    /// False: only the other members are of interest.
    private let reads: Bool
    private var scanner = JSONScanner()
    private var base64 = Base64Stream()
    private var member = ShortText()
    private var collects = Collecting.nothing
    private var workText = ByteBuffer()
    private var hasContent = false
    private var decoded = ByteBuffer()

    private enum Collecting { case nothing, key, content, work }

    private static let workBytesMost = 1_024

    init(keeps: Bool = true, reads: Bool = true, objectBytesMost: Int = BundleCutter.objectBytesMost) {
        bundle = BundleCutter(keeps: keeps, objectBytesMost: objectBytesMost)
        self.reads = reads
    }

    var lines: ByteBuffer { bundle.lines }
    var count: Int { bundle.count }

    mutating func takeLines() -> ByteBuffer { bundle.takeLines() }

    mutating func feed(_ bytes: UnsafeRawBufferPointer) throws(BundleMistake) {
        var index = 0
        var from = 0
        while let token = try scanner.next(bytes, &index, of: "message") {
            try look(token, UnsafeRawBufferPointer(rebasing: bytes[from..<index]))
            from = index
        }
    }

    mutating func finish() throws(BundleMistake) {
        try scanner.finish("message")
        guard hasContent else { throw BundleMistake("no_content", "The message has no content.") }
        guard reads else { return }
        do throws(Base64Stream.Mistake) { try base64.finish() } catch { throw BundleMistake(error) }
        try bundle.finish()
    }

    private mutating func look(_ token: JSONScanner.Token, _ text: UnsafeRawBufferPointer) throws(BundleMistake) {
        switch token {
        case .text: try took(text)
        case .keyStart where scanner.depth == 1:
            member = ShortText()
            collects = .key
        case .keyEnd: collects = .nothing
        case .stringStart where scanner.depth == 1:
            if member.isEqual("content"), !hasContent {
                hasContent = true
                collects = .content
            } else if member.isEqual("work_id") {
                workText = ByteBuffer(string: "\"")
                collects = .work
            }
        case .stringEnd where collects == .work:
            workText.writeInteger(0x22 as UInt8)
            let text = workText.withUnsafeReadableBytes { JSONSplitter.text(of: $0) }
            work = text.map { String(buffer: $0) }
            collects = .nothing
        case .stringEnd: collects = .nothing
        default: break
        }
    }

    private mutating func took(_ text: UnsafeRawBufferPointer) throws(BundleMistake) {
        switch collects {
        case .nothing: break
        case .key: member.append(text)
        case .work:
            if workText.readableBytes + text.count <= Self.workBytesMost { workText.writeBytes(text) }
        case .content where reads:
            decoded.clear()
            do throws(Base64Stream.Mistake) {
                try base64.decode(text, into: &decoded)
            } catch {
                throw BundleMistake(error)
            }
            // A copy of the reference, so that the buffer is not borrowed while the bundle is changed.
            let bytes = decoded
            try bytes.withUnsafeReadableBytes { bytes throws(BundleMistake) in try bundle.feed(bytes) }
        case .content: break
        }
    }
}
