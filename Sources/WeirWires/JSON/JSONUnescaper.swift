package import NIOCore

/// Turns the inside of a JSON string into its bytes, piece by piece: escapes may be cut anywhere between two reads.
///
/// A lone half of a surrogate pair becomes U+FFFD, because it has no bytes of its own; raw control characters are
/// refused (RFC 8259 section 7).
package struct JSONUnescaper: Sendable {
    package struct Mistake: Error, Sendable, Hashable {
        package var message: String
    }

    private enum Place {
        case text
        case escape
        /// Within the four digits after `\u`: how many there were, and their value.
        case hex(digits: Int, value: UInt32)
        case end
    }

    private var place = Place.text
    /// The first half of a pair, waiting for the second.
    private var high: UInt32?

    package init() {}

    /// The closing quote was read.
    package var isAtEnd: Bool {
        if case .end = place { return true }
        return false
    }

    /// Reads up to the closing quote or the end of `bytes`.
    /// - Returns: how many bytes were taken, the quote included.
    package mutating func take(_ bytes: UnsafeRawBufferPointer, into buffer: inout ByteBuffer) throws(Mistake) -> Int {
        var index = 0
        while index < bytes.count {
            switch place {
            case .end: return index
            case .text:
                let start = index
                index = JSONUnescaper.endOfRun(bytes, index)
                if index > start {
                    closePair(&buffer)
                    buffer.writeBytes(UnsafeRawBufferPointer(rebasing: bytes[start..<index]))
                }
                guard index < bytes.count else { return index }
                let byte = bytes[index]
                index += 1
                if byte == UInt8(ascii: "\\") {
                    place = .escape
                } else if byte == UInt8(ascii: "\"") {
                    closePair(&buffer)
                    place = .end
                } else {
                    throw Mistake(message: "a raw control character stands in a string")
                }
            case .escape:
                try escape(bytes[index], into: &buffer)
                index += 1
            case .hex(let digits, let value):
                try hex(bytes[index], digits, value, into: &buffer)
                index += 1
            }
        }
        return index
    }

    /// Where a run of bytes that stand for themselves ends.
    private static func endOfRun(_ bytes: UnsafeRawBufferPointer, _ start: Int) -> Int {
        var index = start
        while index < bytes.count {
            let byte = bytes[index]
            if byte < 0x20 || byte == 0x22 || byte == 0x5C { return index }
            index &+= 1
        }
        return index
    }

    private mutating func escape(_ byte: UInt8, into buffer: inout ByteBuffer) throws(Mistake) {
        let meant: UInt8
        switch byte {
        case UInt8(ascii: "u"):
            place = .hex(digits: 0, value: 0)
            return
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): meant = byte
        case UInt8(ascii: "n"): meant = 0x0A
        case UInt8(ascii: "t"): meant = 0x09
        case UInt8(ascii: "r"): meant = 0x0D
        case UInt8(ascii: "b"): meant = 0x08
        case UInt8(ascii: "f"): meant = 0x0C
        default: throw Mistake(message: "an unknown escape stands in a string")
        }
        closePair(&buffer)
        buffer.writeInteger(meant)
        place = .text
    }

    private mutating func hex(
        _ byte: UInt8, _ digits: Int, _ value: UInt32, into buffer: inout ByteBuffer
    ) throws(Mistake) {
        let digit: UInt8
        switch byte {
        case 0x30...0x39: digit = byte - 0x30
        case 0x41...0x46: digit = byte - 0x41 + 10
        case 0x61...0x66: digit = byte - 0x61 + 10
        default: throw Mistake(message: "\\u must be followed by four hexadecimal digits")
        }
        let value = value << 4 | UInt32(digit)
        guard digits == 3 else {
            place = .hex(digits: digits + 1, value: value)
            return
        }
        place = .text
        switch value {
        case 0xD800...0xDBFF:
            closePair(&buffer)
            high = value
        case 0xDC00...0xDFFF:
            if let first = high {
                high = nil
                JSONUnescaper.write(0x10000 + ((first - 0xD800) << 10) + (value - 0xDC00), to: &buffer)
            } else {
                JSONUnescaper.write(0xFFFD, to: &buffer)
            }
        default:
            closePair(&buffer)
            JSONUnescaper.write(value, to: &buffer)
        }
    }

    private mutating func closePair(_ buffer: inout ByteBuffer) {
        guard high != nil else { return }
        high = nil
        JSONUnescaper.write(0xFFFD, to: &buffer)
    }

    private static func write(_ scalar: UInt32, to buffer: inout ByteBuffer) {
        guard let scalar = Unicode.Scalar(scalar) else { return }
        buffer.writeBytes(UTF8.encode(scalar) ?? UTF8.encodedReplacementCharacter)
    }
}
