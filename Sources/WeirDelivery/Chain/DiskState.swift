import DequeModule
import WeirGates
import WeirStore
import WeirWorld

/// What the chain knows of its disk queue: offsets and counts, no files.
struct DiskState: Sendable {
    /// Bytes that may be read back ahead of the workers. They are in memory beside the buffer.
    let aheadMost: Int
    /// Read back and waiting for a worker, in the queue's order.
    var backlog = Deque<Parcel>()
    /// Bytes read back and not yet settled.
    var aheadBytes = 0
    /// Events that came to the disk (found at the start, or written since) and that left it. What is held is the
    /// difference.
    var enteredEvents: UInt64 = 0
    var leftEvents: UInt64 = 0
    /// Events that were read and not yet settled.
    var openEvents: UInt64 = 0
    /// The reader has seen the end of the queue and nothing was written since.
    var isReadOut = true
    /// Counts writes, so that a reader that saw the end knows whether it was the last.
    var writes: UInt64 = 0
    var isReading = false
    /// Damaged events that were counted already.
    var damagedEvents: UInt64 = 0

    /// Bytes held, and bytes that the files take: measured, since nobody else knows what compression makes of events.
    var heldTrend = LevelTrend()
    var fileTrend = LevelTrend()

    /// Why nothing can be written; senders wait.
    var trouble: Reason?
    var retryAt: Moment?
    private var failures = 0

    init(aheadMost: Int) { self.aheadMost = aheadMost }

    var events: Int64 { Int64(bitPattern: enteredEvents &- leftEvents) }
    var isEmpty: Bool { isReadOut && openEvents == 0 && backlog.isEmpty && !isReading }

    /// A write or a read failed: tried again after 0.25 s, doubling to 5 s. Short, because a full disk has room again
    /// as soon as somebody makes some, and trying costs little.
    mutating func failed(_ reason: Reason, at now: Moment) {
        failures = min(failures + 1, 6)
        trouble = reason
        retryAt = now + min(.seconds(5), .milliseconds(125) * (1 << failures))
    }

    mutating func worked() {
        failures = 0
        trouble = nil
        retryAt = nil
    }

    mutating func saw(_ level: QueueLevel, at now: Moment) {
        heldTrend.saw(level.bytes, at: now)
        fileTrend.saw(level.diskBytes, at: now)
    }

    mutating func left(_ events: Int) { leftEvents &+= UInt64(events) }
}
