extension Value {
    /// The value as JSON. Numbers are numbers (NaN and the infinities strings), bytes base64, timestamps RFC 3339,
    /// durations `1.5s`, types their names, an empty optional `null`. Keys of maps become strings.
    /// Stops with `null` for what is left after 64 MiB or 256 levels, so that a value that shares its parts many times
    /// over cannot fill the memory.
    package var jsonText: String {
        var writer = JSONWriter()
        writer.write(self, depth: 0)
        return String(decoding: writer.bytes, as: UTF8.self)
    }
}

struct JSONWriter {
    var bytes: [UInt8] = []
    private static let most = 64 << 20

    mutating func write(_ value: Value, depth: Int) {
        guard bytes.count < Self.most, depth < 256 else { return put("null") }
        switch value {
        case .null: put("null")
        case .bool(let value): put(value ? "true" : "false")
        case .int(let value): put(String(value))
        case .uint(let value): put(String(value))
        case .double(let value):
            guard value.isFinite else { return quote(NumberText.text(value)) }
            // A whole number stays recognisable as a double.
            put(value.description)
        case .string(let value): quote(value)
        case .bytes(let value): quote(Base64.encode(value))
        case .list(let list):
            put("[")
            for (at, element) in list.enumerated() {
                if at > 0 { put(",") }
                write(element, depth: depth + 1)
            }
            put("]")
        case .map(let map):
            put("{")
            for (at, key) in map.keys.enumerated() {
                if at > 0 { put(",") }
                if case .string(let text) = key { quote(text) } else { quote(key.keyText) }
                put(":")
                write(map.values[at], depth: depth + 1)
            }
            put("}")
        case .timestamp(let value): quote(value.description)
        case .duration(let value): quote(value.description)
        case .type(let name): quote(name)
        case .optional(let inner): write(inner ?? .null, depth: depth + 1)
        case .address(let value): quote(value.description)
        case .network(let value): quote(value.description)
        }
    }

    private mutating func put(_ text: StaticString) {
        text.withUTF8Buffer { bytes.append(contentsOf: $0) }
    }

    private mutating func put(_ text: String) { bytes.append(contentsOf: text.utf8) }

    mutating func quote(_ text: String) {
        bytes.append(UInt8(ascii: "\""))
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "\""): put("\\\"")
            case UInt8(ascii: "\\"): put("\\\\")
            case 10: put("\\n")
            case 13: put("\\r")
            case 9: put("\\t")
            case 0..<32:
                let digits = String(byte, radix: 16)
                put("\\u00" + (byte < 16 ? "0" : "") + digits)
            default: bytes.append(byte)
            }
        }
        bytes.append(UInt8(ascii: "\""))
    }
}

extension Value {
    fileprivate var keyText: String {
        switch self {
        case .bool(let value): value ? "true" : "false"
        case .int(let value): String(value)
        case .uint(let value): String(value)
        default: literal
        }
    }
}
