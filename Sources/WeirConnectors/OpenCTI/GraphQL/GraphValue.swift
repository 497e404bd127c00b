internal import NIOCore
internal import WeirWires

/// A value as GraphQL and JSON know it. Members of an object keep their order, and text keeps its bytes.
enum GraphValue: Sendable, Hashable {
    struct Member: Sendable, Hashable {
        var name: String
        var value: GraphValue
    }

    case null
    case bool(Bool)
    case int(Int64)
    case number(Double)
    case string(String)
    /// Written without quotes in a document; in JSON a string.
    case enumeration(String)
    case list([GraphValue])
    case object([Member])
    /// The one string of a request that was too long to be gathered; its bytes went another way.
    case streamed

    subscript(name: String) -> GraphValue? {
        guard case .object(let members) = self else { return nil }
        // The last one counts, as in every JSON reader a client may have been tested with.
        return members.last { $0.name == name }?.value
    }

    var text: String? {
        switch self {
        case .string(let text), .enumeration(let text): text
        default: nil
        }
    }

    var flag: Bool? {
        if case .bool(let flag) = self { return flag }
        return nil
    }

    var whole: Int? {
        switch self {
        case .int(let value): Int(exactly: value)
        case .number(let value): Int(exactly: value)
        default: nil
        }
    }

    var decimal: Double? {
        switch self {
        case .int(let value): Double(value)
        case .number(let value): value
        default: nil
        }
    }

    var elements: [GraphValue]? {
        if case .list(let elements) = self { return elements }
        return nil
    }

    var isNull: Bool { self == .null }

    static func text(_ text: String?) -> GraphValue { text.map { .string($0) } ?? .null }
    static func texts(_ texts: [String]) -> GraphValue { .list(texts.map { .string($0) }) }
    static func whole(_ number: Int) -> GraphValue { .int(Int64(clamping: number)) }

    static func object(_ members: KeyValuePairs<String, GraphValue>) -> GraphValue {
        .object(members.map { Member(name: $0.key, value: $0.value) })
    }
}

// MARK: JSON

extension GraphValue {
    func write(to buffer: inout ByteBuffer) {
        switch self {
        case .null, .streamed: buffer.writeStaticString("null")
        case .bool(let flag): buffer.writeString(flag ? "true" : "false")
        case .int(let number): buffer.writeString(String(number))
        case .number(let number):
            // JSON has no infinities.
            buffer.writeString(number.isFinite ? "\(number)" : "null")
        case .string(let text), .enumeration(let text): JSONText.write(text, to: &buffer)
        case .list(let elements):
            buffer.writeStaticString("[")
            for (index, element) in elements.enumerated() {
                if index > 0 { buffer.writeStaticString(",") }
                element.write(to: &buffer)
            }
            buffer.writeStaticString("]")
        case .object(let members):
            buffer.writeStaticString("{")
            for (index, member) in members.enumerated() {
                if index > 0 { buffer.writeStaticString(",") }
                JSONText.write(member.name, to: &buffer)
                buffer.writeStaticString(":")
                member.value.write(to: &buffer)
            }
            buffer.writeStaticString("}")
        }
    }

    var json: ByteBuffer {
        var buffer = ByteBuffer()
        write(to: &buffer)
        return buffer
    }
}
