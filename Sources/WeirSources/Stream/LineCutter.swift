internal import CWeirSystem
internal import NIOCore
internal import WeirFlow
internal import WeirWires

/// Cuts a stream at line feeds. Empty lines are no events, a carriage return before the line feed is not part of one,
/// and a line that is too long is cut and counted.
struct LineCutter: StreamCutter {
    let format: LineFormat
    /// Bytes of content.
    let limit: Int
    let meter: SourceMeter
    private var isSkipping = false

    init(format: LineFormat, limit: Int, meter: SourceMeter) {
        self.format = format
        self.limit = max(limit, CutMark.length + 1)
        self.meter = meter
    }

    mutating func completeBytes(in gathered: ByteBuffer, known: Int) -> Int {
        gathered.withUnsafeReadableBytes { bytes in
            guard bytes.count > known, let base = bytes.baseAddress,
                let last = memrchr(base + known, 0x0A, bytes.count - known)
            else { return known }
            return UnsafeRawPointer(last) - base + 1
        }
    }

    mutating func skip(_ read: inout ByteBuffer) {
        guard isSkipping else { return }
        let end = read.withUnsafeReadableBytes { SyslogFraming.lineFeed(in: $0, from: 0) }
        read.moveReaderIndex(forwardBy: end.map { $0 + 1 } ?? read.readableBytes)
        if end != nil { isSkipping = false }
    }

    mutating func shorten(_ gathered: inout ByteBuffer, after complete: Int, to limit: Int) {
        meter.malformed(1, code: "too_long")
        gathered.moveWriterIndex(to: gathered.readerIndex + complete + limit - CutMark.length)
        gathered.writeStaticString("…[cut]\n")
        isSkipping = true
    }

    mutating func finish(_ gathered: inout ByteBuffer, after complete: Int) {
        // A last line without a line feed is an event all the same.
        if gathered.readableBytes > complete { gathered.writeInteger(0x0A as UInt8) }
    }

    mutating func batches(of complete: ByteBuffer, context: BatchContext) -> [Batch] {
        var context = context
        context.kind = format == .ndjson ? .json : .raw
        var batch = Batch.lines(complete, context: context)
        let found = look(at: batch)
        if found.isClean {
            if format == .auto && found.objects == batch.count { batch.context.kind = .json }
            return batch.isEmpty ? [] : [batch]
        }
        return repaired(batch)
    }

    private struct Findings {
        var objects = 0
        var isClean = true
    }

    // One pass with two bytes looked at per event; both lie in cache lines that the scanner has just touched.
    private func look(at batch: Batch) -> Findings {
        let limit = UInt32(clamping: limit + 1)
        let wantsObjects = format != .lines
        return batch.withUnsafeEvents { bytes, ends in
            var found = Findings()
            var start: UInt32 = 0
            for end in ends {
                let length = end &- start
                if length <= 1 || length > limit || bytes[Int(end) &- 2] == 0x0D {
                    found.isClean = false
                    return found
                }
                if wantsObjects && bytes[Int(start)] == 0x7B { found.objects &+= 1 }
                start = end
            }
            if format == .ndjson && found.objects != ends.count { found.isClean = false }
            return found
        }
    }

    /// The rare way: lines are copied one by one. In NDJSON what cannot be an object goes on as raw text, counted.
    private func repaired(_ batch: Batch) -> [Batch] {
        var context = batch.context
        var main = BatchBuilder(context: context)
        context.kind = .raw
        var others = BatchBuilder(context: context)
        var objects = 0
        batch.withUnsafeEvents { bytes, ends in
            var start = 0
            for end in ends {
                var content = UnsafeRawBufferPointer(rebasing: bytes[start..<(Int(end) - 1)])
                start = Int(end)
                if content.last == 0x0D { content = UnsafeRawBufferPointer(rebasing: content.dropLast()) }
                guard !content.isEmpty else { continue }
                let isObject = content.first == 0x7B
                if isObject { objects += 1 }
                let isOdd = format == .ndjson && !isObject && content.first != 0x20 && content.first != 0x09
                if isOdd { meter.malformed(1, code: "not_json") }
                if content.count > limit {
                    meter.malformed(1, code: "too_long")
                    var short = ByteBuffer(bytes: content.prefix(limit - CutMark.length))
                    short.writeString(CutMark.text)
                    if isOdd { others.append(short) } else { main.append(short) }
                } else {
                    if isOdd { others.append(content) } else { main.append(content) }
                }
            }
        }
        if format == .auto && objects == main.count { main.context.kind = .json }
        return [main, others].compactMap { builder in
            var builder = builder
            return builder.count == 0 ? nil : builder.finish()
        }
    }
}

extension LineCutter {
    /// As it was before the first byte.
    var anew: LineCutter { LineCutter(format: format, limit: limit, meter: meter) }
}
