/// A JSON Schema (2020-12, the dialect of OpenAPI 3.1), derived from the type that is encoded: a recording decoder
/// runs through `init(from:)` and notes which keys are asked for, with which types, and which may be missing. So the
/// document cannot say anything else than the code does.
indirect enum Schema: Sendable, Hashable {
    case string, integer, number, boolean
    case array(Schema)
    /// Any names, values of one kind.
    case map(Schema)
    case object(name: String, [Property])

    struct Property: Sendable, Hashable {
        var name: String
        var schema: Schema
        var isRequired: Bool
    }

    /// - Parameter type: a `Codable` view of this room. Its decoding must not depend on values.
    init(_ type: any Decodable.Type) { self = Recording.schema(of: type) }

    /// The same rule as Foundation's `.convertToSnakeCase` for the names that occur here: lower camel case, no digits
    /// after a hump.
    static func snake(_ name: String) -> String {
        var text = ""
        for character in name {
            if character.isUppercase, !text.isEmpty { text += "_" }
            text += character.lowercased()
        }
        return text
    }
}

private protocol StringKeyed { static var value: any Decodable.Type { get } }
extension Dictionary: StringKeyed where Key == String, Value: Decodable {
    fileprivate static var value: any Decodable.Type { Value.self }
}
private protocol Listed { static var element: any Decodable.Type { get } }
extension Array: Listed where Element: Decodable {
    fileprivate static var element: any Decodable.Type { Element.self }
}

/// What one run through a type's `init(from:)` has asked for.
private final class Recording {
    private(set) var properties: [Schema.Property] = []

    static func schema(of type: any Decodable.Type) -> Schema {
        switch type {
        case is String.Type: return .string
        case is Bool.Type: return .boolean
        case is Double.Type: return .number
        case is any FixedWidthInteger.Type: return .integer
        case let map as any StringKeyed.Type: return .map(schema(of: map.value))
        case let list as any Listed.Type: return .array(schema(of: list.element))
        default: return object(type).schema
        }
    }

    static func object<Value: Decodable>(_ type: Value.Type) -> (schema: Schema, value: Value) {
        let recording = Recording()
        let value: Value
        do {
            value = try Value(from: Recorder(recording: recording))
        } catch {
            preconditionFailure("\(type) cannot be described: \(error)")
        }
        let name = "\(type)".replacingSuffix("View", with: "")
        return (.object(name: name, recording.properties), value)
    }

    func note(_ key: any CodingKey, _ schema: Schema, isRequired: Bool) {
        properties.append(
            Schema.Property(name: Schema.snake(key.stringValue), schema: schema, isRequired: isRequired))
    }

    /// A value of any type of our views, so that decoding goes on.
    static func sample<Value: Decodable>(_ type: Value.Type) -> Value {
        let sample: Any =
            switch type {
            case is String.Type: ""
            case is Bool.Type: false
            case is Double.Type: 0.0
            case let integer as any FixedWidthInteger.Type: zero(integer)
            default: object(type).value
            }
        guard let sample = sample as? Value else { preconditionFailure("\(type) has no sample") }
        return sample
    }

    private static func zero<Number: FixedWidthInteger>(_ type: Number.Type) -> Any { Number.zero }
}

extension String {
    fileprivate func replacingSuffix(_ suffix: String, with replacement: String) -> String {
        hasSuffix(suffix) && count > suffix.count ? String(dropLast(suffix.count)) + replacement : self
    }
}

private struct Recorder: Decoder {
    let recording: Recording
    var codingPath: [any CodingKey] { [] }
    var userInfo: [CodingUserInfoKey: Any] { [:] }

    func container<Key: CodingKey>(keyedBy type: Key.Type) throws -> KeyedDecodingContainer<Key> {
        KeyedDecodingContainer(RecordedKeys(recording: recording))
    }
    func unkeyedContainer() throws -> any UnkeyedDecodingContainer { EmptyList() }
    func singleValueContainer() throws -> any SingleValueDecodingContainer {
        throw DecodingError.dataCorrupted(.init(codingPath: [], debugDescription: "single values have no schema here"))
    }
}

