internal import NIOCore
internal import WeirFlow

/// Finds events in a stream of bytes. A value of its connection; the handler gathers the bytes and asks it where they
/// may be cut. Nothing here is called per event.
protocol StreamCutter: SendableMetatype {
    /// How many bytes at the front of `gathered` are whole events.
    /// - Parameter known: what it answered for the same bytes before; they need not be looked at again.
    mutating func completeBytes(in gathered: ByteBuffer, known: Int) -> Int

    /// Takes bytes that belong to an event that was cut short off the front of what was read.
    mutating func skip(_ read: inout ByteBuffer)

    /// The event after the first `complete` bytes is longer than `limit`: rewrites it, so that all of `gathered` is
    /// complete, and remembers to skip the rest of it.
    mutating func shorten(_ gathered: inout ByteBuffer, after complete: Int, to limit: Int)

    /// The stream has ended: rewrites what stands after the first `complete` bytes, so that all of `gathered` is
    /// complete.
    mutating func finish(_ gathered: inout ByteBuffer, after complete: Int)

    /// The events of whole bytes, in order. More than one batch where their kinds differ.
    mutating func batches(of complete: ByteBuffer, context: BatchContext) -> [Batch]
}

/// What is put at the end of an event that was longer than `max_event`.
enum CutMark {
    static let text = "…[cut]"
    static var length: Int { text.utf8.count }
}
