import NIOCore
import WeirWorld

/// The bookkeeping of a queue: which segments there are, what was read, what was acknowledged. It touches no file;
/// every level is computed from positions.
struct QueueState {
    /// Ascending. The last one is being written, unless it is sealed.
    private(set) var segments: [Segment] = []
    /// The lowest position that is not acknowledged, and the events in its segment before it.
    private(set) var cursor: UInt64
    private(set) var cursorBefore: UInt32
    private(set) var readPosition: UInt64
    private(set) var readBefore: UInt32
    /// Ascending, without overlap, from `cursor` to the farthest that was ever read.
    private(set) var flights = CircularBuffer<Flight>()
    private(set) var epoch: UInt64 = 0
    /// Time of the record at the read position, where it is known.
    private(set) var nextTime: WallTime?
    /// Where a new segment may begin.
    private(set) var end: UInt64

    /// Records between the cursor and the reader: beyond it nothing is read until the oldest of them is acknowledged.
    static let flightsMost = 100_000

    /// - Parameters:
    ///   - cursor: where reading begins: a record, or the end of a segment.
    ///   - flights: what was read from there on in an earlier life; left out where it does not fit.
    init(
        segments: [Segment], cursor: UInt64, before: UInt32, oldest: WallTime?, end: UInt64, flights: [Flight] = []
    ) {
        self.segments = segments
        self.end = end
        self.cursor = cursor
        cursorBefore = before
        readPosition = cursor
        readBefore = before
        nextTime = oldest
        if let first = flights.first, first.range.lowerBound == cursor, first.before == before,
            flights.count <= QueueState.flightsMost, flights.allSatisfy({ isThere($0.range) })
        {
            self.flights = CircularBuffer(flights)
        }
        settle()
    }

    // MARK: Writing

    mutating func began(_ segment: Segment) {
        segments.append(segment)
        end = max(end, segment.end)
        settle()
    }

    /// Records may now be read: up to `end` in the segment being written.
    mutating func wrote(to end: UInt64, records: Int, events: Int, firstTime: WallTime) {
        guard let last = segments.indices.last else { return }
        if readPosition == segments[last].end, nextTime == nil { nextTime = firstTime }
        segments[last].end = end
        segments[last].records &+= UInt32(truncatingIfNeeded: records)
        segments[last].events &+= UInt64(events)
        if segments[last].firstTime == nil { segments[last].firstTime = firstTime }
        segments[last].fileBytes = Int64(end - segments[last].header.base)
        self.end = max(self.end, end)
    }

    mutating func sealedLast(fileBytes: Int64) {
        guard let last = segments.indices.last else { return }
        segments[last].isSealed = true
        // The footer has positions too: without it being readable, they would look like records of this segment.
        end = max(end, segments[last].end + UInt64(SegmentFormat.footerLength))
        segments[last].fileBytes = fileBytes
        settle()
    }

    /// Positions below are not given to new records: they may lie in a file that was left.
    mutating func skip(to position: UInt64) { end = max(end, position) }

    // MARK: Reading

    var hasUnread: Bool {
        guard flights.count < QueueState.flightsMost || isRereading else { return false }
        guard let segment = segment(at: readPosition) else { return false }
        return readPosition < segment.end
    }

    private var isRereading: Bool { readPosition < (flights.last?.range.upperBound ?? 0) }

    var reading: Reading? {
        guard hasUnread, let segment = segment(at: readPosition) else { return nil }
        return Reading(segment: segment, position: readPosition, before: readBefore, epoch: epoch)
    }

    /// What became of flights that were read.
    struct Taken: Sendable {
        /// For each flight whether it is the consumer's to see (false: acknowledged already, or a gap).
        var isMine: [Bool]
        /// Flights below were met before, and gaps among them are counted already.
        var known: UInt64
    }

    /// Takes over what the reader found from `reading.position` on; `read` are the flights in order.
    /// - Returns: `nil` when the queue was rewound, or something was dropped, in between.
    mutating func read(_ read: [Flight], of reading: Reading, nextTime: WallTime?) -> Taken? {
        guard reading.epoch == epoch else { return nil }
        var known = flights.last?.range.upperBound ?? 0
        var taken = Taken(isMine: [], known: known)
        taken.isMine.reserveCapacity(read.count)
        for flight in read {
            if flight.range.lowerBound < known {
                let isDone = place(of: flight.range.lowerBound).map { flights[offset: $0].isDone } ?? true
                taken.isMine.append(!isDone && !flight.isDone)
            } else {
                flights.append(flight)
                known = flight.range.upperBound
                taken.isMine.append(!flight.isDone)
            }
            readPosition = flight.range.upperBound
            readBefore = flight.before &+ UInt32(truncatingIfNeeded: flight.count)
        }
        self.nextTime = nextTime
        advance()
        return taken
    }

    /// Everything that was read and not acknowledged is read again.
    mutating func rewind() {
        epoch &+= 1
        nextTime = flights.first(where: { !$0.isDone })?.time ?? nextTime
        readPosition = cursor
        readBefore = cursorBefore
    }

