package import NIOCore

/// Writes JSON strings (RFC 8259 section 7) from raw bytes, without a String in between.
///
/// What needs no escape is copied in runs. Bytes that are not UTF-8 become U+FFFD, because a receiver would refuse the
/// whole body for one of them.
package enum JSONText {
    /// Appends a quoted string.
    package static func write(_ bytes: UnsafeRawBufferPointer, to buffer: inout ByteBuffer) {
        buffer.writeInteger(UInt8(ascii: "\""))
        writeContent(bytes, to: &buffer)
        buffer.writeInteger(UInt8(ascii: "\""))
    }

    package static func write(_ bytes: ByteBuffer, to buffer: inout ByteBuffer) {
        bytes.withUnsafeReadableBytes { write($0, to: &buffer) }
    }

    package static func write(_ text: String, to buffer: inout ByteBuffer) {
        var text = text
        text.withUTF8 { write(UnsafeRawBufferPointer($0), to: &buffer) }
    }

    private static func writeContent(_ bytes: UnsafeRawBufferPointer, to buffer: inout ByteBuffer) {
        var start = 0
        var index = 0
        while index < bytes.count {
            let byte = bytes[index]
            if byte >= 0x20, byte < 0x80, byte != 0x22, byte != 0x5C {
                index += 1
                continue
            }
            if byte >= 0x80 {
                let length = sequenceLength(bytes, at: index)
                if length > 0 {
                    index += length
                    continue
                }
            }
            buffer.writeBytes(UnsafeRawBufferPointer(rebasing: bytes[start..<index]))
            writeEscape(byte, to: &buffer)
            index += 1
            start = index
        }
        buffer.writeBytes(UnsafeRawBufferPointer(rebasing: bytes[start..<index]))
    }

    private static func writeEscape(_ byte: UInt8, to buffer: inout ByteBuffer) {
        switch byte {
        case 0x22: buffer.writeStaticString("\\\"")
        case 0x5C: buffer.writeStaticString("\\\\")
        case 0x0A: buffer.writeStaticString("\\n")
        case 0x0D: buffer.writeStaticString("\\r")
        case 0x09: buffer.writeStaticString("\\t")
        case 0x00..<0x20:
            buffer.writeStaticString("\\u00")
            buffer.writeInteger(hex(byte >> 4))
            buffer.writeInteger(hex(byte & 0x0F))
        default: buffer.writeStaticString("\u{FFFD}")
        }
    }

    private static func hex(_ nibble: UInt8) -> UInt8 { nibble < 10 ? 0x30 + nibble : 0x61 + nibble - 10 }

    /// Length of the well-formed UTF-8 sequence at `index`, 0 when it is none. Table 3-7 of the Unicode Standard.
    private static func sequenceLength(_ bytes: UnsafeRawBufferPointer, at index: Int) -> Int {
        let first = bytes[index]
        let length: Int
        var second: ClosedRange<UInt8> = 0x80...0xBF
        switch first {
        case 0xC2...0xDF: length = 2
        case 0xE0:
            length = 3
            second = 0xA0...0xBF
        case 0xED:
            length = 3
            second = 0x80...0x9F
        case 0xE1...0xEF: length = 3
        case 0xF0:
            length = 4
            second = 0x90...0xBF
        case 0xF4:
            length = 4
            second = 0x80...0x8F
        case 0xF1...0xF3: length = 4
        default: return 0
        }
        guard index + length <= bytes.count, second.contains(bytes[index + 1]) else { return 0 }
        for place in (index + 2)..<(index + max(length, 2)) where bytes[place] & 0xC0 != 0x80 { return 0 }
        return length
    }
}
