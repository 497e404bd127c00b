package import NIOCore

/// Turns a text that comes in pieces into UTF-8.
///
/// What it is in is said, in this order, by a byte order mark, by whoever sent it (`Content-Type`), by its XML
/// declaration; without any of them it is UTF-8. What cannot be read becomes U+FFFD. UTF-8 is passed on as it is,
/// without its mark.
package struct CharsetDecoder: Sendable {
    /// An XML declaration names a character set that we do not read.
    package struct Unknown: Error, Hashable {
        package var label: String

        package init(label: String) { self.label = label }
    }

    private enum Place {
        /// Too little is known; these bytes are kept.
        case beginning(ByteBuffer)
        case utf8
        case windows1252
        case utf16(isBigEndian: Bool, half: UInt8?, high: UInt16?)
    }

    /// An XML declaration is shorter.
    private static let beginningMost = 256

    private let declared: Charset?
    private var place = Place.beginning(ByteBuffer())

    /// - Parameter declared: what the sender says it is.
    package init(declared: Charset?) { self.declared = declared }

    /// - Returns: what can be read now, in UTF-8.
    package mutating func decode(_ piece: ByteBuffer) throws(Unknown) -> ByteBuffer {
        guard case .beginning(var kept) = place else { return read(piece) }
        kept.writeImmutableBuffer(piece)
        place = .beginning(kept)
        return needsMore(kept) ? ByteBuffer() : try begin(kept)
    }

    /// The text is over.
    /// - Returns: the rest of it.
    package mutating func finish() throws(Unknown) -> ByteBuffer {
        switch place {
        case .beginning(let kept): return try begin(kept)
        case .utf16(_, .none, .none), .utf8, .windows1252: return ByteBuffer()
        case .utf16: return ByteBuffer(string: "\u{FFFD}")
        }
    }

    private func needsMore(_ kept: ByteBuffer) -> Bool {
        kept.withUnsafeReadableBytes { bytes in
            if bytes.count < 3 { return true }
            guard declared == nil, bytes.count < Self.beginningMost else { return false }
            let isXML = bytes.starts(with: "<?xml".utf8.prefix(bytes.count))
            return isXML && !bytes.contains(UInt8(ascii: ">"))
        }
    }

    private mutating func begin(_ kept: ByteBuffer) throws(Unknown) -> ByteBuffer {
        let (marked, markLength, label) = kept.withUnsafeReadableBytes { bytes -> (Charset?, Int, String?) in
            if bytes.starts(with: [0xEF, 0xBB, 0xBF]) { return (.utf8, 3, nil) }
            if bytes.starts(with: [0xFF, 0xFE]) { return (.utf16LittleEndian, 2, nil) }
            if bytes.starts(with: [0xFE, 0xFF]) { return (.utf16BigEndian, 2, nil) }
            return (nil, 0, declared == nil ? Charset.label(inXML: bytes) : nil)
        }
        var charset = marked ?? declared ?? .utf8
        if let label {
            guard let found = Charset(label: label) else { throw Unknown(label: label) }
            // A declaration that could be read byte by byte is not in UTF-16, whatever it says.
            charset = found == .windows1252 ? found : .utf8
        }
        switch charset {
        case .utf8: place = .utf8
        case .windows1252: place = .windows1252
        case .utf16LittleEndian: place = .utf16(isBigEndian: false, half: nil, high: nil)
        case .utf16BigEndian: place = .utf16(isBigEndian: true, half: nil, high: nil)
        }
        var rest = kept
        rest.moveReaderIndex(forwardBy: markLength)
        return read(rest)
    }

    private mutating func read(_ piece: ByteBuffer) -> ByteBuffer {
        switch place {
        case .beginning, .utf8: return piece
        case .windows1252: return Self.readWindows1252(piece)
        case .utf16(let isBigEndian, var half, var high):
            let text = Self.readUTF16(piece, isBigEndian, &half, &high)
            place = .utf16(isBigEndian: isBigEndian, half: half, high: high)
            return text
        }
    }

    /// 0x80 to 0x9F; all others are their own numbers. (WHATWG Encoding Standard, index windows-1252.)
    private static let upper: [UInt16] = [
        0x20AC, 0x0081, 0x201A, 0x0192, 0x201E, 0x2026, 0x2020, 0x2021, 0x02C6, 0x2030, 0x0160, 0x2039, 0x0152, 0x008D,
        0x017D, 0x008F, 0x0090, 0x2018, 0x2019, 0x201C, 0x201D, 0x2022, 0x2013, 0x2014, 0x02DC, 0x2122, 0x0161, 0x203A,
        0x0153, 0x009D, 0x017E, 0x0178,
    ]

    private static func readWindows1252(_ piece: ByteBuffer) -> ByteBuffer {
        var text = ByteBuffer()
        text.reserveCapacity(piece.readableBytes + piece.readableBytes / 8)
        for byte in piece.readableBytesView {
            switch byte {
            case ..<0x80: text.writeInteger(byte)
            case ..<0xA0: write(UInt32(upper[Int(byte - 0x80)]), to: &text)
            default: write(UInt32(byte), to: &text)
            }
        }
        return text
    }

    private static func readUTF16(
        _ piece: ByteBuffer, _ isBigEndian: Bool, _ half: inout UInt8?, _ high: inout UInt16?
    ) -> ByteBuffer {
        var text = ByteBuffer()
        text.reserveCapacity(piece.readableBytes)
        for byte in piece.readableBytesView {
            guard let first = half else {
                half = byte
                continue
            }
            half = nil
            let unit = isBigEndian ? UInt16(first) << 8 | UInt16(byte) : UInt16(byte) << 8 | UInt16(first)
            let isLow = unit & 0xFC00 == 0xDC00
            if let before = high {
                high = nil
                if isLow {
                    write(0x10000 + (UInt32(before & 0x3FF) << 10 | UInt32(unit & 0x3FF)), to: &text)
                    continue
                }
                write(0xFFFD, to: &text)
            }
            if unit & 0xFC00 == 0xD800 { high = unit } else { write(isLow ? 0xFFFD : UInt32(unit), to: &text) }
        }
        return text
    }

    private static func write(_ scalar: UInt32, to text: inout ByteBuffer) {
        text.writeBytes(UTF8.encode(Unicode.Scalar(scalar) ?? "\u{FFFD}") ?? UTF8.encodedReplacementCharacter)
    }
}
