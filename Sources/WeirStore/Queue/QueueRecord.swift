package import NIOCore
package import WeirWorld

/// A place in a queue, in bytes since the queue was made; rises with every append and is never used twice.
///
/// A run of records is named by `first.lowerBound ..< last.upperBound`: together with the queue's name this is the
/// stable identity of a batch, the same after a restart, by which receivers may tell duplicates.
package struct QueueOffset: Sendable, Hashable, Comparable, CustomStringConvertible {
    package var position: UInt64

    package init(_ position: UInt64) { self.position = position }

    package static func < (left: QueueOffset, right: QueueOffset) -> Bool { left.position < right.position }

    package var description: String { "@\(position)" }
}

/// What is given to a queue: a whole batch as bytes. The queue knows no events; it only keeps how many there are.
package struct QueueRecord: Sendable {
    /// Written one after the other, without anything between.
    package var payload: [ByteBuffer]
    /// Events in the payload: 0 ... 16,777,215.
    package var count: Int
    /// Opaque: framing and kind as the caller codes them.
    package var kind: UInt8
    /// Opaque, at most 65,535 bytes; never compressed.
    package var attributes: ByteBuffer
    /// Kept in hundredths of a second.
    package var time: WallTime

    package init(
        payload: [ByteBuffer], count: Int, kind: UInt8 = 0, attributes: ByteBuffer = ByteBuffer(), time: WallTime
    ) {
        self.payload = payload
        self.count = count
        self.kind = kind
        self.attributes = attributes
        self.time = time
    }

    package init(
        payload: ByteBuffer, count: Int, kind: UInt8 = 0, attributes: ByteBuffer = ByteBuffer(), time: WallTime
    ) {
        self.init(payload: [payload], count: count, kind: kind, attributes: attributes, time: time)
    }

    package var payloadBytes: Int { payload.reduce(0) { $0 + $1.readableBytes } }
}

/// What comes out again. Payload and attributes may share memory with the other records of the same read.
package struct StoredRecord: Sendable {
    /// From its first byte to the one after its last: what is given back to `acknowledge`.
    package var offsets: Range<QueueOffset>
    package var payload: ByteBuffer
    package var count: Int
    package var kind: UInt8
    package var attributes: ByteBuffer
    package var time: WallTime
}
