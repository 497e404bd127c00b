import WeirWorld

extension QueueState {
    struct Segment: Hashable {
        var header: SegmentFormat.Header
        var name: String
        /// Position after the last record that may be read.
        var end: UInt64
        var records: UInt32 = 0
        /// Events that were written, damaged ones included.
        var events: UInt64 = 0
        var firstTime: WallTime?
        /// True when nothing is appended any more.
        var isSealed: Bool
        /// What the file takes on disk.
        var fileBytes: Int64
    }

    /// A record (or a gap) between the cursor and the read position.
    struct Flight: Hashable {
        var range: Range<UInt64>
        /// Events in its segment before and in it.
        var before: UInt32
        var count: Int
        var time: WallTime
        /// Acknowledged, dropped or lost: only waits for those before it.
        var isDone: Bool
    }

    /// What the reader does next.
    struct Reading: Hashable {
        var segment: Segment
        var position: UInt64
        var before: UInt32
        /// Counts up with every rewind: what was read under another number is not taken over.
        var epoch: UInt64
    }
}