    /// Gives back what was read and not handed on, from a position on.
    mutating func unread(from position: UInt64) {
        guard let place = place(of: position) else { return }
        epoch &+= 1
        readPosition = position
        readBefore = flights[offset: place].before
        nextTime = flights[offset: place].time
    }

    // MARK: Letting go

    /// - Returns: the events that were not acknowledged before.
    @discardableResult
    mutating func acknowledge(_ range: Range<UInt64>) -> Int {
        guard var index = firstFlight(notBefore: range.lowerBound) else { return 0 }
        var events = 0
        while index < flights.count, flights[offset: index].range.upperBound <= range.upperBound {
            if !flights[offset: index].isDone {
                flights[offset: index].isDone = true
                events += flights[offset: index].count
            }
            index += 1
        }
        advance()
        return events
    }

    /// Drops what nobody has read, the oldest segment first, until at least `bytes` of disk are given back or nothing
    /// unread is left.
    /// What the consumer has in its hands stays its own.
    mutating func dropOldest(bytes: Int64) -> Dropped {
        epoch &+= 1
        var dropped = Dropped()
        dropUnreadFlights(&dropped)
        var freed: Int64 = 0
        while freed < bytes, let segment = segment(at: readPosition), readPosition < segment.end {
            let count = max(0, Int(clamping: segment.events) - Int(readBefore))
            flights.append(
                Flight(
                    range: readPosition..<segment.end, before: readBefore, count: count,
                    time: segment.firstTime ?? WallTime(nanoseconds: 0), isDone: true))
            dropped.events += count
            dropped.bytes += Int64(segment.end - readPosition)
            if segment.isSealed {
                freed += segment.fileBytes
                // Untouched by the consumer: the file can go although older records are still in its hands.
                if readPosition == segment.header.start {
                    dropped.segments.append(segment)
                    segments.removeAll { $0.header == segment.header }
                }
            }
            readPosition = segment.end
            readBefore = UInt32(truncatingIfNeeded: segment.events)
            settleReader()
        }
        nextTime = segment(at: readPosition).flatMap { readPosition == $0.header.start ? $0.firstTime : nil }
        advance()
        return dropped
    }

    struct Dropped: Hashable {
        var events = 0
        var bytes: Int64 = 0
        /// Files to remove.
        var segments: [Segment] = []
    }

    // Behind a rewind, what was read before is unread again.
    private mutating func dropUnreadFlights(_ dropped: inout Dropped) {
        for index in flights.indices where flights[index].range.lowerBound >= readPosition && !flights[index].isDone {
            flights[index].isDone = true
            dropped.events += flights[index].count
            dropped.bytes += Int64(flights[index].range.count)
        }
        if let last = flights.last, last.range.upperBound > readPosition {
            readPosition = last.range.upperBound
            readBefore = last.before &+ UInt32(truncatingIfNeeded: last.count)
        }
        settleReader()
    }

    /// True when everything in the segment being written is done with, so that a new one would give its space back.
    var lastIsSpent: Bool {
        guard let last = segments.last, !last.isSealed, last.records > 0 else { return false }
        return cursor >= last.end
    }

    /// True when a file can go, when the cursor has moved a mebibyte, or when the queue has just become empty.
    func isTidyDue(since tidied: UInt64) -> Bool {
        if let first = segments.first, first.isSealed, first.end <= cursor { return true }
        return cursor >= tidied + 1 << 20 || (flights.isEmpty && !hasUnread && cursor != tidied)
    }

    /// Takes out the sealed segments in which nothing is held any more.
    mutating func removeSpent() -> [Segment] {
        let spent = segments.prefix { $0.isSealed && $0.end <= cursor }
        segments.removeFirst(spent.count)
        return Array(spent)
    }

    // MARK: Places

    /// The segment that holds a position, or begins after it.
    func segment(at position: UInt64) -> Segment? {
        segments.first { $0.end > position || ($0.end == position && !$0.isSealed) }
    }

    private func place(of start: UInt64) -> Int? {
        guard let index = firstFlight(notBefore: start), flights[offset: index].range.lowerBound == start else {
            return nil
        }
        return index
    }

    private func firstFlight(notBefore start: UInt64) -> Int? {
        var low = 0
        var high = flights.count
        while low < high {
            let middle = low + (high - low) / 2
            if flights[offset: middle].range.lowerBound < start { low = middle + 1 } else { high = middle }
        }
        return low < flights.count ? low : nil
    }

    private mutating func advance() {
        while let first = flights.first, first.isDone, first.range.upperBound <= readPosition {
            cursor = first.range.upperBound
            cursorBefore = first.before &+ UInt32(truncatingIfNeeded: first.count)
            flights.removeFirst()
        }
        settle()
    }

    /// Steps over the ends of sealed segments.
    private mutating func settle() {
        settleReader()
        if flights.isEmpty {
            cursor = readPosition
            cursorBefore = readBefore
        } else {
            while let segment = segment(at: cursor), cursor < segment.header.start {
                cursor = segment.header.start
                cursorBefore = 0
            }
        }
    }

    private mutating func settleReader() {
        // More than one step where a sealed segment is empty.
        while let segment = segment(at: readPosition), readPosition < segment.header.start {
            readPosition = segment.header.start
            readBefore = 0
        }
    }
}
