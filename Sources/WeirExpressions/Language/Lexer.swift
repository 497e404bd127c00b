/// One token of an expression.
struct Token: Sendable {
    enum Kind: Sendable, Equatable {
        case name(String)
        /// A name in backquotes: only valid as a field.
        case quotedName(String)
        case int(UInt64)
        case uint(UInt64)
        case double(Double)
        case string(String)
        case bytes([UInt8])
        case symbol(String)
        case end
    }
    var kind: Kind
    var at: Int
}

/// Cuts the source into tokens: CEL's lexis (names, numbers, strings in eight spellings, comments `//`).
struct Lexer {
    private let source: [UInt8]
    private var at = 0

    init(_ source: [UInt8]) { self.source = source }

    static func tokens(of source: [UInt8]) throws(ExpressionProblem) -> [Token] {
        var lexer = Lexer(source)
        var tokens: [Token] = []
        while true {
            let token = try lexer.next()
            tokens.append(token)
            if token.kind == .end { return tokens }
        }
    }

    private func problem(_ message: String, at offset: Int) -> ExpressionProblem {
        ExpressionProblem(message, at: offset, in: source)
    }

    private func byte(_ ahead: Int = 0) -> UInt8 { at + ahead < source.count ? source[at + ahead] : 0 }

    private static func isLetter(_ byte: UInt8) -> Bool {
        byte == UInt8(ascii: "_") || (byte | 0x20 >= UInt8(ascii: "a") && byte | 0x20 <= UInt8(ascii: "z"))
    }
    private static func isDigit(_ byte: UInt8) -> Bool { byte >= 48 && byte <= 57 }
    private static func hex(_ byte: UInt8) -> UInt32? {
        switch byte {
        case 48...57: UInt32(byte - 48)
        case 65...70: UInt32(byte - 55)
        case 97...102: UInt32(byte - 87)
        default: nil
        }
    }

    private mutating func next() throws(ExpressionProblem) -> Token {
        skipBlanks()
        let start = at
        guard at < source.count else { return Token(kind: .end, at: start) }
        let first = byte()
        if let string = try stringLiteral() { return Token(kind: string, at: start) }
        if Self.isLetter(first) {
            while at < source.count, Self.isLetter(byte()) || Self.isDigit(byte()) { at += 1 }
            return Token(kind: .name(String(decoding: source[start..<at], as: UTF8.self)), at: start)
        }
        if Self.isDigit(first) || (first == UInt8(ascii: ".") && Self.isDigit(byte(1))) {
            return Token(kind: try number(), at: start)
        }
        if first == UInt8(ascii: "`") { return Token(kind: try quotedName(), at: start) }
        for length in [2, 1] where start + length <= source.count {
            let text = String(decoding: source[start..<(start + length)], as: UTF8.self)
            if Self.symbols.contains(text) {
                at += length
                return Token(kind: .symbol(text), at: start)
            }
        }
        let shown = String(decoding: source[start..<min(start + 4, source.count)], as: UTF8.self).prefix(1)
        throw problem("unexpected character '\(shown)'", at: start)
    }

    private static let symbols: Set<String> = [
        "==", "!=", "<=", ">=", "&&", "||", "<", ">", "+", "-", "*", "/", "%", "!", "?", ":", ".", ",", "(", ")", "[",
        "]",
        "{", "}",
    ]

    private mutating func skipBlanks() {
        while at < source.count {
            switch byte() {
            case 9, 10, 12, 13, 32: at += 1
            case UInt8(ascii: "/") where byte(1) == UInt8(ascii: "/"):
                while at < source.count, byte() != 10 { at += 1 }
            default: return
            }
        }
    }

    private mutating func quotedName() throws(ExpressionProblem) -> Token.Kind {
        let start = at
        at += 1
        while at < source.count, byte() != UInt8(ascii: "`") {
            let one = byte()
            guard Self.isLetter(one) || Self.isDigit(one) || [45, 46, 47, 32].contains(one) else {
                throw problem("a name in backquotes has letters, digits, '_', '-', '.', '/' and blanks only", at: at)
            }
            at += 1
        }
        guard at < source.count, at > start + 1 else { throw problem("unfinished name in backquotes", at: start) }
        at += 1
        return .quotedName(String(decoding: source[(start + 1)..<(at - 1)], as: UTF8.self))
    }

    private mutating func number() throws(ExpressionProblem) -> Token.Kind {
        let start = at
        if byte() == 48, byte(1) | 0x20 == UInt8(ascii: "x") {
            at += 2
            var value: UInt64 = 0
            var digits = 0
            while let digit = Self.hex(byte()), at < source.count {
                guard value >> 60 == 0 else { throw problem("number out of range", at: start) }
                value = value << 4 | UInt64(digit)
                digits += 1
                at += 1
            }
            guard digits > 0 else { throw problem("a hexadecimal number needs digits after 0x", at: start) }
            return try suffixed(value, start)
        }
        while Self.isDigit(byte()) { at += 1 }
        var isDouble = false
        if byte() == UInt8(ascii: "."), Self.isDigit(byte(1)) {
            isDouble = true
            at += 1
            while Self.isDigit(byte()) { at += 1 }
        }
        if byte() | 0x20 == UInt8(ascii: "e") {
            let sign = byte(1) == UInt8(ascii: "+") || byte(1) == UInt8(ascii: "-") ? 2 : 1
            if Self.isDigit(byte(sign)) {
                isDouble = true
                at += sign
                while Self.isDigit(byte()) { at += 1 }
            }
        }
        let text = String(decoding: source[start..<at], as: UTF8.self)
        if isDouble {
            guard let value = Double(text.hasPrefix(".") ? "0" + text : text) else {
                throw problem("not a number: \(text)", at: start)
            }
            guard !Self.isLetter(byte()) else { throw problem("unexpected letter after a number", at: at) }
            return .double(value)
        }
        guard let value = UInt64(text) else { throw problem("number out of range", at: start) }
        return try suffixed(value, start)
    }

