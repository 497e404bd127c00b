/// Cuts a document into tokens (GraphQL, October 2021, section 2.1). Commas, white space and comments are nothing.
struct GraphLexer {
    enum Token: Sendable, Hashable {
        case name(String)
        case int(String)
        case float(String)
        case string(String)
        /// `! $ & ( ) ... : = @ [ ] { | }`
        case punctuator(String)
        case end
    }

    private let bytes: [UInt8]
    private var index = 0
    private var line = 1
    private var lineStart = 0

    init(_ text: String) { bytes = Array(text.utf8) }

    var location: GraphLocation { GraphLocation(line: line, column: index - lineStart + 1) }

    /// The next token and where it begins.
    mutating func next() throws(GraphProblem) -> (token: Token, location: GraphLocation) {
        skipIgnored()
        let start = location
        guard index < bytes.count else { return (.end, start) }
        let byte = bytes[index]
        switch byte {
        case UInt8(ascii: "_"), 0x41...0x5A, 0x61...0x7A: return (.name(name()), start)
        case UInt8(ascii: "-"), 0x30...0x39: return (try number(at: start), start)
        case UInt8(ascii: "\""): return (.string(try string(at: start)), start)
        case UInt8(ascii: "."):
            guard index + 2 < bytes.count, bytes[index + 1] == byte, bytes[index + 2] == byte else { break }
            index += 3
            return (.punctuator("..."), start)
        case UInt8(ascii: "!"), UInt8(ascii: "$"), UInt8(ascii: "&"), UInt8(ascii: "("), UInt8(ascii: ")"),
            UInt8(ascii: ":"), UInt8(ascii: "="), UInt8(ascii: "@"), UInt8(ascii: "["), UInt8(ascii: "]"),
            UInt8(ascii: "{"), UInt8(ascii: "|"), UInt8(ascii: "}"):
            index += 1
            return (.punctuator(String(UnicodeScalar(byte))), start)
        default: break
        }
        throw GraphProblem(.syntax, "Syntax error: unexpected character \(shown(byte)).", at: start)
    }

    private func shown(_ byte: UInt8) -> String {
        byte > 0x20 && byte < 0x7F ? "`\(UnicodeScalar(byte))`" : "0x" + String(byte, radix: 16, uppercase: true)
    }

    private mutating func skipIgnored() {
        while index < bytes.count {
            switch bytes[index] {
            case 0x20, 0x09, UInt8(ascii: ","): index += 1
            case 0x0A, 0x0D: newLine()
            case 0xEF where bytes[index...].starts(with: [0xEF, 0xBB, 0xBF]): index += 3
            case UInt8(ascii: "#"): while index < bytes.count, bytes[index] != 0x0A, bytes[index] != 0x0D { index += 1 }
            default: return
            }
        }
    }

    private mutating func newLine() {
        let isPair = bytes[index] == 0x0D && index + 1 < bytes.count && bytes[index + 1] == 0x0A
        index += isPair ? 2 : 1
        line += 1
        lineStart = index
    }

    private mutating func name() -> String {
        let start = index
        while index < bytes.count, GraphLexer.isNamePart(bytes[index]) { index += 1 }
        return String(decoding: bytes[start..<index], as: UTF8.self)
    }

    private static func isNamePart(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "_"), 0x30...0x39, 0x41...0x5A, 0x61...0x7A: true
        default: false
        }
    }

    private mutating func number(at start: GraphLocation) throws(GraphProblem) -> Token {
        let first = index
        if bytes[index] == UInt8(ascii: "-") { index += 1 }
        let digits = index
        skipDigits()
        guard index > digits, bytes[digits] != UInt8(ascii: "0") || index == digits + 1 else {
            throw GraphProblem(.syntax, "Syntax error: this is no number.", at: start)
        }
        var isWhole = true
        if index < bytes.count, bytes[index] == UInt8(ascii: ".") {
            isWhole = false
            index += 1
            try digitsMust(start)
        }
        if index < bytes.count, bytes[index] | 0x20 == UInt8(ascii: "e") {
            isWhole = false
            index += 1
            if index < bytes.count, bytes[index] == UInt8(ascii: "+") || bytes[index] == UInt8(ascii: "-") {
                index += 1
            }
            try digitsMust(start)
        }
        if index < bytes.count, GraphLexer.isNamePart(bytes[index]) || bytes[index] == UInt8(ascii: ".") {
            throw GraphProblem(.syntax, "Syntax error: this is no number.", at: start)
        }
        let text = String(decoding: bytes[first..<index], as: UTF8.self)
        return isWhole ? .int(text) : .float(text)
    }

    private mutating func digitsMust(_ start: GraphLocation) throws(GraphProblem) {
        let first = index
        skipDigits()
        if index == first { throw GraphProblem(.syntax, "Syntax error: this is no number.", at: start) }
    }

    private mutating func skipDigits() {
        while index < bytes.count, bytes[index] >= 0x30, bytes[index] <= 0x39 { index += 1 }
    }
}

