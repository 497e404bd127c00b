package import NIOCore

/// Decodes base64 (RFC 4648 section 4, with padding) piece by piece, as it stands in a JSON string: `\/` and the
/// escapes of line ends are understood.
package struct Base64Stream: Sendable {
    package struct Mistake: Error, Hashable {
        /// In characters from the beginning.
        package var offset: Int
    }

    private var bits: UInt32 = 0
    private var count = 0
    private var padding = 0
    private var isEscaped = false
    private var offset = 0

    package init() {}

    private static let values: [Int8] = {
        var values = [Int8](repeating: -1, count: 256)
        let alphabet: StaticString = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
        for index in 0..<64 { values[Int(alphabet.utf8Start[index])] = Int8(index) }
        return values
    }()

    package mutating func decode(_ text: UnsafeRawBufferPointer, into buffer: inout ByteBuffer) throws(Mistake) {
        var failure: Mistake?
        buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: text.count / 4 * 3 + 3) { room in
            var written = 0
            Self.values.withUnsafeBufferPointer { values in
                for byte in text {
                    offset += 1
                    let value = values[Int(byte)]
                    if value >= 0, !isEscaped, padding == 0 {
                        bits = bits << 6 | UInt32(value)
                        count += 1
                        if count == 4 {
                            room[written] = UInt8(truncatingIfNeeded: bits >> 16)
                            room[written + 1] = UInt8(truncatingIfNeeded: bits >> 8)
                            room[written + 2] = UInt8(truncatingIfNeeded: bits)
                            written += 3
                            bits = 0
                            count = 0
                        }
                    } else if !rare(byte, room, &written) {
                        failure = Mistake(offset: offset - 1)
                        return
                    }
                }
            }
            return written
        }
        if let failure { throw failure }
    }

    /// The text is over: whole groups of four only.
    package func finish() throws(Mistake) {
        if count != 0 || isEscaped || padding % 4 == 1 { throw Mistake(offset: offset) }
    }

    // Escapes and padding. `padding` counts up to the end of its group: 1 after the first of two, then 2 or 4.
    private mutating func rare(_ byte: UInt8, _ room: UnsafeMutableRawBufferPointer, _ written: inout Int) -> Bool {
        if isEscaped {
            isEscaped = false
            switch byte {
            case 0x6E, 0x72: return true
            case 0x2F where padding == 0:
                bits = bits << 6 | 63
                count += 1
                if count == 4 {
                    for shift in [16, 8, 0] as [UInt32] {
                        room[written] = UInt8(truncatingIfNeeded: bits >> shift)
                        written += 1
                    }
                    bits = 0
                    count = 0
                }
                return true
            default: return false
            }
        }
        switch (byte, padding) {
        case (0x5C, _):
            isEscaped = true
            return true
        case (0x3D, 0) where count == 3:
            room[written] = UInt8(truncatingIfNeeded: bits >> 10)
            room[written + 1] = UInt8(truncatingIfNeeded: bits >> 2)
            written += 2
            padding = 4
        case (0x3D, 0) where count == 2:
            room[written] = UInt8(truncatingIfNeeded: bits >> 4)
            written += 1
            padding = 1
        case (0x3D, 1): padding = 2
        default: return false
        }
        count = 0
        return true
    }
}
