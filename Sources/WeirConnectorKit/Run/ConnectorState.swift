/// What a connector remembers from run to run: a JSON object, kept by the platform byte for byte as it was written
/// here.
///
/// ```swift
/// helper.state = try ConnectorState(encoding: Progress(lastID: 42))
/// let progress = try helper.state?.decode(Progress.self)
/// ```
public struct ConnectorState: Sendable, Hashable, CustomStringConvertible {
    /// The JSON.
    public let text: String

    /// - Throws: what is wrong with the text, when it is no JSON object.
    public init(_ text: String) throws(JSONMistake) {
        guard try JSONValue(parsing: text).object != nil else {
            throw JSONMistake("a state is a JSON object, such as {\"last_run\": 1795216041}")
        }
        self.text = text
    }

    public init(_ object: JSONObject) { text = JSONValue.object(object).json }

    /// - Throws: when the value cannot be encoded, or not as a JSON object.
    public init(encoding value: some Encodable) throws {
        try self.init(try JSONValue(encoding: value).json)
    }

    /// The members of the object.
    public var object: JSONObject { (try? JSONValue(parsing: text))?.object ?? [:] }

    public func decode<Value: Decodable>(_ type: Value.Type) throws -> Value {
        try JSONValue.decode(type, from: text)
    }

    public var description: String { text }

    /// As the platform answers it: an empty text, `null` and what is no object mean that there is none.
    init?(fromPlatform text: String?) {
        guard let text, let state = try? ConnectorState(text), !state.object.members.isEmpty else { return nil }
        self = state
    }

    /// Byte by byte: Swift's `==` takes texts that differ only in Unicode composition for equal.
    public static func == (left: ConnectorState, right: ConnectorState) -> Bool {
        left.text.utf8.elementsEqual(right.text.utf8)
    }

    public func hash(into hasher: inout Hasher) { for byte in text.utf8 { hasher.combine(byte) } }
}
