/// Reads the text of a name (RFC 4514 section 3), with what RFC 2253 and older clients wrote besides: spaces round `=`,
/// `,` and `+`, `;` between relative names, quoted values, `OID.` before a numeric type.
struct NameReader {
    private let bytes: [UInt8]
    private var at = 0

    init(_ text: String) { bytes = Array(text.utf8) }

    mutating func read() throws(NameProblem) -> [DistinguishedName.Relative] {
        skipSpaces()
        var relatives: [DistinguishedName.Relative] = []
        guard at < bytes.count else { return relatives }
        while true {
            relatives.append(try relative())
            guard at < bytes.count else { return relatives }
            at += 1  // a comma or a semicolon: `relative` ends at nothing else
        }
    }

    private mutating func relative() throws(NameProblem) -> DistinguishedName.Relative {
        var parts: [DistinguishedName.Part] = []
        while true {
            let type = try type()
            parts.append(.init(type: type, value: try value()))
            guard at < bytes.count, bytes[at] == UInt8(ascii: "+") else { return .init(parts: parts) }
            at += 1
        }
    }

    private mutating func type() throws(NameProblem) -> String {
        skipSpaces()
        let start = at
        while at < bytes.count, NameText.isTypeByte(bytes[at]) { at += 1 }
        var name = bytes[start..<at]
        skipSpaces()
        guard !name.isEmpty else { throw NameProblem(place: at, text: "a type is missing") }
        guard at < bytes.count, bytes[at] == UInt8(ascii: "=") else {
            throw NameProblem(place: at, text: "= is missing after \(String(decoding: name, as: UTF8.self))")
        }
        at += 1
        skipSpaces()
        let first = name[start]
        let isNumeric = first >= UInt8(ascii: "0") && first <= UInt8(ascii: "9")
        if String(decoding: name.prefix(4), as: UTF8.self).lowercased() == "oid.", !isNumeric {
            name = name.dropFirst(4)
        }
        guard let head = name.first, head != UInt8(ascii: "-"), head != UInt8(ascii: ".") else {
            throw NameProblem(place: start, text: "this is no type")
        }
        return String(decoding: name, as: UTF8.self)
    }

    private mutating func value() throws(NameProblem) -> String {
        guard at < bytes.count else { return "" }
        switch bytes[at] {
        case UInt8(ascii: "#"): return try hexadecimal()
        case UInt8(ascii: "\""): return try quoted()
        default: return try plain()
        }
    }

    /// `#` and the BER of the value: strings of under 128 bytes are read, others name nothing that Weir meets.
    private mutating func hexadecimal() throws(NameProblem) -> String {
        let start = at
        at += 1
        var value: [UInt8] = []
        while at + 1 < bytes.count, let high = NameText.nibble(bytes[at]), let low = NameText.nibble(bytes[at + 1]) {
            value.append(high << 4 | low)
            at += 2
        }
        /// OCTET STRING, UTF8String, PrintableString, IA5String.
        let strings: Set<UInt8> = [0x04, 0x0C, 0x13, 0x16]
        guard value.count >= 2, strings.contains(value[0]), Int(value[1]) == value.count - 2, value[1] < 0x80 else {
            throw NameProblem(place: start, text: "# wants the hexadecimal digits of a string in BER")
        }
        try end()
        return try text(Array(value.dropFirst(2)), from: start)
    }

    private mutating func quoted() throws(NameProblem) -> String {
        let start = at
        at += 1
        var value: [UInt8] = []
        while at < bytes.count, bytes[at] != UInt8(ascii: "\"") {
            value.append(bytes[at] == UInt8(ascii: "\\") ? try escape() : bytes[at])
            at += 1
        }
        guard at < bytes.count else { throw NameProblem(place: start, text: "a quote is not closed") }
        at += 1
        try end()
        return try text(value, from: start)
    }

    private mutating func plain() throws(NameProblem) -> String {
        let start = at
        var value: [UInt8] = []
        /// How many bytes of `value` stay: spaces at the end count only where they are escaped.
        var kept = 0
        while at < bytes.count {
            let byte = bytes[at]
            if byte == UInt8(ascii: ",") || byte == UInt8(ascii: ";") || byte == UInt8(ascii: "+") { break }
            if byte == UInt8(ascii: "\\") {
                value.append(try escape())
                kept = value.count
            } else if byte == 0 || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "<") || byte == UInt8(ascii: ">")
            {
                throw NameProblem(place: at, text: "a character that must be escaped")
            } else {
                value.append(byte)
                if byte != UInt8(ascii: " ") { kept = value.count }
            }
            at += 1
        }
        return try text(Array(value.prefix(kept)), from: start)
    }

    /// Leaves `at` on the last byte of the escape.
    private mutating func escape() throws(NameProblem) -> UInt8 {
        guard at + 1 < bytes.count else { throw NameProblem(place: at, text: "an escape ends too early") }
        if let high = NameText.nibble(bytes[at + 1]) {
            guard at + 2 < bytes.count, let low = NameText.nibble(bytes[at + 2]) else {
                throw NameProblem(place: at, text: "an escape wants two hexadecimal digits")
            }
            at += 2
            return high << 4 | low
        }
        guard NameText.isSpecial(bytes[at + 1]) else {
            throw NameProblem(place: at, text: "this character is not escaped so")
        }
        at += 1
        return bytes[at]
    }

    private func text(_ value: [UInt8], from start: Int) throws(NameProblem) -> String {
        guard let text = String(validating: value, as: UTF8.self) else {
            throw NameProblem(place: start, text: "a value that is not UTF-8")
        }
        return text
    }

    /// What may follow a value that ends itself: spaces, then a separator or nothing.
    private mutating func end() throws(NameProblem) {
        skipSpaces()
        guard at < bytes.count else { return }
        let byte = bytes[at]
        guard byte == UInt8(ascii: ",") || byte == UInt8(ascii: ";") || byte == UInt8(ascii: "+") else {
            throw NameProblem(place: at, text: "a separator is missing")
        }
    }

    private mutating func skipSpaces() {
        while at < bytes.count, bytes[at] == UInt8(ascii: " ") { at += 1 }
    }
}
