internal import NIOCore
internal import WeirWires

/// Reads a JSON document (RFC 8259) whole and strictly, into values that keep the order of members.
///
/// Own code instead of Foundation's decoder: requests are read a few thousand times a second, a member may have any
/// shape (unknown input is accepted), and strings must come out byte for byte.
struct JSONReader {
    struct Mistake: Error, Sendable, Hashable {
        var offset: Int
        var message: String
    }

    /// Brackets within brackets; deeper ones would only serve to use up the stack.
    static let depthMost = 64

    private let bytes: UnsafeRawBufferPointer
    private var index = 0

    private init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

    static func read(_ buffer: ByteBuffer) throws(Mistake) -> GraphValue {
        let result = buffer.withUnsafeReadableBytes { bytes in
            Result { () throws(Mistake) -> GraphValue in
                var reader = JSONReader(bytes)
                let value = try reader.value(depth: 0)
                reader.skipSpace()
                guard reader.index == bytes.count else { throw reader.mistake("something stands behind the end") }
                return value
            }
        }
        return try result.get()
    }

    private func mistake(_ message: String) -> Mistake { Mistake(offset: index, message: message) }

    private mutating func skipSpace() {
        while index < bytes.count {
            switch bytes[index] {
            case 0x20, 0x09, 0x0A, 0x0D: index += 1
            default: return
            }
        }
    }

    private mutating func value(depth: Int) throws(Mistake) -> GraphValue {
        skipSpace()
        guard index < bytes.count else { throw mistake("the text ends too early") }
        switch bytes[index] {
        case UInt8(ascii: "{"): return try object(depth: depth + 1)
        case UInt8(ascii: "["): return try list(depth: depth + 1)
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "t"): return try word("true", .bool(true))
        case UInt8(ascii: "f"): return try word("false", .bool(false))
        case UInt8(ascii: "n"): return try word("null", .null)
        default: return try number()
        }
    }

    private mutating func word(_ word: StaticString, _ value: GraphValue) throws(Mistake) -> GraphValue {
        let end = index + word.utf8CodeUnitCount
        let written = UnsafeRawBufferPointer(start: word.utf8Start, count: word.utf8CodeUnitCount)
        guard end <= bytes.count, bytes[index..<end].elementsEqual(written) else { throw mistake("no JSON value") }
        index = end
        return value
    }

    private mutating func object(depth: Int) throws(Mistake) -> GraphValue {
        guard depth <= JSONReader.depthMost else { throw mistake("deeper than \(JSONReader.depthMost) brackets") }
        index += 1
        var members: [GraphValue.Member] = []
        skipSpace()
        if take(UInt8(ascii: "}")) { return .object(members) }
        while true {
            skipSpace()
            guard index < bytes.count, bytes[index] == UInt8(ascii: "\"") else { throw mistake("expected a name") }
            let name = try string()
            skipSpace()
            guard take(UInt8(ascii: ":")) else { throw mistake("expected `:`") }
            members.append(GraphValue.Member(name: name, value: try value(depth: depth)))
            skipSpace()
            if take(UInt8(ascii: "}")) { return .object(members) }
            guard take(UInt8(ascii: ",")) else { throw mistake("expected `,` or `}`") }
        }
    }

    private mutating func list(depth: Int) throws(Mistake) -> GraphValue {
        guard depth <= JSONReader.depthMost else { throw mistake("deeper than \(JSONReader.depthMost) brackets") }
        index += 1
        var elements: [GraphValue] = []
        skipSpace()
        if take(UInt8(ascii: "]")) { return .list(elements) }
        while true {
            elements.append(try value(depth: depth))
            skipSpace()
            if take(UInt8(ascii: "]")) { return .list(elements) }
            guard take(UInt8(ascii: ",")) else { throw mistake("expected `,` or `]`") }
        }
    }

    private mutating func take(_ byte: UInt8) -> Bool {
        guard index < bytes.count, bytes[index] == byte else { return false }
        index += 1
        return true
    }

    private mutating func string() throws(Mistake) -> String {
        let start = index
        var unescaper = JSONUnescaper()
        var content = ByteBuffer()
        let rest = UnsafeRawBufferPointer(rebasing: bytes[(index + 1)...])
        do throws(JSONUnescaper.Mistake) {
            let taken = try unescaper.take(rest, into: &content)
            index += 1 + taken
        } catch {
            throw Mistake(offset: start, message: error.message)
        }
        guard unescaper.isAtEnd else { throw Mistake(offset: start, message: "a string has no end") }
        guard let text = content.readUTF8ValidatedText() else {
            throw Mistake(offset: start, message: "a string is not UTF-8")
        }
        return text
    }

    private mutating func number() throws(Mistake) -> GraphValue {
        let start = index
        let isNegative = take(UInt8(ascii: "-"))
        let first = index
        skipDigits()
        guard index > first, bytes[first] != UInt8(ascii: "0") || index == first + 1 else {
            index = start
            throw mistake("no JSON value")
        }
        var isWhole = true
        if take(UInt8(ascii: ".")) {
            isWhole = false
            let fraction = index
            skipDigits()
            guard index > fraction else { throw mistake("expected a digit") }
        }
        if take(UInt8(ascii: "e")) || take(UInt8(ascii: "E")) {
            isWhole = false
            if !take(UInt8(ascii: "+")) { _ = take(UInt8(ascii: "-")) }
            let exponent = index
            skipDigits()
            guard index > exponent else { throw mistake("expected a digit") }
        }
        let text = String(decoding: bytes[start..<index], as: UTF8.self)
        if isWhole, isNegative ? index - first < 20 : index - first < 20, let whole = Int64(text) { return .int(whole) }
        return .number(Double(text) ?? 0)
    }

    private mutating func skipDigits() {
        while index < bytes.count, bytes[index] >= 0x30, bytes[index] <= 0x39 { index += 1 }
    }
}

extension ByteBuffer {
    /// All that is readable, as text; `nil` when it is not UTF-8.
    fileprivate mutating func readUTF8ValidatedText() -> String? {
        withUnsafeReadableBytes { String(validating: $0, as: UTF8.self) }
    }
}
