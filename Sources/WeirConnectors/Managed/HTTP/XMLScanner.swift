/// Reads XML as far as feeds need it: elements, attributes, text, CDATA, the five entities and character references.
///
/// Document types are passed over and entities of their own are never expanded, so there is nothing to fetch and
/// nothing to blow up. Names keep their prefixes. It is lenient about what feeds get wrong (unknown entities stay as
/// written), strict about elements that are not closed in order.
struct XMLScanner {
    enum Token: Equatable {
        case start(String, [String: String])
        case end(String)
        case text(String)
    }

    private let bytes: [UInt8]
    private var place = 0
    private var open: [String] = []
    /// The end of an element that was written as `<a/>`.
    private var pendingEnd: String?

    static let depthMost = 64

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    /// - Returns: `nil` at the end.
    mutating func next() throws(BundleMistake) -> Token? {
        if let name = pendingEnd {
            pendingEnd = nil
            return .end(name)
        }
        while place < bytes.count {
            guard bytes[place] == UInt8(ascii: "<") else { return .text(text(upTo: UInt8(ascii: "<"))) }
            if skip("<!--", to: "-->") || skip("<?", to: "?>") { continue }
            if starts("<![CDATA[") {
                let end = find("]]>", from: place + 9) ?? bytes.count
                defer { place = min(bytes.count, end + 3) }
                return .text(String(decoding: bytes[(place + 9)..<max(place + 9, end)], as: UTF8.self))
            }
            if starts("<!") {
                skipDeclaration()
                continue
            }
            return try tag()
        }
        guard open.isEmpty else { throw wrong("the element `\(open[open.count - 1])` is not closed") }
        return nil
    }

    private mutating func tag() throws(BundleMistake) -> Token {
        place += 1
        let isEnd = place < bytes.count && bytes[place] == UInt8(ascii: "/")
        if isEnd { place += 1 }
        let name = word()
        guard !name.isEmpty else { throw wrong("there is a `<` without a name") }
        if isEnd {
            guard open.popLast() == name else { throw wrong("`</\(name)>` closes nothing") }
            guard let close = find(">", from: place) else { throw wrong("a tag does not end") }
            place = close + 1
            return .end(name)
        }
        var attributes: [String: String] = [:]
        while true {
            skipSpace()
            guard place < bytes.count else { throw wrong("a tag does not end") }
            if bytes[place] == UInt8(ascii: ">") {
                place += 1
                guard open.count < Self.depthMost else { throw wrong("elements are nested too deeply") }
                open.append(name)
                return .start(name, attributes)
            }
            if starts("/>") {
                place += 2
                pendingEnd = name
                return .start(name, attributes)
            }
            let key = word()
            skipSpace()
            guard !key.isEmpty, starts("=") else { throw wrong("an attribute of `\(name)` has no value") }
            place += 1
            skipSpace()
            guard place < bytes.count, bytes[place] == 0x22 || bytes[place] == 0x27 else {
                throw wrong("an attribute of `\(name)` is not quoted")
            }
            let quote = bytes[place]
            place += 1
            attributes[key] = text(upTo: quote)
            place += 1
        }
    }

    /// Text up to a byte, with its entities read.
    private mutating func text(upTo stop: UInt8) -> String {
        var result: [UInt8] = []
        while place < bytes.count, bytes[place] != stop {
            if bytes[place] == UInt8(ascii: "&"), let (scalar, length) = entity() {
                result.append(contentsOf: Array(String(Character(scalar)).utf8))
                place += length
            } else {
                result.append(bytes[place])
                place += 1
            }
        }
        return String(decoding: result, as: UTF8.self)
    }

    private func entity() -> (Unicode.Scalar, length: Int)? {
        guard let end = bytes[place...].prefix(12).firstIndex(of: UInt8(ascii: ";")) else { return nil }
        let name = String(decoding: bytes[(place + 1)..<end], as: UTF8.self)
        let length = end + 1 - place
        switch name {
        case "lt": return ("<", length)
        case "gt": return (">", length)
        case "amp": return ("&", length)
        case "quot": return ("\"", length)
        case "apos": return ("'", length)
        default:
            guard name.hasPrefix("#") else { return nil }
            let isHexadecimal = name.hasPrefix("#x") || name.hasPrefix("#X")
            let number = UInt32(name.dropFirst(isHexadecimal ? 2 : 1), radix: isHexadecimal ? 16 : 10)
            return number.flatMap(Unicode.Scalar.init).map { ($0, length) }
        }
    }

    private mutating func word() -> String {
        let rest = bytes[place...].prefix { byte in
            byte > 0x20 && ![0x3E, 0x3D, 0x2F, 0x3C, 0x22, 0x27].contains(byte)
        }
        place += rest.count
        return String(decoding: rest, as: UTF8.self)
    }

    private mutating func skipSpace() { while place < bytes.count, bytes[place] <= 0x20 { place += 1 } }

    private func starts(_ text: StaticString) -> Bool {
        let wanted = UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount)
        return bytes[place...].starts(with: wanted)
    }

    private func find(_ text: String, from start: Int) -> Int? {
        let wanted = Array(text.utf8)
        var index = start
        while index + wanted.count <= bytes.count {
            if bytes[index] == wanted[0], bytes[index..<(index + wanted.count)].elementsEqual(wanted) { return index }
            index += 1
        }
        return nil
    }

    private mutating func skip(_ start: StaticString, to end: String) -> Bool {
        guard starts(start) else { return false }
        place = find(end, from: place + 2).map { $0 + end.utf8.count } ?? bytes.count
        return true
    }

    /// `<!DOCTYPE … [ … ]>`, with quotes and brackets in it.
    private mutating func skipDeclaration() {
        var brackets = 0
        var quote: UInt8?
        while place < bytes.count {
            let byte = bytes[place]
            place += 1
            if let open = quote {
                if byte == open { quote = nil }
            } else if byte == 0x22 || byte == 0x27 {
                quote = byte
            } else if byte == UInt8(ascii: "[") {
                brackets += 1
            } else if byte == UInt8(ascii: "]") {
                brackets -= 1
            } else if byte == UInt8(ascii: ">"), brackets <= 0 {
                return
            }
        }
    }

    private func wrong(_ why: String) -> BundleMistake {
        BundleMistake("invalid_xml", "The answer is no XML: \(why), at byte \(place).")
    }
}
