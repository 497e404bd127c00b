import NIOCore
import WeirFlow
import WeirStore
import WeirWorld

/// A batch as a record of the queue, and back.
///
/// Kind: bits 0-3 the event kind, bit 4 set for newline framing. Payload: the slab as it is; without separators (bare)
/// the ends come first, four bytes each, little-endian. Attributes: when it was received (i64 nanoseconds), the source,
/// then key and value of each attribute, texts with their length before them (u16; at most 65,535 bytes together, what
/// is beyond is left out).
enum BatchRecord {
    private static let newline: UInt8 = 0x10
    /// Larger batches are cut into several records: the store takes less than 256 MiB and 16 Mi events in one.
    static let bytesMost = 32 << 20
    static let eventsMost = 4_000_000

    static func encode(_ batch: Batch, at wall: WallTime) -> QueueRecord {
        let isLines = batch.framing == .newline
        var payload: [ByteBuffer] = []
        if !isLines {
            var ends = ByteBuffer()
            ends.reserveCapacity(batch.count * 4)
            for end in batch.ends { ends.writeInteger(end, endianness: .little) }
            payload.append(ends)
        }
        payload.append(batch.slab)
        return QueueRecord(
            payload: payload, count: batch.count, kind: batch.kind.rawValue & 0x0F | (isLines ? newline : 0),
            attributes: attributes(batch.context), time: wall)
    }

    /// - Returns: `nil` when the record is not one of ours.
    static func decode(_ record: StoredRecord) -> Batch? {
        guard let kind = EventKind(rawValue: record.kind & 0x0F), record.count > 0,
            let context = context(record.attributes, kind: kind)
        else { return nil }
        var payload = record.payload
        if record.kind & newline != 0 {
            guard payload.getInteger(at: payload.writerIndex - 1, as: UInt8.self) == 0x0A else { return nil }
            let batch = Batch.lines(payload, context: context)
            return batch.count == record.count ? batch : nil
        }
        var ends = ContiguousArray<UInt32>()
        ends.reserveCapacity(min(record.count, payload.readableBytes / 4))
        for _ in 0..<record.count {
            guard let end = payload.readInteger(endianness: .little, as: UInt32.self), end >= ends.last ?? 0 else {
                return nil
            }
            ends.append(end)
        }
        guard Int(ends.last ?? 0) == payload.readableBytes else { return nil }
        return Batch(slab: payload, ends: ends, framing: .bare, context: context)
    }

    /// The batch in pieces that each fit into a record; usually one.
    static func pieces(_ batch: Batch) -> [Batch] {
        batch.cuts(bytes: bytesMost, events: eventsMost).map(batch.slice)
    }

    private static func attributes(_ context: BatchContext) -> ByteBuffer {
        var buffer = ByteBuffer()
        buffer.writeInteger(context.received.nanoseconds, endianness: .little)
        write(context.source, to: &buffer)
        for (key, value) in context.attributes.sorted(by: { $0.key < $1.key }) {
            guard buffer.readableBytes + key.utf8.count + value.utf8.count + 4 <= 60_000 else { break }
            write(key, to: &buffer)
            write(value, to: &buffer)
        }
        return buffer
    }

    private static func write(_ text: String, to buffer: inout ByteBuffer) {
        let bytes = text.utf8.prefix(60_000)
        buffer.writeInteger(UInt16(bytes.count), endianness: .little)
        buffer.writeBytes(bytes)
    }

    private static func context(_ attributes: ByteBuffer, kind: EventKind) -> BatchContext? {
        var buffer = attributes
        guard let received = buffer.readInteger(endianness: .little, as: Int64.self), let source = read(&buffer) else {
            return nil
        }
        var context = BatchContext(kind: kind, source: source, received: WallTime(nanoseconds: received))
        while let key = read(&buffer), let value = read(&buffer) { context.attributes[key] = value }
        return context
    }

    private static func read(_ buffer: inout ByteBuffer) -> String? {
        guard let length = buffer.readInteger(endianness: .little, as: UInt16.self) else { return nil }
        return buffer.readString(length: Int(length))
    }
}
