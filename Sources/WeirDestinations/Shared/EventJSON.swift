import Glibc
import NIOCore
import WeirExpressions
import WeirFlow
import WeirWires

/// One event as one JSON object on one line.
///
/// JSON passes as it is. Text becomes `{"message": …}`. Syslog becomes the fields that expressions see (`facility`,
/// `severity`, `host`, `app`, `procid`, `msgid`, `structured_data`, `time`, `message`).
enum EventJSON {
    static func write(_ event: UnsafeRawBufferPointer, of context: BatchContext, to buffer: inout ByteBuffer) {
        switch context.kind {
        case .json: LineFeeds.replace(in: event, by: " ", to: &buffer)
        case .raw: writeMessage(event, to: &buffer)
        case .syslog: writeFields(event, context, to: &buffer)
        }
    }

    private static func writeMessage(_ event: UnsafeRawBufferPointer, to buffer: inout ByteBuffer) {
        buffer.writeStaticString("{\"message\":")
        JSONText.write(event, to: &buffer)
        buffer.writeInteger(UInt8(ascii: "}"))
    }

    private static let whole = try? Expression("event")

    private static func writeFields(
        _ event: UnsafeRawBufferPointer, _ context: BatchContext, to buffer: inout ByteBuffer
    ) {
        let record = RecordView(
            bytes: event, kind: .syslog, source: context.source, meta: context.attributes, received: context.received)
        guard let value = try? whole?.evaluate(record), case .map = value else {
            return writeMessage(event, to: &buffer)
        }
        buffer.writeString(value.jsonText)
    }
}

/// Line feeds inside events, found by `memchr`: most events have none.
enum LineFeeds {
    static func replace(in event: UnsafeRawBufferPointer, by text: StaticString, to buffer: inout ByteBuffer) {
        var rest = event
        while let start = rest.baseAddress, let found = memchr(start, 0x0A, rest.count) {
            let length = UnsafeRawPointer(found) - start
            buffer.writeBytes(UnsafeRawBufferPointer(rebasing: rest[..<length]))
            buffer.writeStaticString(text)
            rest = UnsafeRawBufferPointer(rebasing: rest[(length + 1)...])
        }
        buffer.writeBytes(rest)
    }
}
