internal import NIOCore
internal import WeirFlow
internal import WeirWires

/// Cuts a stream of syslog messages, newline-framed and octet-counted ones mixed.
///
/// Newline-framed messages that are as they should be go on without a copy; the rest is copied once into a slab without
/// lengths and terminators.
struct SyslogCutter: StreamCutter {
    let limit: Int
    let meter: SourceMeter
    /// Ends of the messages seen so far, as long as all of them can stay where they are.
    private var ends = ContiguousArray<UInt32>()
    private var isClean = true
    private var skipping = Skip.nothing

    private enum Skip {
        case nothing, line
        case bytes(Int)
    }

    init(limit: Int, meter: SourceMeter) {
        self.limit = max(limit, 2 * CutMark.length)
        self.meter = meter
    }

    mutating func completeBytes(in gathered: ByteBuffer, known: Int) -> Int {
        var complete = known
        var withoutPriority = 0
        gathered.withUnsafeReadableBytes { bytes in
            while case .message(let content, let next, let isCounted) = SyslogFraming.step(in: bytes, from: complete) {
                complete = next
                if !content.isEmpty && bytes[content.lowerBound] != 0x3C { withoutPriority += 1 }
                guard isClean else { continue }
                if isCounted || content.isEmpty || content.upperBound + 1 != next || content.count > limit {
                    isClean = false
                } else {
                    ends.append(UInt32(truncatingIfNeeded: next))
                }
            }
        }
        if withoutPriority > 0 { meter.malformed(withoutPriority, code: "no_priority") }
        return complete
    }

    mutating func skip(_ read: inout ByteBuffer) {
        switch skipping {
        case .nothing: return
        case .bytes(let count):
            let skipped = min(count, read.readableBytes)
            read.moveReaderIndex(forwardBy: skipped)
            skipping = skipped == count ? .nothing : .bytes(count - skipped)
        case .line:
            let end = read.withUnsafeReadableBytes { SyslogFraming.lineFeed(in: $0, from: 0) }
            read.moveReaderIndex(forwardBy: end.map { $0 + 1 } ?? read.readableBytes)
            if end != nil { skipping = .nothing }
        }
    }

    mutating func shorten(_ gathered: inout ByteBuffer, after complete: Int, to limit: Int) {
        meter.malformed(1, code: "too_long")
        let (start, length) = partial(gathered, after: complete)
        let there = gathered.readableBytes - start
        skipping = length.map { .bytes(max(0, $0 - there)) } ?? .line
        rewrite(&gathered, after: complete, from: start, count: min(there, limit - CutMark.length), mark: true)
    }

    mutating func finish(_ gathered: inout ByteBuffer, after complete: Int) {
        guard gathered.readableBytes > complete else { return }
        let (start, length) = partial(gathered, after: complete)
        if length != nil { meter.malformed(1, code: "truncated_frame") }
        rewrite(&gathered, after: complete, from: start, count: gathered.readableBytes - start, mark: false)
    }

    private func partial(_ gathered: ByteBuffer, after complete: Int) -> (start: Int, length: Int?) {
        gathered.withUnsafeReadableBytes { bytes in
            guard case .incomplete(let start, let length) = SyslogFraming.step(in: bytes, from: complete) else {
                return (complete, nil)
            }
            return (start, length)
        }
    }

    /// Puts a newline-framed message in the place of a partial one. Line feeds within it become spaces: only a counted
    /// message can have them, and it cannot be counted any more.
    private mutating func rewrite(
        _ gathered: inout ByteBuffer, after complete: Int, from start: Int, count: Int, mark: Bool
    ) {
        var content = gathered.getBytes(at: gathered.readerIndex + start, length: max(0, count)) ?? []
        for index in content.indices where content[index] == 0x0A { content[index] = 0x20 }
        gathered.moveWriterIndex(to: gathered.readerIndex + complete)
        gathered.writeBytes(content)
        if mark { gathered.writeString(CutMark.text) }
        gathered.writeInteger(0x0A as UInt8)
        isClean = false
    }

    mutating func batches(of complete: ByteBuffer, context: BatchContext) -> [Batch] {
        var context = context
        context.kind = .syslog
        defer {
            ends = []
            isClean = true
        }
        if isClean && Int(ends.last ?? 0) == complete.readableBytes {
            return ends.isEmpty ? [] : [Batch(slab: complete, ends: ends, framing: .newline, context: context)]
        }
        let batch = copied(complete, context) ?? bare(complete, context)
        return batch.isEmpty ? [] : [batch]
    }

    /// All messages with a line feed each; `nil` when one has a line feed in it. Never longer than what came in: a
    /// counted message loses its number and its space, and any other one has its line feed already.
    private func copied(_ complete: ByteBuffer, _ context: BatchContext) -> Batch? {
        var slab = ByteBuffer()
        slab.reserveCapacity(complete.readableBytes + CutMark.length)
        var ends = ContiguousArray<UInt32>()
        ends.reserveCapacity(complete.readableBytes / 128 + 1)
        let isPlain = complete.withUnsafeReadableBytes { bytes in
            forEachMessage(bytes) { content in
                guard SyslogFraming.lineFeed(in: content, from: 0) == nil else { return false }
                append(content, to: &slab)
                slab.writeInteger(0x0A as UInt8)
                ends.append(UInt32(truncatingIfNeeded: slab.readableBytes))
                return true
            }
        }
        return isPlain ? Batch(slab: slab, ends: ends, framing: .newline, context: context) : nil
    }

    private func bare(_ complete: ByteBuffer, _ context: BatchContext) -> Batch {
        var slab = ByteBuffer()
        slab.reserveCapacity(complete.readableBytes)
        var ends = ContiguousArray<UInt32>()
        _ = complete.withUnsafeReadableBytes { bytes in
            forEachMessage(bytes) { content in
                append(content, to: &slab)
                ends.append(UInt32(truncatingIfNeeded: slab.readableBytes))
                return true
            }
        }
        return Batch(slab: slab, ends: ends, framing: .bare, context: context)
    }

    private func append(_ content: UnsafeRawBufferPointer, to slab: inout ByteBuffer) {
        guard content.count > limit else {
            slab.writeBytes(content)
            return
        }
        meter.malformed(1, code: "too_long")
        slab.writeBytes(UnsafeRawBufferPointer(rebasing: content.prefix(limit - CutMark.length)))
        slab.writeString(CutMark.text)
    }

    private func forEachMessage(
        _ bytes: UnsafeRawBufferPointer, _ body: (UnsafeRawBufferPointer) -> Bool
    ) -> Bool {
        var offset = 0
        while case .message(let content, let next, _) = SyslogFraming.step(in: bytes, from: offset) {
            offset = next
            if !content.isEmpty && !body(UnsafeRawBufferPointer(rebasing: bytes[content])) { return false }
        }
        return true
    }
}