// MARK: Strings

extension GraphLexer {
    private mutating func string(at start: GraphLocation) throws(GraphProblem) -> String {
        if bytes[index...].starts(with: [0x22, 0x22, 0x22]) { return try block(at: start) }
        index += 1
        var content: [UInt8] = []
        while index < bytes.count, bytes[index] != 0x0A, bytes[index] != 0x0D {
            let byte = bytes[index]
            index += 1
            if byte == UInt8(ascii: "\"") { return String(decoding: content, as: UTF8.self) }
            if byte != UInt8(ascii: "\\") {
                content.append(byte)
                continue
            }
            content += try escape(at: start)
        }
        throw GraphProblem(.syntax, "Syntax error: this string has no end.", at: start)
    }

    private mutating func escape(at start: GraphLocation) throws(GraphProblem) -> [UInt8] {
        guard index < bytes.count else {
            throw GraphProblem(.syntax, "Syntax error: this string has no end.", at: start)
        }
        let byte = bytes[index]
        index += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return [byte]
        case UInt8(ascii: "b"): return [0x08]
        case UInt8(ascii: "f"): return [0x0C]
        case UInt8(ascii: "n"): return [0x0A]
        case UInt8(ascii: "r"): return [0x0D]
        case UInt8(ascii: "t"): return [0x09]
        case UInt8(ascii: "u"):
            var value = try codeUnit(at: start)
            if (0xD800...0xDBFF).contains(value), bytes[index...].starts(with: [0x5C, 0x75]) {
                index += 2
                let second = try codeUnit(at: start)
                value = (0xDC00...0xDFFF).contains(second) ? 0x10000 + ((value - 0xD800) << 10) + (second - 0xDC00) : 0
            }
            guard let scalar = Unicode.Scalar(value) else {
                throw GraphProblem(.syntax, "Syntax error: \\u names no character.", at: start)
            }
            return Array(String(Character(scalar)).utf8)
        default: throw GraphProblem(.syntax, "Syntax error: unknown escape in a string.", at: start)
        }
    }

    private mutating func codeUnit(at start: GraphLocation) throws(GraphProblem) -> UInt32 {
        guard index + 4 <= bytes.count,
            let value = UInt32(String(decoding: bytes[index..<(index + 4)], as: UTF8.self), radix: 16),
            bytes[index] != UInt8(ascii: "+")
        else { throw GraphProblem(.syntax, "Syntax error: \\u must be followed by four digits.", at: start) }
        index += 4
        return value
    }

    /// `"""…"""`: no escapes but `\"""`; the common indentation and empty lines at both ends are taken off
    /// (section 2.9.4, BlockStringValue).
    private mutating func block(at start: GraphLocation) throws(GraphProblem) -> String {
        index += 3
        var lines: [[UInt8]] = [[]]
        while index < bytes.count {
            let rest = bytes[index...]
            if rest.starts(with: [0x22, 0x22, 0x22]) {
                index += 3
                return GraphLexer.unindented(lines)
            }
            if rest.starts(with: [0x5C, 0x22, 0x22, 0x22]) {
                index += 4
                lines[lines.count - 1] += [0x22, 0x22, 0x22]
            } else if bytes[index] == 0x0A || bytes[index] == 0x0D {
                newLine()
                lines.append([])
            } else {
                lines[lines.count - 1].append(bytes[index])
                index += 1
            }
        }
        throw GraphProblem(.syntax, "Syntax error: this block string has no end.", at: start)
    }

    private static func unindented(_ lines: [[UInt8]]) -> String {
        func indent(_ line: [UInt8]) -> Int { line.prefix { $0 == 0x20 || $0 == 0x09 }.count }
        let common = lines.dropFirst().filter { indent($0) < $0.count }.map(indent).min() ?? 0
        var kept = lines.enumerated().map { $0.offset == 0 ? $0.element[...] : $0.element.dropFirst(common) }
        while let first = kept.first, indent(Array(first)) == first.count { kept.removeFirst() }
        while let last = kept.last, indent(Array(last)) == last.count { kept.removeLast() }
        return String(decoding: Array(kept.joined(separator: [0x0A])), as: UTF8.self)
    }
}