private struct RecordedKeys<Key: CodingKey>: KeyedDecodingContainerProtocol {
    let recording: Recording
    var codingPath: [any CodingKey] { [] }
    // A dictionary asks for all keys and is given none.
    var allKeys: [Key] { [] }

    func contains(_ key: Key) -> Bool { true }
    func decodeNil(forKey key: Key) throws -> Bool { false }
    func decode<Value: Decodable>(_ type: Value.Type, forKey key: Key) throws -> Value {
        recording.note(key, Recording.schema(of: type), isRequired: true)
        return Recording.sample(type)
    }
    func decodeIfPresent<Value: Decodable>(_ type: Value.Type, forKey key: Key) throws -> Value? {
        recording.note(key, Recording.schema(of: type), isRequired: false)
        return nil
    }
    // The standard library's versions for simple types would go round the generic one.
    func decode(_ type: String.Type, forKey key: Key) throws -> String { simple(key, .string, "") }
    func decode(_ type: Bool.Type, forKey key: Key) throws -> Bool { simple(key, .boolean, false) }
    func decode(_ type: Double.Type, forKey key: Key) throws -> Double { simple(key, .number, 0) }
    func decodeIfPresent(_ type: String.Type, forKey key: Key) throws -> String? { maybe(key, .string) }
    func decodeIfPresent(_ type: Bool.Type, forKey key: Key) throws -> Bool? { maybe(key, .boolean) }
    func decodeIfPresent(_ type: Double.Type, forKey key: Key) throws -> Double? { maybe(key, .number) }
    func decodeIfPresent(_ type: Int64.Type, forKey key: Key) throws -> Int64? { maybe(key, .integer) }
    func decodeIfPresent(_ type: UInt64.Type, forKey key: Key) throws -> UInt64? { maybe(key, .integer) }
    func decodeIfPresent(_ type: Int.Type, forKey key: Key) throws -> Int? { maybe(key, .integer) }

    private func simple<Value>(_ key: Key, _ schema: Schema, _ value: Value) -> Value {
        recording.note(key, schema, isRequired: true)
        return value
    }
    private func maybe<Value>(_ key: Key, _ schema: Schema) -> Value? {
        recording.note(key, schema, isRequired: false)
        return nil
    }

    func nestedContainer<Nested: CodingKey>(
        keyedBy type: Nested.Type, forKey key: Key
    ) throws -> KeyedDecodingContainer<Nested> { KeyedDecodingContainer(RecordedKeys<Nested>(recording: recording)) }
    func nestedUnkeyedContainer(forKey key: Key) throws -> any UnkeyedDecodingContainer { EmptyList() }
    func superDecoder() throws -> any Decoder { Recorder(recording: recording) }
    func superDecoder(forKey key: Key) throws -> any Decoder { Recorder(recording: recording) }
}

private struct EmptyList: UnkeyedDecodingContainer {
    var codingPath: [any CodingKey] { [] }
    var count: Int? { 0 }
    var isAtEnd: Bool { true }
    var currentIndex: Int { 0 }

    mutating func decodeNil() throws -> Bool { true }
    mutating func decode<Value: Decodable>(_ type: Value.Type) throws -> Value { Recording.sample(type) }
    mutating func nestedContainer<Key: CodingKey>(keyedBy type: Key.Type) throws -> KeyedDecodingContainer<Key> {
        KeyedDecodingContainer(RecordedKeys<Key>(recording: Recording()))
    }
    mutating func nestedUnkeyedContainer() throws -> any UnkeyedDecodingContainer { EmptyList() }
    mutating func superDecoder() throws -> any Decoder { Recorder(recording: Recording()) }
}
