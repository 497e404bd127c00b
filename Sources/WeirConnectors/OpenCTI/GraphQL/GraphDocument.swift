/// A parsed request document (GraphQL, October 2021, section 2: the executable part).
struct GraphDocument: Sendable {
    var operations: [GraphOperation] = []
    var fragments: [String: GraphFragment] = [:]

    /// The operation that a request means: the named one, or the only one.
    func operation(named name: String?) throws(GraphProblem) -> GraphOperation {
        if let name, !name.isEmpty {
            guard let operation = operations.first(where: { $0.name == name }) else {
                throw GraphProblem(.validation, "The document has no operation `\(name)`.")
            }
            return operation
        }
        guard let only = operations.first else { throw GraphProblem(.validation, "The document has no operation.") }
        guard operations.count == 1 else {
            throw GraphProblem(.validation, "The document has several operations: say which by `operationName`.")
        }
        return only
    }
}

struct GraphOperation: Sendable {
    enum Kind: String, Sendable { case query, mutation, subscription }

    var kind: Kind
    var name: String?
    var variables: [GraphVariable] = []
    var selections: [GraphSelection] = []
    var location: GraphLocation
}

struct GraphVariable: Sendable {
    var name: String
    var type: GraphTypeName
    var fallback: GraphLiteral?
    var location: GraphLocation
}

/// `String`, `[ID!]!`, …
indirect enum GraphTypeName: Sendable, Hashable, CustomStringConvertible {
    case named(String)
    case list(GraphTypeName)
    case required(GraphTypeName)

    var isRequired: Bool {
        if case .required = self { return true }
        return false
    }

    var description: String {
        switch self {
        case .named(let name): name
        case .list(let inner): "[\(inner)]"
        case .required(let inner): "\(inner)!"
        }
    }
}

struct GraphFragment: Sendable {
    var name: String
    var condition: String
    var selections: [GraphSelection]
    var location: GraphLocation
}

indirect enum GraphSelection: Sendable {
    case field(GraphFieldNode)
    case spread(name: String, directives: [GraphDirective], location: GraphLocation)
    case inline(condition: String?, directives: [GraphDirective], selections: [GraphSelection], location: GraphLocation)
}

struct GraphFieldNode: Sendable {
    var alias: String?
    var name: String
    var arguments: [GraphArgumentNode] = []
    var directives: [GraphDirective] = []
    var selections: [GraphSelection] = []
    var location: GraphLocation

    /// Its name in the answer.
    var key: String { alias ?? name }
}

struct GraphArgumentNode: Sendable {
    var name: String
    var value: GraphLiteral
    var location: GraphLocation
}

struct GraphDirective: Sendable {
    var name: String
    var arguments: [GraphArgumentNode]
    var location: GraphLocation
}

/// A value as it stands in a document.
indirect enum GraphLiteral: Sendable, Hashable {
    case value(GraphValue)
    case variable(String, GraphLocation)
    case list([GraphLiteral])
    case object([Member])

    struct Member: Sendable, Hashable {
        var name: String
        var value: GraphLiteral
    }
}

extension GraphLocation {
    static let start = GraphLocation(line: 1, column: 1)
}
