extension PlainValue {
    /// As JSON, indented by two spaces; keys keep their order, so that files made from it differ only where they must.
    package var json: String { json(indent: "") }

    private func json(indent: String) -> String {
        let inner = indent + "  "
        switch self {
        case .null: return "null"
        case .truth(let truth): return truth ? "true" : "false"
        case .whole(let number): return String(number)
        case .number(let number): return number.isFinite ? text : "null"
        case .text(let text): return PlainValue.quoted(text)
        case .list(let items):
            if items.isEmpty { return "[]" }
            if items.allSatisfy(\.isShort) && items.count <= 8 {
                return "[" + items.map { $0.json(indent: "") }.joined(separator: ", ") + "]"
            }
            return "[\n" + items.map { inner + $0.json(indent: inner) }.joined(separator: ",\n") + "\n\(indent)]"
        case .map(let entries):
            if entries.isEmpty { return "{}" }
            let lines = entries.map { "\(inner)\(PlainValue.quoted($0.key)): \($0.value.json(indent: inner))" }
            return "{\n" + lines.joined(separator: ",\n") + "\n\(indent)}"
        }
    }

    private var isShort: Bool {
        switch self {
        case .list, .map: false
        case .text(let text): text.utf8.count < 40
        case .null, .truth, .whole, .number: true
        }
    }

    private static func quoted(_ text: String) -> String {
        var result = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": result += "\\\""
            case "\\": result += "\\\\"
            case "\n": result += "\\n"
            case "\r": result += "\\r"
            case "\t": result += "\\t"
            case _
            where scalar.value < 0x20 || (0x7F..<0xA0).contains(scalar.value) || scalar.value == 0x2028
                || scalar.value == 0x2029:
                let digits = String(scalar.value, radix: 16)
                result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result + "\""
    }
}
