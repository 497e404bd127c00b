extension Value {
    /// How the value is written in CEL, shortened after 200 characters or four levels: for messages and for people.
    package var literal: String {
        var writer = LiteralWriter()
        writer.write(self, depth: 0)
        return writer.text
    }
}

private struct LiteralWriter {
    var text = ""
    private let most = 200

    mutating func write(_ value: Value, depth: Int) {
        guard text.utf8.count < most, depth < 5 else {
            if !text.hasSuffix("…") { text += "…" }
            return
        }
        switch value {
        case .null: text += "null"
        case .bool(let value): text += value ? "true" : "false"
        case .int(let value): text += String(value)
        case .uint(let value): text += String(value) + "u"
        case .double(let value):
            let digits = NumberText.text(value)
            text += digits.contains { ".eN".contains($0) || $0 == "y" } ? digits : digits + ".0"
        case .string(let value): text += Library.quoted(Text.string(value.unicodeScalars.prefix(most)))
        case .bytes(let value):
            text += "b\""
            for byte in value.prefix(most) {
                if byte >= 32, byte < 127, byte != 34, byte != 92 {
                    text.unicodeScalars.append(Unicode.Scalar(byte))
                } else {
                    let digits = String(byte, radix: 16)
                    text += "\\x" + (digits.count < 2 ? "0" : "") + digits
                }
            }
            text += "\""
        case .list(let list):
            text += "["
            for (at, element) in list.prefix(most).enumerated() {
                if at > 0 { text += ", " }
                write(element, depth: depth + 1)
            }
            text += "]"
        case .map(let map):
            text += "{"
            for (at, key) in map.keys.prefix(most).enumerated() {
                if at > 0 { text += ", " }
                write(key, depth: depth + 1)
                text += ": "
                write(map.values[at], depth: depth + 1)
            }
            text += "}"
        case .timestamp(let value): text += "timestamp(\"\(value)\")"
        case .duration(let value): text += "duration(\"\(value)\")"
        case .type(let name): text += name
        case .optional(nil): text += "optional.none()"
        case .optional(let inner?):
            text += "optional.of("
            write(inner, depth: depth + 1)
            text += ")"
        case .address(let value): text += "ip(\"\(value)\")"
        case .network(let value): text += "cidr(\"\(value)\")"
        }
    }
}
