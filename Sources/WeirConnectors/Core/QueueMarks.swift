import WeirWorld

/// How far a work queue is counted: what was pushed and what was settled, and up to which position. Counters and
/// positions are written down together with the works they belong to, so that after a restart nothing is counted
/// twice: what lies beyond `pushed.through` in the queue is counted then, what lies before `settled.through` was dealt
/// with.
///
/// Bundles of one queue are settled in the order in which they were pushed; that makes one position enough.
struct QueueMarks: Sendable, Hashable, Codable {
    struct Tally: Sendable, Hashable, Codable {
        var messages: UInt64 = 0
        /// Of payloads, spooled files included.
        var bytes: UInt64 = 0
        /// Everything before this position of the queue is counted.
        var through: UInt64 = 0
    }

    /// True from before the first append until the queue was closed with everything counted.
    var isOpen = false
    var pushed = Tally()
    var settled = Tally()
    /// Files of bundles that are pushed and not settled.
    var spooled: Set<String> = []
    /// Of `settled`, those that ended as dead letters.
    var deadLettered: UInt64 = 0
    /// Works that are not complete: those to be read at the next start.
    var openWorks: [WorkID] = []
    /// The person who holds this connector; a restart does not let it go.
    var pausedBy: String?

    var level: WorkQueueLevel {
        WorkQueueLevel(
            messages: Int(clamping: Int64(bitPattern: pushed.messages &- settled.messages)),
            bytes: Int64(bitPattern: pushed.bytes &- settled.bytes))
    }

    /// - Parameter start: the record's first position.
    /// - Returns: false when it is counted already.
    mutating func countPushed(_ start: UInt64, bytes: Int64, file: String?) -> Bool {
        guard start >= pushed.through else { return false }
        pushed.through = start + 1
        pushed.messages &+= 1
        pushed.bytes &+= UInt64(clamping: bytes)
        if let file { spooled.insert(file) }
        return true
    }

    /// - Returns: false when it is counted already.
    mutating func countSettled(_ range: Range<UInt64>, bytes: Int64, file: String?) -> Bool {
        guard range.lowerBound >= settled.through else { return false }
        settled.through = range.upperBound
        settled.messages &+= 1
        settled.bytes &+= UInt64(clamping: bytes)
        if let file { spooled.remove(file) }
        return true
    }

    /// A bundle was settled that never was in this queue: it came from a RabbitMQ.
    mutating func countPassed(bytes: Int64) {
        for tally in [\QueueMarks.pushed, \.settled] {
            self[keyPath: tally].messages &+= 1
            self[keyPath: tally].bytes &+= UInt64(clamping: bytes)
        }
    }

    /// The queue is empty, and yet something is missing: records that were damaged on disk. They are counted as
    /// settled, so that the level does not stay up for ever.
    /// - Returns: how many.
    mutating func closeGap() -> UInt64 {
        let missing = pushed.messages &- settled.messages
        settled.messages = pushed.messages
        settled.bytes = pushed.bytes
        settled.through = max(settled.through, pushed.through)
        spooled = []
        return missing
    }
}
