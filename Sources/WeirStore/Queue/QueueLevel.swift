package import WeirWorld

/// How much a queue holds, computed from positions when asked.
package struct QueueLevel: Sendable, Hashable {
    /// Bytes of records that are not acknowledged.
    package var bytes: Int64
    /// Events that are not acknowledged.
    package var events: Int64
    /// What the files take: compared with the maximum size.
    package var diskBytes: Int64
    package var segments: Int
    /// Time of the oldest record that is not acknowledged; `nil` when there is none, or when it was not looked at yet.
    package var oldest: WallTime?
    /// Appends that wait for the disk, in bytes of memory.
    package var waitingBytes: Int = 0
}

extension QueueState {
    var level: QueueLevel {
        let held = segments.lazy.filter { $0.end > self.cursor }
        var bytes = held.reduce(Int64(0)) { $0 + Int64($1.end - max($1.header.start, min(self.cursor, $1.end))) }
        var events = held.reduce(Int64(0)) { $0 + Int64(clamping: $1.events) }
        if let first = segment(at: cursor), first.end > cursor, first.header.base <= cursor {
            events -= Int64(cursorBefore)
        }
        for flight in flights where flight.isDone && isThere(flight.range) {
            bytes -= Int64(flight.range.count)
            events -= Int64(flight.count)
        }
        return QueueLevel(
            bytes: bytes, events: events, diskBytes: diskBytes, segments: segments.count,
            oldest: flights.first(where: { !$0.isDone })?.time ?? nextTime)
    }

    func isThere(_ range: Range<UInt64>) -> Bool {
        segments.contains { $0.header.base <= range.lowerBound && range.upperBound <= $0.end }
    }

    var diskBytes: Int64 { segments.reduce(0) { $0 + $1.fileBytes } }
}
