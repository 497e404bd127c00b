/// What can be asked: object types with their fields, as a table. Everything is nullable, so one failed field leaves
/// the others.
struct GraphSchema: Sendable {
    let types: [String: GraphObjectType]
    let query: String
    let mutation: String

    init(query: String = "Query", mutation: String = "Mutation", _ types: [GraphObjectType]) {
        self.types = Dictionary(types.map { ($0.name, $0) }) { first, _ in first }
        self.query = query
        self.mutation = mutation
    }

    func root(_ kind: GraphOperation.Kind) throws(GraphProblem) -> GraphObjectType {
        let name = kind == .query ? query : mutation
        guard kind != .subscription, let type = types[name] else {
            throw GraphProblem(.validation, "Weir answers queries and mutations, not a \(kind.rawValue).")
        }
        return type
    }
}

struct GraphObjectType: Sendable {
    let name: String
    let fields: [String: GraphField]

    init(_ name: String, _ fields: [GraphField]) {
        self.name = name
        self.fields = Dictionary(fields.map { ($0.name, $0) }) { first, _ in first }
    }
}

struct GraphField: Sendable {
    typealias Resolver = @Sendable (GraphCall) async throws -> GraphOutput

    let name: String
    /// The object type of what it gives; `nil` for a leaf.
    let type: String?
    let arguments: [GraphArgument]
    let resolve: Resolver

    /// A leaf: text, number, flag or a list of them.
    static func leaf(
        _ name: String, _ arguments: [GraphArgument] = [],
        _ value: @escaping @Sendable (GraphCall) async throws -> GraphValue
    ) -> GraphField {
        GraphField(name: name, type: nil, arguments: arguments) { .leaf(try await value($0)) }
    }

    /// A leaf that is read from what its object stands for.
    static func leaf<Source: Sendable>(
        _ name: String, of source: Source.Type, _ value: @escaping @Sendable (Source) -> GraphValue
    ) -> GraphField {
        GraphField(name: name, type: nil, arguments: []) { .leaf(value(try $0.source(source))) }
    }

    /// An object, or a list of them.
    static func object(
        _ name: String, _ type: String, _ arguments: [GraphArgument] = [], _ resolve: @escaping Resolver
    ) -> GraphField {
        GraphField(name: name, type: type, arguments: arguments, resolve: resolve)
    }
}

struct GraphArgument: Sendable {
    let name: String
    let type: GraphTypeName
    /// Takes a string that is too long to be gathered.
    var canStream = false

    static func required(_ name: String, _ type: String) -> GraphArgument {
        GraphArgument(name: name, type: .required(.named(type)))
    }

    static func optional(_ name: String, _ type: String) -> GraphArgument {
        GraphArgument(name: name, type: .named(type))
    }
}

enum GraphOutput: Sendable {
    case leaf(GraphValue)
    /// What an object of the field's type stands for.
    case node(any Sendable)
    case nodes([any Sendable])
    case null
}

/// One field, being answered.
struct GraphCall: Sendable {
    /// What the object stands for; nothing at the root.
    var source: (any Sendable)?
    /// Coerced; an argument that was not given is not there.
    var arguments: [String: GraphValue]
    var request: DoorRequest

    func source<Source: Sendable>(_ type: Source.Type) throws(GraphProblem) -> Source {
        guard let source = source as? Source else {
            throw GraphProblem(.functional, "A field was asked of an object that it does not belong to.")
        }
        return source
    }

    func text(_ name: String) -> String? { arguments[name]?.text }

    func requiredText(_ name: String) throws(GraphProblem) -> String {
        guard let text = text(name) else { throw GraphProblem(.badInput, "`\(name)` must be text.") }
        return text
    }
}
