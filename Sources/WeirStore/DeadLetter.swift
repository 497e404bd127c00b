package import NIOCore
package import WeirWorld

/// An event that a receiver refused for good, with all that a person needs to decide what to do with it.
package struct DeadLetter: Sendable, Hashable {
    package var event: ByteBuffer
    /// Opaque: as the queue's records have it.
    package var kind: UInt8
    package var destination: String
    package var source: String
    /// What the receiver answered, where the protocol has numbers.
    package var status: Int?
    /// From the closed set of reason codes.
    package var code: String
    /// What the receiver said, or what Weir says of it.
    package var message: String
    package var attempts: Int
    /// When it was given up.
    package var time: WallTime
    /// What its owner wants to know again when it sends the letter once more; opaque here, empty when there is nothing.
    package var context: String

    package init(
        event: ByteBuffer, kind: UInt8, destination: String, source: String, status: Int? = nil, code: String,
        message: String, attempts: Int, time: WallTime, context: String = ""
    ) {
        self.event = event
        self.kind = kind
        self.destination = destination
        self.source = source
        self.status = status
        self.code = code
        self.message = message
        self.attempts = attempts
        self.time = time
        self.context = context
    }

    /// Longest message that is kept, in bytes.
    static let messageMost = 2_048

    /// Attributes: version u8 · status i32 (-1: none) · attempts u32 · destination, source, code, message, context,
    /// each length u16 and bytes; the context may be missing.
    var record: QueueRecord {
        var attributes = ByteBuffer()
        attributes.writeInteger(1 as UInt8)
        attributes.writeInteger(Int32(clamping: status ?? -1), endianness: .little)
        attributes.writeInteger(UInt32(clamping: attempts), endianness: .little)
        for text in [destination, source, code, message, context] {
            let bytes = text.utf8.prefix(DeadLetter.messageMost)
            attributes.writeInteger(UInt16(bytes.count), endianness: .little)
            attributes.writeBytes(bytes)
        }
        return QueueRecord(payload: event, count: 1, kind: kind, attributes: attributes, time: time)
    }

    /// `nil` where the record is no dead letter.
    package init?(_ record: StoredRecord) {
        var attributes = record.attributes
        guard attributes.readInteger(as: UInt8.self) == 1,
            let status = attributes.readInteger(endianness: .little, as: Int32.self),
            let attempts = attributes.readInteger(endianness: .little, as: UInt32.self)
        else { return nil }
        var texts: [String] = []
        for _ in 0..<5 {
            if texts.count == 4, attributes.readableBytes == 0 { break }
            guard let length = attributes.readInteger(endianness: .little, as: UInt16.self),
                let text = attributes.readString(length: Int(length))
            else { return nil }
            texts.append(text)
        }
        self.init(
            event: record.payload, kind: record.kind, destination: texts[0], source: texts[1],
            status: status < 0 ? nil : Int(status), code: texts[2], message: texts[3], attempts: Int(attempts),
            time: record.time, context: texts.count > 4 ? texts[4] : "")
    }
}
