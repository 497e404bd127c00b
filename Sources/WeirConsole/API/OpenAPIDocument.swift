import HTTPTypes

/// The OpenAPI 3.1 document of a table of endpoints, as JSON text.
struct OpenAPIDocument {
    private var components: [String: Schema] = [:]

    static func text(_ endpoints: [Endpoint], version: String) -> String {
        var document = OpenAPIDocument()
        return document.write(endpoints, version: version).text + "\n"
    }

    private mutating func write(_ endpoints: [Endpoint], version: String) -> JSONValue {
        var paths: [(String, JSONValue)] = []
        for path in endpoints.map(\.path).uniqued() {
            let operations = endpoints.filter { $0.path == path }.map {
                ($0.method.rawValue.lowercased(), operation($0))
            }
            paths.append((path, .object(operations)))
        }
        let problem = reference(Schema(APIProblem.self))
        var schemas: [(String, JSONValue)] = []
        // Describing one may name others, so until none is new.
        var done: Set<String> = []
        while let next = components.keys.filter({ !done.contains($0) }).min(), let schema = components[next] {
            done.insert(next)
            schemas.append((next, definition(schema)))
        }
        schemas.sort { $0.0 < $1.0 }
        return .object([
            ("openapi", .string("3.1.0")),
            (
                "info",
                .object([
                    ("title", .string("Weir")), ("version", .string(version)),
                    ("description", .string("What a running Weir shows and what may be asked of it. Loopback only.")),
                ])
            ),
            ("paths", .object(paths)),
            (
                "components",
                .object([
                    ("schemas", .object(schemas)),
                    (
                        "responses",
                        .object([
                            (
                                "Problem",
                                .object([
                                    ("description", .string("What was wrong, and what to do.")),
                                    ("content", content("application/json", problem)),
                                ])
                            )
                        ])
                    ),
                ])
            ),
        ])
    }

    private mutating func operation(_ endpoint: Endpoint) -> JSONValue {
        var fields: [(String, JSONValue)] = [
            ("operationId", .string(endpoint.operation)), ("summary", .string(endpoint.summary)),
        ]
        let inPath = endpoint.path.split(separator: "/").filter { $0.hasPrefix("{") }.map {
            String($0.dropFirst().dropLast())
        }
        let parameters =
            inPath.map { name -> JSONValue in
                .object([
                    ("name", .string(name)), ("in", .string("path")), ("required", .bool(true)),
                    ("schema", .object([("type", .string("string"))])),
                ])
            }
            + endpoint.query.map { query -> JSONValue in
                .object([
                    ("name", .string(query.name)), ("in", .string("query")), ("description", .string(query.meaning)),
                    ("schema", schema(query.kind)),
                ])
            }
        if !parameters.isEmpty { fields.append(("parameters", .array(parameters))) }
        var responses: [(String, JSONValue)] = [("200", success(endpoint.answer))]
        for status in (endpoint.problems + [403, 421]).uniqued().sorted() {
            if status == 403, endpoint.method == .get { continue }
            responses.append((String(status), .object([("$ref", .string("#/components/responses/Problem"))])))
        }
        fields.append(("responses", .object(responses)))
        return .object(fields)
    }

    private func schema(_ kind: Endpoint.Query.Kind) -> JSONValue {
        switch kind {
        case .number(let range, let standard):
            .object([
                ("type", .string("integer")), ("minimum", .number(range.lowerBound)),
                ("maximum", .number(range.upperBound)), ("default", .number(standard)),
            ])
        case .text: .object([("type", .string("string"))])
        case .choice(let words):
            .object([("type", .string("string")), ("enum", .array(words.map { .string($0) }))])
        }
    }

    private mutating func success(_ answer: Endpoint.Content) -> JSONValue {
        switch answer {
        case .json(let schema): described("The answer.", "application/json", reference(schema))
        case .lines(let schema):
            described("One document per line, as they come.", "application/x-ndjson", reference(schema))
        case .events(let schema): described("Server-sent events, one a second.", "text/event-stream", reference(schema))
        case .text: described("Text.", "text/plain", .object([("type", .string("string"))]))
        case .document: described("This document.", "application/json", .object([("type", .string("object"))]))
        }
    }

    private func described(_ text: String, _ type: String, _ schema: JSONValue) -> JSONValue {
        .object([("description", .string(text)), ("content", content(type, schema))])
    }

    private func content(_ type: String, _ schema: JSONValue) -> JSONValue {
        .object([(type, .object([("schema", schema)]))])
    }

    private mutating func reference(_ schema: Schema) -> JSONValue {
        switch schema {
        case .string: .object([("type", .string("string"))])
        case .integer: .object([("type", .string("integer"))])
        case .number: .object([("type", .string("number"))])
        case .boolean: .object([("type", .string("boolean"))])
        case .array(let element): .object([("type", .string("array")), ("items", reference(element))])
        case .map(let value): .object([("type", .string("object")), ("additionalProperties", reference(value))])
        case .object(let name, _):
            {
                components[name] = schema
                return .object([("$ref", .string("#/components/schemas/\(name)"))])
            }()
        }
    }

    private mutating func definition(_ schema: Schema) -> JSONValue {
        guard case .object(_, let properties) = schema else { return reference(schema) }
        var described: [(String, JSONValue)] = []
        for property in properties { described.append((property.name, reference(property.schema))) }
        return .object([
            ("type", .string("object")), ("properties", .object(described)),
            ("required", .array(properties.filter(\.isRequired).map { .string($0.name) })),
        ])
    }
}

extension Array where Element: Hashable {
    /// In the order of their first occurrence.
    fileprivate func uniqued() -> [Element] {
        var seen: Set<Element> = []
        return filter { seen.insert($0).inserted }
    }
}

/// A JSON document whose keys keep their order.
enum JSONValue: Sendable {
    case string(String)
    case number(Int)
    case bool(Bool)
    case array([JSONValue])
    case object([(String, JSONValue)])

    var text: String {
        switch self {
        case .string(let string): Self.quoted(string)
        case .number(let number): String(number)
        case .bool(let bool): bool ? "true" : "false"
        case .array(let elements): "[" + elements.map(\.text).joined(separator: ",") + "]"
        case .object(let members):
            "{" + members.map { Self.quoted($0.0) + ":" + $0.1.text }.joined(separator: ",") + "}"
        }
    }

    static func quoted(_ string: String) -> String {
        var text = "\""
        for scalar in string.unicodeScalars {
            switch scalar {
            case "\"": text += "\\\""
            case "\\": text += "\\\\"
            case "\n": text += "\\n"
            case _ where scalar.value < 0x20 || scalar.value == 0x2028 || scalar.value == 0x2029:
                let hex = String(scalar.value, radix: 16)
                text += "\\u" + String(repeating: "0", count: 4 - hex.count) + hex
            default: text.unicodeScalars.append(scalar)
            }
        }
        return text + "\""
    }
}
