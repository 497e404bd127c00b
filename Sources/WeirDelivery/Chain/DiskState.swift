import DequeModule
import WeirGates
import WeirWorld

/// What the chain knows of its disk queue: offsets and counts, no files.
struct DiskState: Sendable {
    /// Read back and waiting for a worker, in the queue's order.
    var backlog = Deque<Parcel>()
    /// Bytes read back and not yet settled: they are in memory beside the buffer, up to `ahead`.
    var aheadBytes = 0
    /// Events that came to the disk (found at the start, or written since) and that left it. What is held is the difference.
    var enteredEvents: UInt64 = 0
    var leftEvents: UInt64 = 0
    /// Events that were read and not yet settled.
    var openEvents: UInt64 = 0
    /// The reader has seen the end of the queue and nothing was written since.
    var isReadOut = true
    /// Why nothing can be written; senders wait.
    var trouble: Reason?
    var retryAt: Moment?
    var failures = 0

    var events: Int64 { Int64(bitPattern: enteredEvents &- leftEvents) }
    var isEmpty: Bool { isReadOut && openEvents == 0 && backlog.isEmpty }
}
