internal import CWeirSystem

/// Reads JSON (RFC 8259) piece by piece and says where its parts begin and end. It checks the whole grammar, keeps one
/// byte for each open bracket and no byte of the text; memory does not depend on the text's length. What is between the
/// quotes is not checked for UTF-8.
///
/// It is the strict one of three: `JSONSplitter` and `JSONValueStream` find where values begin and end without looking
/// into them.
package struct JSONScanner: Sendable {
    package enum Token: Sendable {
        case objectStart, objectEnd, arrayStart, arrayEnd
        case keyStart, keyEnd, stringStart, stringEnd
        /// A number, `true`, `false` or `null`.
        case scalarStart, scalarEnd
        /// Part of a key or string, as written: from where the index was to where it is.
        case text
    }

    package struct Mistake: Error, Hashable {
        package var sentence: String
        /// In bytes from the beginning.
        package var offset: Int
    }

    private enum State: Sendable {
        case value, valueOrEnd, key, keyOrEnd, colon, afterValue
        case string(isKey: Bool)
        case escape(isKey: Bool)
        case unicode(isKey: Bool, left: Int)
        case number(Number)
        case literal(StaticString, matched: Int)
        case done
    }

    private enum Number { case minus, zero, whole, point, fraction, exponent, sign, power }

    /// Brackets that may be open at once.
    package static let depthMost = 256

    private var state = State.value
    /// True for an array.
    private var open: [Bool] = []
    /// Bytes of the pieces before this one.
    private var before = 0

    /// Brackets that are open.
    package var depth: Int { open.count }

    package init() {}

    /// The next part of a piece, from `index` on; moves `index` behind it. For a start, the part's first byte is the
    /// one before `index` then.
    /// - Returns: `nil` when the piece is used up: go on with the next one, from index 0.
    package mutating func next(_ bytes: UnsafeRawBufferPointer, _ index: inout Int) throws(Mistake) -> Token? {
        while index < bytes.count {
            let byte = bytes[index]
            switch state {
            case .string(let isKey): return try text(bytes, &index, byte, isKey: isKey)
            case .escape(let isKey):
                switch byte {
                case 0x22, 0x5C, 0x2F, 0x62, 0x66, 0x6E, 0x72, 0x74: state = .string(isKey: isKey)
                case 0x75: state = .unicode(isKey: isKey, left: 4)
                default: throw mistake("an escape that JSON does not have", index)
                }
                index += 1
                return .text
            case .unicode(let isKey, let left):
                guard Self.isHexadecimal(byte) else { throw mistake("an escape without four digits", index) }
                state = left == 1 ? .string(isKey: isKey) : .unicode(isKey: isKey, left: left - 1)
                index += 1
                return .text
            case .number(let number):
                guard let next = Self.number(number, byte) else {
                    guard Self.mayEnd(number) else { throw mistake("a number that ends too early", index) }
                    state = .afterValue
                    return .scalarEnd
                }
                state = .number(next)
                index += 1
                continue
            case .literal(let word, let matched):
                if matched == word.utf8CodeUnitCount {
                    state = .afterValue
                    return .scalarEnd
                }
                guard byte == word.utf8Start[matched] else { throw mistake("a word that JSON does not have", index) }
                state = .literal(word, matched: matched + 1)
                index += 1
                continue
            default: break
            }
            index += 1
            if byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 { continue }
            if let token = try structure(byte, index - 1) { return token }
        }
        before += bytes.count
        return nil
    }

    /// The text is over.
    package func finish() throws(Mistake) {
        switch state {
        case .done: return
        case .afterValue where open.isEmpty: return
        case .number(let number) where open.isEmpty && Self.mayEnd(number): return
        case .literal(let word, let matched) where open.isEmpty && matched == word.utf8CodeUnitCount: return
        default: throw Mistake(sentence: "the text ends in the middle", offset: before)
        }
    }

    /// Whether bytes are one JSON value, with white space around it or not.
    package static func isValue(_ bytes: UnsafeRawBufferPointer) -> Bool {
        var scanner = JSONScanner()
        var index = 0
        do throws(Mistake) {
            while try scanner.next(bytes, &index) != nil {}
            try scanner.finish()
            return true
        } catch { return false }
    }

    private mutating func text(
        _ bytes: UnsafeRawBufferPointer, _ index: inout Int, _ byte: UInt8, isKey: Bool
    ) throws(Mistake) -> Token {
        switch byte {
        case 0x22:
            index += 1
            state = isKey ? .colon : .afterValue
            return isKey ? .keyEnd : .stringEnd
        case 0x5C:
            index += 1
            state = .escape(isKey: isKey)
            return .text
        case 0x00..<0x20: throw mistake("a control character in a string", index)
        default:
            if let start = bytes.baseAddress { index += weir_json_plain(start + index, bytes.count - index) }
            return .text
        }
    }

    /// A byte between values.
    private mutating func structure(_ byte: UInt8, _ index: Int) throws(Mistake) -> Token? {
        switch (state, byte) {
        case (.value, _), (.valueOrEnd, 0x00..<0x5D), (.valueOrEnd, 0x5E...): return try value(byte, index)
        case (.valueOrEnd, 0x5D): return close(isArray: true)
        case (.keyOrEnd, 0x22), (.key, 0x22):
            state = .string(isKey: true)
            return .keyStart
        case (.keyOrEnd, 0x7D): return close(isArray: false)
        case (.colon, 0x3A):
            state = .value
            return nil
        case (.afterValue, 0x2C) where open.last == true:
            state = .value
            return nil
        case (.afterValue, 0x2C) where open.last == false:
            state = .key
            return nil
        case (.afterValue, 0x5D) where open.last == true: return close(isArray: true)
        case (.afterValue, 0x7D) where open.last == false: return close(isArray: false)
        default: throw mistake("a character where JSON has none", index)
        }
    }

    private mutating func value(_ byte: UInt8, _ index: Int) throws(Mistake) -> Token {
        switch byte {
        case 0x22:
            state = .string(isKey: false)
            return .stringStart
        case 0x7B, 0x5B:
            guard open.count < Self.depthMost else { throw mistake("brackets over \(Self.depthMost) deep", index) }
            open.append(byte == 0x5B)
            state = byte == 0x5B ? .valueOrEnd : .keyOrEnd
            return byte == 0x5B ? .arrayStart : .objectStart
        case 0x2D: state = .number(.minus)
        case 0x30: state = .number(.zero)
        case 0x31...0x39: state = .number(.whole)
        case 0x74: state = .literal("true", matched: 1)
        case 0x66: state = .literal("false", matched: 1)
        case 0x6E: state = .literal("null", matched: 1)
        default: throw mistake("no value where one should be", index)
        }
        return .scalarStart
    }

    private mutating func close(isArray: Bool) -> Token {
        open.removeLast()
        state = open.isEmpty ? .done : .afterValue
        return isArray ? .arrayEnd : .objectEnd
    }

    private static func number(_ number: Number, _ byte: UInt8) -> Number? {
        switch (number, byte) {
        case (.minus, 0x30): .zero
        case (.minus, 0x31...0x39), (.whole, 0x30...0x39): .whole
        case (.zero, 0x2E), (.whole, 0x2E): .point
        case (.point, 0x30...0x39), (.fraction, 0x30...0x39): .fraction
        case (.zero, 0x45), (.zero, 0x65), (.whole, 0x45), (.whole, 0x65), (.fraction, 0x45), (.fraction, 0x65):
            .exponent
        case (.exponent, 0x2B), (.exponent, 0x2D): .sign
        case (.exponent, 0x30...0x39), (.sign, 0x30...0x39), (.power, 0x30...0x39): .power
        default: nil
        }
    }

    private static func mayEnd(_ number: Number) -> Bool {
        switch number {
        case .zero, .whole, .fraction, .power: true
        case .minus, .point, .exponent, .sign: false
        }
    }

    private static func isHexadecimal(_ byte: UInt8) -> Bool {
        (0x30...0x39).contains(byte) || (0x41...0x46).contains(byte) || (0x61...0x66).contains(byte)
    }

    private func mistake(_ sentence: String, _ index: Int) -> Mistake {
        Mistake(sentence: sentence, offset: before + index)
    }
}