    private mutating func suffixed(_ value: UInt64, _ start: Int) throws(ExpressionProblem) -> Token.Kind {
        let isUnsigned = byte() | 0x20 == UInt8(ascii: "u")
        if isUnsigned { at += 1 }
        guard !Self.isLetter(byte()) && !Self.isDigit(byte()) else {
            throw problem("unexpected letter after a number", at: at)
        }
        if isUnsigned { return .uint(value) }
        // 2^63 is let through: with a minus before it, it is the smallest int. The parser refuses it elsewhere.
        guard value <= 1 << 63 else { throw problem("number out of range", at: start) }
        return .int(value)
    }

    /// `"…"`, `'…'`, `"""…"""`, `'''…'''`, each with `r` (raw), `b` (bytes) or both before it; nil when there is none
    /// here.
    private mutating func stringLiteral() throws(ExpressionProblem) -> Token.Kind? {
        let start = at
        var isRaw = false
        var isBytes = false
        var ahead = 0
        while true {
            switch byte(ahead) | 0x20 {
            case UInt8(ascii: "r") where !isRaw: isRaw = true
            case UInt8(ascii: "b") where !isBytes: isBytes = true
            default:
                let quote = byte(ahead)
                guard quote == UInt8(ascii: "\"") || quote == UInt8(ascii: "'"), at + ahead < source.count else {
                    return nil
                }
                at += ahead
                let isTriple = byte(1) == quote && byte(2) == quote
                at += isTriple ? 3 : 1
                let content = try stringContent(quote, isTriple: isTriple, isRaw: isRaw, isBytes: isBytes, start)
                if isBytes { return .bytes(content) }
                return .string(String(decoding: content, as: UTF8.self))
            }
            ahead += 1
        }
    }

    private mutating func stringContent(
        _ quote: UInt8, isTriple: Bool, isRaw: Bool, isBytes: Bool, _ start: Int
    ) throws(ExpressionProblem) -> [UInt8] {
        var content: [UInt8] = []
        while at < source.count {
            let one = byte()
            if one == quote, !isTriple || (byte(1) == quote && byte(2) == quote) {
                at += isTriple ? 3 : 1
                return content
            }
            if one == UInt8(ascii: "\\") {
                guard !isRaw else {
                    content.append(one)
                    at += 1
                    // A raw string keeps its backslashes, and one that follows a backslash does not end it.
                    if at < source.count, byte() == quote || byte() == UInt8(ascii: "\\") {
                        content.append(byte())
                        at += 1
                    }
                    continue
                }
                try escape(into: &content, isBytes: isBytes)
                continue
            }
            if one == 10 || one == 13, !isTriple { break }
            content.append(one)
            at += 1
        }
        throw problem("unfinished string", at: start)
    }

    private mutating func escape(into content: inout [UInt8], isBytes: Bool) throws(ExpressionProblem) {
        let start = at
        at += 1
        let kind = byte()
        at += 1
        switch kind {
        case UInt8(ascii: "a"): content.append(7)
        case UInt8(ascii: "b"): content.append(8)
        case UInt8(ascii: "f"): content.append(12)
        case UInt8(ascii: "n"): content.append(10)
        case UInt8(ascii: "r"): content.append(13)
        case UInt8(ascii: "t"): content.append(9)
        case UInt8(ascii: "v"): content.append(11)
        case UInt8(ascii: "\\"), UInt8(ascii: "?"), UInt8(ascii: "\""), UInt8(ascii: "'"), UInt8(ascii: "`"):
            content.append(kind)
        case UInt8(ascii: "x"), UInt8(ascii: "X"): try codePoint(digits: 2, isBytes, start, &content)
        case UInt8(ascii: "u") where !isBytes: try codePoint(digits: 4, false, start, &content)
        case UInt8(ascii: "U") where !isBytes: try codePoint(digits: 8, false, start, &content)
        case 48...51:
            var value = UInt32(kind - 48)
            for _ in 0..<2 {
                guard byte() >= 48, byte() <= 55 else { throw problem("an octal escape has three digits", at: start) }
                value = value << 3 | UInt32(byte() - 48)
                at += 1
            }
            append(value, isBytes, &content)
        default: throw problem("unknown escape in a string", at: start)
        }
    }

    private mutating func codePoint(
        digits: Int, _ isByte: Bool, _ start: Int, _ content: inout [UInt8]
    ) throws(ExpressionProblem) {
        var value: UInt32 = 0
        for _ in 0..<digits {
            guard at < source.count, let digit = Self.hex(byte()) else {
                throw problem("this escape has \(digits) hexadecimal digits", at: start)
            }
            value = value << 4 | digit
            at += 1
        }
        guard isByte || Unicode.Scalar(value) != nil else { throw problem("no such code point", at: start) }
        append(value, isByte, &content)
    }

    private func append(_ value: UInt32, _ isByte: Bool, _ content: inout [UInt8]) {
        if isByte {
            content.append(UInt8(truncatingIfNeeded: value))
        } else if let scalar = Unicode.Scalar(value) {
            content.append(contentsOf: String(Character(scalar)).utf8)
        }
    }
}
