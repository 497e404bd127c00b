package import NIOCore

/// Finds where JSON values begin and end, without reading them: concatenated ones, those of an array, the members of an
/// object.
///
/// It counts brackets and looks at quotes; what stands between is not checked. No recursion, so depth costs nothing.
/// `JSONValueStream` does the same for a text that comes in pieces.
package enum JSONSplitter {
    /// Where the text stops being JSON.
    package struct Mistake: Error, Sendable, Hashable {
        /// How many whole values came before.
        package var valuesBefore: Int
        package var offset: Int
    }

    /// A value of a body, by where it stands.
    package struct Values: Sendable {
        package var ranges: [Range<Int>] = []
        package var mistake: Mistake?
    }

    /// The values of a body: one after the other with any white space (or a comma) between, or the elements of one
    /// array.
    package static func values(in bytes: UnsafeRawBufferPointer) -> Values {
        var values = Values()
        var stream = JSONValueStream()
        stream.scan(bytes, isLast: true) { values.ranges.append($0) }
        values.mistake = stream.mistake
        return values
    }

    /// The members of an object; `nil` when it is none. Keys are compared as written, without their quotes.
    package static func members(of object: UnsafeRawBufferPointer) -> [(key: Range<Int>, value: Range<Int>)]? {
        var index = skipSpace(object, 0)
        guard index < object.count, object[index] == 0x7B else { return nil }
        index = skipSpace(object, index + 1)
        var members: [(key: Range<Int>, value: Range<Int>)] = []
        if index < object.count && object[index] == 0x7D {
            return skipSpace(object, index + 1) == object.count ? members : nil
        }
        while index < object.count, object[index] == 0x22, let keyEnd = end(ofValueAt: index, in: object) {
            let colon = skipSpace(object, keyEnd)
            guard colon < object.count, object[colon] == 0x3A else { return nil }
            let start = skipSpace(object, colon + 1)
            guard let end = end(ofValueAt: start, in: object) else { return nil }
            members.append((index + 1..<keyEnd - 1, start..<end))
            index = skipSpace(object, end)
            guard index < object.count else { return nil }
            if object[index] == 0x7D { return skipSpace(object, index + 1) == object.count ? members : nil }
            guard object[index] == 0x2C else { return nil }
            index = skipSpace(object, index + 1)
        }
        return nil
    }

    /// Where the value that begins at `start` ends; `nil` when it does not, or when none begins there.
    package static func end(ofValueAt start: Int, in bytes: UnsafeRawBufferPointer) -> Int? {
        guard start < bytes.count else { return nil }
        switch bytes[start] {
        case 0x22: return endOfString(bytes, start)
        case 0x7B, 0x5B:
            var depth = 0
            var index = start
            while index < bytes.count {
                switch bytes[index] {
                case 0x22:
                    guard let end = endOfString(bytes, index) else { return nil }
                    index = end
                    continue
                case 0x7B, 0x5B: depth += 1
                case 0x7D, 0x5D:
                    depth -= 1
                    if depth == 0 { return index + 1 }
                default: break
                }
                index += 1
            }
            return nil
        case 0x2D, 0x30...0x39, 0x74, 0x66, 0x6E:
            // Numbers, true, false, null: up to what cannot belong to one.
            var index = start
            while index < bytes.count, isWord(bytes[index]) { index += 1 }
            return index
        default: return nil
        }
    }

    static func isWord(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x61...0x7A, 0x41...0x5A, 0x2B, 0x2D, 0x2E: true
        default: false
        }
    }

    static func endOfString(_ bytes: UnsafeRawBufferPointer, _ start: Int) -> Int? {
        var index = start + 1
        while index < bytes.count {
            switch bytes[index] {
            case 0x22: return index + 1
            case 0x5C: index += 2
            default: index += 1
            }
        }
        return nil
    }

    static func skipSpace(_ bytes: UnsafeRawBufferPointer, _ start: Int) -> Int {
        var index = start
        while index < bytes.count, bytes[index] == 0x20 || (0x09...0x0D).contains(bytes[index]) { index += 1 }
        return index
    }

    /// Appends a value without the line feeds and carriage returns between its parts, so that it fits on one line. (In
    /// strings they cannot stand: JSON wants them escaped.)
    package static func writeOnOneLine(_ value: UnsafeRawBufferPointer, to buffer: inout ByteBuffer) {
        var start = 0
        for index in value.indices where value[index] == 0x0A || value[index] == 0x0D {
            buffer.writeBytes(UnsafeRawBufferPointer(rebasing: value[start..<index]))
            start = index + 1
        }
        buffer.writeBytes(UnsafeRawBufferPointer(rebasing: value[start...]))
    }

    /// The text of a JSON string (with its quotes); `nil` when it is none or has a broken escape. Surrogates that stand
    /// alone become U+FFFD.
    package static func text(of string: UnsafeRawBufferPointer) -> ByteBuffer? {
        guard string.count >= 2, string.first == 0x22, string.last == 0x22 else { return nil }
        var text = ByteBuffer()
        text.reserveCapacity(string.count)
        var index = 1
        var start = 1
        let end = string.count - 1
        while index < end {
            guard string[index] == 0x5C else {
                index += 1
                continue
            }
            text.writeBytes(UnsafeRawBufferPointer(rebasing: string[start..<index]))
            guard index + 1 < end, let next = unescape(string, index + 1, end, &text) else { return nil }
            index = next
            start = next
        }
        text.writeBytes(UnsafeRawBufferPointer(rebasing: string[start..<end]))
        return text
    }

    private static func unescape(
        _ string: UnsafeRawBufferPointer, _ index: Int, _ end: Int, _ text: inout ByteBuffer
    ) -> Int? {
        switch string[index] {
        case 0x22, 0x5C, 0x2F: text.writeInteger(string[index])
        case 0x62: text.writeInteger(0x08 as UInt8)
        case 0x66: text.writeInteger(0x0C as UInt8)
        case 0x6E: text.writeInteger(0x0A as UInt8)
        case 0x72: text.writeInteger(0x0D as UInt8)
        case 0x74: text.writeInteger(0x09 as UInt8)
        case 0x75:
            guard let unit = hex(string, index + 1, end) else { return nil }
            if unit & 0xFC00 == 0xD800, index + 6 < end, string[index + 5] == 0x5C, string[index + 6] == 0x75,
                let low = hex(string, index + 7, end), low & 0xFC00 == 0xDC00,
                let scalar = Unicode.Scalar(0x10000 + (unit - 0xD800) << 10 + (low - 0xDC00))
            {
                text.writeString(String(Character(scalar)))
                return index + 11
            }
            text.writeString(String(Character(Unicode.Scalar(unit) ?? "\u{FFFD}")))
            return index + 5
        default: return nil
        }
        return index + 1
    }

    private static func hex(_ string: UnsafeRawBufferPointer, _ start: Int, _ end: Int) -> UInt32? {
        guard start + 4 <= end else { return nil }
        var value: UInt32 = 0
        for index in start..<start + 4 {
            guard let digit = Character(Unicode.Scalar(string[index])).hexDigitValue else { return nil }
            value = value << 4 | UInt32(digit)
        }
        return value
    }
}

extension JSONSplitter {
    /// The first place in a range that is not white space; its end when all of it is.
    package static func skippingSpace(_ bytes: UnsafeRawBufferPointer, _ range: Range<Int>) -> Int {
        min(skipSpace(bytes, range.lowerBound), range.upperBound)
    }
}
