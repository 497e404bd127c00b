package import NIOCore
package import WeirWorld

/// What the bytes of an event are, which says how an expression finds fields in them.
package enum EventKind: UInt8, Sendable, Hashable {
    /// A line of text. One that begins with `{` may still be read as JSON.
    case raw = 0
    /// One JSON object.
    case json = 1
    /// A syslog message, RFC 5424 or RFC 3164, with its PRI.
    case syslog = 2
}

/// A run of events that travel together: one slab of bytes and the end of each event in it.
///
/// Nothing is allocated, copied or awaited per event: a batch is cut out of what was read from a socket. Slices share
/// the slab. An event is `slab[end of the one before ..< its end]`; with `.newline` framing its last byte is a line
/// feed that is not part of its content and its content has no line feed, so that a run of events can be written to a
/// line protocol as it is.
package struct Batch: Sendable {
    package enum Framing: UInt8, Sendable, Hashable {
        /// Nothing between events; an event may contain line feeds.
        case bare = 0
        /// Each event ends with one line feed and contains none.
        case newline = 1

        /// Bytes at the end of each event that are not content.
        package var separatorLength: Int { self == .newline ? 1 : 0 }
    }

    /// The readable bytes are exactly the events, one after the other.
    package private(set) var slab: ByteBuffer
    /// For each event the offset of the byte after it (after its separator), counted from the slab's reader index.
    package private(set) var ends: ContiguousArray<UInt32>
    package private(set) var framing: Framing
    package var context: BatchContext

    /// - Precondition: `ends` rises, and its last value is the slab's readable length.
    package init(slab: ByteBuffer, ends: ContiguousArray<UInt32>, framing: Framing, context: BatchContext) {
        precondition(Int(ends.last ?? 0) == slab.readableBytes, "the events do not cover the slab")
        self.slab = slab
        self.ends = ends
        self.framing = framing
        self.context = context
    }

    /// Largest slab that `ends` can address; sources cut far below.
    package static let byteCountMost = Int(UInt32.max) - 1

    package var count: Int { ends.count }
    package var isEmpty: Bool { ends.isEmpty }
    /// Bytes held in memory by this batch, separators included.
    package var byteCount: Int { slab.readableBytes }
    package var kind: EventKind { context.kind }

    /// The content of one event as a range of offsets from the slab's reader index.
    package func range(of index: Int) -> Range<Int> {
        let start = index == 0 ? 0 : Int(ends[index - 1])
        return start..<(Int(ends[index]) - framing.separatorLength)
    }

    /// The content of one event; shares the slab.
    package func event(at index: Int) -> ByteBuffer {
        let range = range(of: index)
        // The initialiser guarantees that every range lies within the slab.
        return slab.getSlice(at: slab.readerIndex + range.lowerBound, length: range.count) ?? ByteBuffer()
    }

    /// The events of a range of indices; shares the slab.
    package func slice(_ range: Range<Int>) -> Batch {
        if range == 0..<count { return self }
        guard !range.isEmpty else {
            return Batch(slab: ByteBuffer(), ends: [], framing: framing, context: context)
        }
        let start = range.lowerBound == 0 ? 0 : Int(ends[range.lowerBound - 1])
        let end = Int(ends[range.upperBound - 1])
        let bytes = slab.getSlice(at: slab.readerIndex + start, length: end - start) ?? ByteBuffer()
        return Batch(
            slab: bytes, ends: ContiguousArray(ends[range].lazy.map { $0 - UInt32(start) }), framing: framing,
            context: context)
    }

    /// How many of its first events take at most `room` bytes together, separators included.
    package func countFitting(_ room: Int) -> Int {
        var low = 0
        var high = count
        while low < high {
            let middle = (low + high) / 2
            if Int(ends[middle]) <= room { low = middle + 1 } else { high = middle }
        }
        return low
    }

    /// Where to cut so that each run of events takes at most `bytes` (separators included) and has at most `events`; an
    /// event that is larger by itself stands alone. Usually one run.
    /// - Precondition: both are positive.
    package func cuts(bytes: Int, events: Int) -> [Range<Int>] {
        precondition(bytes > 0 && events > 0, "nothing fits into \(bytes) bytes and \(events) events")
        if isEmpty { return [] }
        if byteCount <= bytes && count <= events { return [0..<count] }
        var runs: [Range<Int>] = []
        var start = 0
        while start < count {
            let base = start == 0 ? 0 : Int(ends[start - 1])
            var low = start + 1
            var high = start + min(events, count - start)
            // The most events whose bytes fit; at least one.
            while low < high {
                let middle = (low + high + 1) / 2
                if Int(ends[middle - 1]) - base <= bytes { low = middle } else { high = middle - 1 }
            }
            runs.append(start..<low)
            start = low
        }
        return runs
    }

    /// The same events in a slab of their own: for a small part that must not keep a large slab alive.
    package func detached() -> Batch {
        var bytes = ByteBuffer()
        bytes.reserveCapacity(byteCount)
        bytes.writeImmutableBuffer(slab)
        return Batch(slab: bytes, ends: ends, framing: framing, context: context)
    }

    /// The events whose place in `chosen` is true; copies them, but for all and for none.
    package func selecting(_ chosen: some Collection<Bool>) -> Batch {
        precondition(chosen.count == count, "\(chosen.count) choices for \(count) events")
        let total = chosen.reduce(into: 0) { $0 += $1 ? 1 : 0 }
        if total == count { return self }
        if total == 0 { return slice(0..<0) }
        var bytes = ByteBuffer()
        bytes.reserveCapacity(byteCount / count * total)
        var kept = ContiguousArray<UInt32>()
        kept.reserveCapacity(total)
        slab.withUnsafeReadableBytes { all in
            // Neighbours are copied in one go: runs are long when a condition holds for most or few events.
            var runStart = 0
            var previous = 0
            var inRun = false
            for (index, isChosen) in chosen.enumerated() {
                let end = Int(ends[index])
                if isChosen {
                    if !inRun {
                        runStart = previous
                        inRun = true
                    }
                    kept.append(UInt32(bytes.readableBytes + end - runStart))
                } else if inRun {
                    bytes.writeBytes(UnsafeRawBufferPointer(rebasing: all[runStart..<previous]))
                    inRun = false
                }
                previous = end
            }
            if inRun { bytes.writeBytes(UnsafeRawBufferPointer(rebasing: all[runStart..<previous])) }
        }
        return Batch(slab: bytes, ends: kept, framing: framing, context: context)
    }

    /// The batches as one, copied into one slab, with the context of the first; `nil` when there is none, when their
    /// framing differs, when their contexts do (unless told to mix), or when one slab cannot address them all.
    package static func joined(_ batches: [Batch], mixingContexts: Bool = false) -> Batch? {
        guard let first = batches.first else { return nil }
        if batches.count == 1 { return first }
        guard
            batches.allSatisfy({ batch in
                batch.framing == first.framing && (mixingContexts || batch.context.isSame(as: first.context))
            }), batches.reduce(0, { $0 + $1.byteCount }) <= byteCountMost
        else { return nil }
        var bytes = ByteBuffer()
        bytes.reserveCapacity(batches.reduce(0) { $0 + $1.byteCount })
        var ends = ContiguousArray<UInt32>()
        ends.reserveCapacity(batches.reduce(0) { $0 + $1.count })
        for batch in batches {
            let base = UInt32(bytes.readableBytes)
            bytes.writeImmutableBuffer(batch.slab)
            ends.append(contentsOf: batch.ends.lazy.map { $0 + base })
        }
        return Batch(slab: bytes, ends: ends, framing: first.framing, context: first.context)
    }

    /// Calls `body` with the slab's readable bytes and the ends: for scanners that look at a whole batch in one call.
    package func withUnsafeEvents<Result>(
        _ body: (UnsafeRawBufferPointer, UnsafeBufferPointer<UInt32>) throws -> Result
    ) rethrows -> Result {
        try slab.withUnsafeReadableBytes { bytes in
            try ends.withUnsafeBufferPointer { try body(bytes, $0) }
        }
    }
}

/// What all events of a batch have in common.
package struct BatchContext: Sendable {
    package var kind: EventKind
    /// Name of the source in the configuration.
    package var source: String
    /// When the first event of the batch was read.
    package var received: WallTime
    /// What the sender said about all of these events: `peer`, `index`, `host`, `sourcetype`, … Expressions see it as
    /// `meta`.
    package var attributes: [String: String]

    package init(kind: EventKind, source: String, received: WallTime, attributes: [String: String] = [:]) {
        self.kind = kind
        self.source = source
        self.received = received
        self.attributes = attributes
    }

    /// True where two batches may be joined: all but the time is equal.
    package func isSame(as other: BatchContext) -> Bool {
        kind == other.kind && source == other.source && attributes == other.attributes
    }
}
