extension Value {
    /// Reads JSON text: whole numbers become `int` (beyond that `uint`, beyond that `double`), others `double`; objects
    /// become maps. The last of several equal keys counts.
    ///
    /// Bounds: 128 levels. Nil for what is no JSON (RFC 8259); bytes that are no UTF-8 become U+FFFD.
    package init?(json text: String) {
        let value = Text.withBytes(text) { Value(json: UnsafeRawBufferPointer($0)) }
        guard let value else { return nil }
        self = value
    }

    package init?(json bytes: UnsafeRawBufferPointer) {
        var reader = JSONReader(bytes)
        guard let value = reader.document() else { return nil }
        self = value
    }
}

/// A strict reader over bytes that it does not copy.
struct JSONReader {
    static let depthMost = 128

    private let bytes: UnsafeRawBufferPointer
    private var at = 0
    private var isLenient = false

    init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

    mutating func document() -> Value? {
        guard let value = value(depth: 0) else { return nil }
        skipBlanks()
        return at == bytes.count ? value : nil
    }

    /// The value that the bytes begin with, whatever comes after it. Raw control characters in strings pass: logs are
    /// full of tabs that somebody forgot to escape. A number or word must end where a value may end.
    static func prefix(of bytes: UnsafeRawBufferPointer) -> Value? {
        var reader = JSONReader(bytes)
        reader.isLenient = true
        guard let value = reader.value(depth: 0) else { return nil }
        switch value {
        case .string, .list, .map: return value
        default:
            guard reader.at < bytes.count else { return nil }
            switch bytes[reader.at] {
            case 32, 9, 10, 13, UInt8(ascii: ","), UInt8(ascii: "}"), UInt8(ascii: "]"): return value
            default: return nil
            }
        }
    }

    private mutating func skipBlanks() {
        while at < bytes.count,
            bytes[at] == 32 || (bytes[at] >= 9 && bytes[at] <= 13 && bytes[at] != 11 && bytes[at] != 12)
        {
            at += 1
        }
    }

    private mutating func accept(_ byte: Unicode.Scalar) -> Bool {
        guard at < bytes.count, bytes[at] == UInt8(ascii: byte) else { return false }
        at += 1
        return true
    }

    private mutating func value(depth: Int) -> Value? {
        guard depth < Self.depthMost else { return nil }
        skipBlanks()
        guard at < bytes.count else { return nil }
        switch bytes[at] {
        case UInt8(ascii: "{"): return object(depth)
        case UInt8(ascii: "["): return array(depth)
        case UInt8(ascii: "\""): return string().map { .string($0) }
        case UInt8(ascii: "t"): return word("true", .bool(true))
        case UInt8(ascii: "f"): return word("false", .bool(false))
        case UInt8(ascii: "n"): return word("null", .null)
        default: return number()
        }
    }

    private mutating func word(_ text: StaticString, _ value: Value) -> Value? {
        let length = text.utf8CodeUnitCount
        guard bytes.count - at >= length else { return nil }
        let isSame = text.withUTF8Buffer { expected in
            for offset in 0..<length where bytes[at + offset] != expected[offset] { return false }
            return true
        }
        guard isSame else { return nil }
        at += length
        return value
    }

    private mutating func object(_ depth: Int) -> Value? {
        at += 1
        var map = ValueMap()
        skipBlanks()
        if accept("}") { return .map(map) }
        while true {
            skipBlanks()
            guard at < bytes.count, bytes[at] == UInt8(ascii: "\""), let key = string() else { return nil }
            skipBlanks()
            guard accept(":"), let value = value(depth: depth + 1) else { return nil }
            map[.string(key)] = value
            skipBlanks()
            if accept("}") { return .map(map) }
            guard accept(",") else { return nil }
        }
    }

    private mutating func array(_ depth: Int) -> Value? {
        at += 1
        var list: [Value] = []
        skipBlanks()
        if accept("]") { return .list(list) }
        while true {
            guard let value = value(depth: depth + 1) else { return nil }
            list.append(value)
            skipBlanks()
            if accept("]") { return .list(list) }
            guard accept(",") else { return nil }
        }
    }

