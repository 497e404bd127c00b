package import FoundationEssentials

/// Any JSON document, to be shown again as JSON, as lines of it, or as YAML. Keys are sorted; numbers keep their
/// exact value.
package indirect enum Tree: Sendable, Hashable, Decodable {
    case null
    case bool(Bool)
    case integer(Int64)
    case natural(UInt64)
    case number(Double)
    case string(String)
    case list([Tree])
    case object([String: Tree])

    package init(from decoder: any Decoder) throws {
        let value = try decoder.singleValueContainer()
        if value.decodeNil() {
            self = .null
        } else if let bool = try? value.decode(Bool.self) {
            self = .bool(bool)
        } else if let integer = try? value.decode(Int64.self) {
            self = .integer(integer)
        } else if let natural = try? value.decode(UInt64.self) {
            self = .natural(natural)
        } else if let number = try? value.decode(Double.self) {
            self = .number(number)
        } else if let string = try? value.decode(String.self) {
            self = .string(string)
        } else if let list = try? value.decode([Tree].self) {
            self = .list(list)
        } else {
            self = .object(try value.decode([String: Tree].self))
        }
    }

    package init(_ data: Data) throws { self = try JSONDecoder().decode(Tree.self, from: data) }

    package subscript(key key: String) -> Tree? {
        if case .object(let members) = self { members[key] } else { nil }
    }

    package var text: String? {
        if case .string(let text) = self { text } else { nil }
    }

    /// On one line.
    package var json: String {
        switch self {
        case .list(let elements): "[" + elements.map(\.json).joined(separator: ",") + "]"
        case .object(let members):
            "{"
                + members.sorted { $0.key < $1.key }.map { JSONValue.quoted($0.key) + ":" + $0.value.json }
                .joined(separator: ",") + "}"
        default: scalar
        }
    }

    /// Two spaces a level, as people read it.
    package var prettyJSON: String { pretty("") }

    private func pretty(_ indent: String) -> String {
        let inner = indent + "  "
        switch self {
        case .list(let elements) where !elements.isEmpty:
            return "[\n" + elements.map { inner + $0.pretty(inner) }.joined(separator: ",\n") + "\n\(indent)]"
        case .object(let members) where !members.isEmpty:
            let lines = members.sorted { $0.key < $1.key }
                .map { inner + JSONValue.quoted($0.key) + ": " + $0.value.pretty(inner) }
            return "{\n" + lines.joined(separator: ",\n") + "\n\(indent)}"
        default: return json
        }
    }

    private var scalar: String {
        switch self {
        case .null: "null"
        case .bool(let bool): bool ? "true" : "false"
        case .integer(let integer): String(integer)
        case .natural(let natural): String(natural)
        case .number(let number): String(number)
        case .string(let string): JSONValue.quoted(string)
        case .list, .object: json
        }
    }

    /// Block style; strings that could be read as something else stand in quotes.
    package var yaml: String { yaml("").joined(separator: "\n") }

    private func yaml(_ indent: String) -> [String] {
        switch self {
        case .list(let elements) where !elements.isEmpty:
            elements.flatMap { element -> [String] in
                let lines = element.yaml(indent + "  ")
                guard let first = lines.first else { return [] }
                return [indent + "- " + first.drop { $0 == " " }] + lines.dropFirst()
            }
        case .object(let members) where !members.isEmpty:
            members.sorted { $0.key < $1.key }.flatMap { key, value -> [String] in
                let name = indent + Self.plain(key) + ":"
                switch value {
                case .list(let elements) where !elements.isEmpty: return [name] + value.yaml(indent + "  ")
                case .object(let members) where !members.isEmpty: return [name] + value.yaml(indent + "  ")
                default: return [name + " " + (value.yaml("").first ?? "")]
                }
            }
        case .string(let string): [indent + Self.plain(string)]
        default: [indent + scalar]
        }
    }

    private static func plain(_ text: String) -> String {
        let words: Set<String> = ["", "true", "false", "null", "yes", "no", "on", "off", "~", "y", "n"]
        let isSafe =
            !words.contains(text.lowercased())
            && text.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "_"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "/"), UInt8(ascii: "."),
                    UInt8(ascii: " "):
                    true
                default: false
                }
            }
            && text.first?.isLetter == true && text.last != " " && Double(text) == nil
        return isSafe ? text : JSONValue.quoted(text)
    }
}
