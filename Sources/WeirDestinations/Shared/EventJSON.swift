import NIOCore
import WeirFlow
import WeirWires

/// One event as one JSON object on one line.
///
/// JSON passes as it is. Text becomes `{"message": …}`.
enum EventJSON {
    static func write(_ event: UnsafeRawBufferPointer, kind: EventKind, to buffer: inout ByteBuffer) {
        switch kind {
        case .json: writeOneLine(event, to: &buffer)
        case .raw, .syslog: writeMessage(event, to: &buffer)
        }
    }

    private static func writeMessage(_ event: UnsafeRawBufferPointer, to buffer: inout ByteBuffer) {
        buffer.writeStaticString("{\"message\":")
        JSONText.write(event, to: &buffer)
        buffer.writeInteger(UInt8(ascii: "}"))
    }

    // A line feed in JSON stands between tokens: a space means the same.
    private static func writeOneLine(_ event: UnsafeRawBufferPointer, to buffer: inout ByteBuffer) {
        var rest = event[...]
        while let feed = rest.firstIndex(of: 0x0A) {
            buffer.writeBytes(UnsafeRawBufferPointer(rebasing: rest[..<feed]))
            buffer.writeInteger(0x20 as UInt8)
            rest = rest[(feed + 1)...]
        }
        buffer.writeBytes(UnsafeRawBufferPointer(rebasing: rest))
    }
}