    /// At a quote. Nil for unfinished strings, bare control characters and unknown escapes.
    private mutating func string() -> String? {
        at += 1
        let start = at
        while at < bytes.count {
            let byte = bytes[at]
            if byte == UInt8(ascii: "\"") {
                let text = String(decoding: UnsafeRawBufferPointer(rebasing: bytes[start..<at]), as: UTF8.self)
                at += 1
                return text
            }
            if byte == UInt8(ascii: "\\") { return escapedString(from: start) }
            if byte < 32, !isLenient { return nil }
            at += 1
        }
        return nil
    }

    private mutating func escapedString(from start: Int) -> String? {
        var content = Array(bytes[start..<at])
        while at < bytes.count {
            let byte = bytes[at]
            at += 1
            if byte == UInt8(ascii: "\"") { return String(decoding: content, as: UTF8.self) }
            if byte < 32, !isLenient { return nil }
            guard byte == UInt8(ascii: "\\") else {
                content.append(byte)
                continue
            }
            guard at < bytes.count else { return nil }
            let kind = bytes[at]
            at += 1
            switch kind {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): content.append(kind)
            case UInt8(ascii: "b"): content.append(8)
            case UInt8(ascii: "f"): content.append(12)
            case UInt8(ascii: "n"): content.append(10)
            case UInt8(ascii: "r"): content.append(13)
            case UInt8(ascii: "t"): content.append(9)
            case UInt8(ascii: "u"):
                guard var point = hex() else { return nil }
                if point >= 0xD800, point < 0xDC00, at + 1 < bytes.count, bytes[at] == UInt8(ascii: "\\"),
                    bytes[at + 1] == UInt8(ascii: "u")
                {
                    let before = at
                    at += 2
                    guard let low = hex() else { return nil }
                    if low >= 0xDC00, low < 0xE000 {
                        point = 0x10000 + (point - 0xD800) << 10 + (low - 0xDC00)
                    } else {
                        at = before
                    }
                }
                // Half of a surrogate pair names no character.
                let scalar = Unicode.Scalar(point) ?? "\u{FFFD}"
                content.append(contentsOf: String(Character(scalar)).utf8)
            default: return nil
            }
        }
        return nil
    }

    private mutating func hex() -> UInt32? {
        guard bytes.count - at >= 4 else { return nil }
        var value: UInt32 = 0
        for _ in 0..<4 {
            let digit: UInt32
            switch bytes[at] {
            case 48...57: digit = UInt32(bytes[at] - 48)
            case 65...70: digit = UInt32(bytes[at] - 55)
            case 97...102: digit = UInt32(bytes[at] - 87)
            default: return nil
            }
            value = value << 4 | digit
            at += 1
        }
        return value
    }

    private mutating func digits() -> Int {
        let start = at
        while at < bytes.count, bytes[at] >= 48, bytes[at] <= 57 { at += 1 }
        return at - start
    }

    private mutating func number() -> Value? {
        let start = at
        let isNegative = accept("-")
        let first = at
        let count = digits()
        guard count == 1 || (count > 1 && bytes[first] != 48) else { return nil }
        var isWhole = true
        if accept(".") {
            isWhole = false
            guard digits() > 0 else { return nil }
        }
        if at < bytes.count, bytes[at] | 0x20 == UInt8(ascii: "e") {
            isWhole = false
            at += 1
            if !accept("+") { _ = accept("-") }
            guard digits() > 0 else { return nil }
        }
        if isWhole, count <= 18 {
            var value: Int64 = 0
            for offset in first..<at { value = value * 10 + Int64(bytes[offset] - 48) }
            return .int(isNegative ? -value : value)
        }
        let text = String(decoding: UnsafeRawBufferPointer(rebasing: bytes[start..<at]), as: UTF8.self)
        if isWhole {
            if let value = Int64(text) { return .int(value) }
            if let value = UInt64(text) { return .uint(value) }
        }
        return Double(text).map { .double($0) }
    }
}
