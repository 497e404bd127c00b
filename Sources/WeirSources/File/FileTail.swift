internal import NIOCore
internal import WeirFlow
internal import WeirWorld

/// One file that is followed. A value: it is told what the file system says, and tells what to do.
///
/// The file is known by device, inode and its first bytes, never by its name alone: after a rename it is the same file,
/// and a file whose beginning has changed is another one although device and inode are the same.
struct FileTail: Sendable {
    enum Change: Sendable, Hashable {
        /// Nothing new.
        case still
        /// There are bytes to read.
        case grown
        /// It was cut (copytruncate) or written anew: it begins again.
        case restarted
    }

    var path: String
    let device: UInt64
    let inode: UInt64
    let handle: any FileHandle
    /// The next byte to read.
    private(set) var readOffset: Int64
    /// Everything before it is safe.
    private(set) var safeOffset: Int64
    private(set) var headLength: Int
    private(set) var headCheck: UInt64
    /// No pattern names it any more: it is read to its end and let go.
    var isRotated = false
    /// Not read before this moment.
    var restUntil = Moment(nanoseconds: .min)
    /// When bytes were last seen in it.
    var lastGrowth: Moment

    private var gathered = ByteBuffer()
    private var cutter: LineCutter
    private let eventMost: Int
    private var pending: [(end: Int64, receipt: Receipt)] = []

    init(
        path: String, device: UInt64, inode: UInt64, handle: any FileHandle, offset: Int64, head: [UInt8],
        cutter: LineCutter, eventMost: Int, now: Moment
    ) {
        self.path = path
        self.device = device
        self.inode = inode
        self.handle = handle
        readOffset = offset
        safeOffset = offset
        headLength = head.count
        headCheck = FileCheckpoint.check(head)
        self.cutter = cutter
        self.eventMost = eventMost
        lastGrowth = now
    }

    var checkpoint: FileCheckpoint {
        FileCheckpoint(
            device: device, inode: inode, headLength: headLength, headCheck: headCheck, offset: safeOffset, path: path)
    }

    var pendingCount: Int { pending.count }
    var oldestReceipt: Receipt? { pending.first?.receipt }
    var hasPartialLine: Bool { gathered.readableBytes > 0 }

    /// Takes the file's present length and first bytes.
    /// - Parameter head: at most `FileCheckpoint.headMost` bytes.
    mutating func look(length: Int64, head: [UInt8]) -> Change {
        let isOther = head.count < headLength || FileCheckpoint.check(head.prefix(headLength)) != headCheck
        if isOther || length < readOffset {
            // What was read before the cut is still on its way; its receipts no longer say anything about offsets.
            readOffset = 0
            safeOffset = 0
            pending = []
            gathered = ByteBuffer()
            cutter = cutter.anew
            headLength = head.count
            headCheck = FileCheckpoint.check(head)
            return .restarted
        }
        if headLength < FileCheckpoint.headMost && head.count > headLength {
            headLength = head.count
            headCheck = FileCheckpoint.check(head)
        }
        return length > readOffset ? .grown : .still
    }

    /// Takes what was read at `readOffset`; gives the events that are whole now, and where the file is safe once they
    /// are.
    mutating func read(_ bytes: ByteBuffer, context: BatchContext) -> (batches: [Batch], end: Int64) {
        readOffset += Int64(bytes.readableBytes)
        var bytes = bytes
        cutter.skip(&bytes)
        gathered.writeImmutableBuffer(bytes)
        var complete = cutter.completeBytes(in: gathered, known: 0)
        if gathered.readableBytes - complete > eventMost {
            cutter.shorten(&gathered, after: complete, to: eventMost)
            complete = gathered.readableBytes
        }
        return take(complete, context)
    }

    /// Nothing will be written to the file any more: what stands at its end without a line feed is an event.
    mutating func finish(context: BatchContext) -> (batches: [Batch], end: Int64) {
        cutter.finish(&gathered, after: 0)
        return take(gathered.readableBytes, context)
    }

    private mutating func take(_ complete: Int, _ context: BatchContext) -> (batches: [Batch], end: Int64) {
        let whole = gathered.readSlice(length: complete) ?? ByteBuffer()
        gathered = gathered.copied()
        let batches = whole.readableBytes > 0 ? cutter.batches(of: whole, context: context) : []
        return (batches, readOffset - Int64(gathered.readableBytes))
    }

    /// A batch that ends at `end` was handed on.
    mutating func handed(_ receipts: [Receipt], end: Int64) {
        for receipt in receipts.dropLast() { pending.append((pending.last?.end ?? safeOffset, receipt)) }
        pending.append((end, receipts.last ?? .kept))
    }

    /// Looks at the receipts in order. False when one says that its events are lost: then everything from there is read
    /// again.
    mutating func settle() -> Bool {
        var kept = 0
        for entry in pending {
            switch entry.receipt.settlement {
            case .kept:
                safeOffset = max(safeOffset, entry.end)
                kept += 1
            case .lost:
                pending = []
                gathered = ByteBuffer()
                cutter = cutter.anew
                readOffset = safeOffset
                return false
            case nil:
                pending.removeFirst(kept)
                return true
            }
        }
        pending.removeFirst(kept)
        return true
    }
}
