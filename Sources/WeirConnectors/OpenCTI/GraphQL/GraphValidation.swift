/// Checks an operation against the table before anything is done, so that a request with a mistake has no effect at
/// all.
struct GraphValidation {
    /// Fields after fragments were opened: fragments within fragments could make billions of a short document.
    static let fieldsMost = 2_000

    private let schema: GraphSchema
    private let document: GraphDocument
    private let declared: Set<String>
    private var open: [String] = []
    private var fields = 0

    static func check(
        _ operation: GraphOperation, in document: GraphDocument, against schema: GraphSchema
    ) throws(GraphProblem) {
        var validation = GraphValidation(
            schema: schema, document: document, declared: Set(operation.variables.map(\.name)))
        try validation.check(operation.selections, of: try schema.root(operation.kind), isRoot: true)
    }

    private init(schema: GraphSchema, document: GraphDocument, declared: Set<String>) {
        self.schema = schema
        self.document = document
        self.declared = declared
    }

    private mutating func check(
        _ selections: [GraphSelection], of type: GraphObjectType, isRoot: Bool
    ) throws(GraphProblem) {
        for selection in selections {
            switch selection {
            case .field(let node): try check(node, of: type, isRoot: isRoot)
            case .spread(let name, let directives, let location):
                try check(directives)
                guard let fragment = document.fragments[name] else {
                    throw GraphProblem(.validation, "There is no fragment `\(name)`.", at: location)
                }
                guard !open.contains(name) else {
                    throw GraphProblem(.validation, "The fragment `\(name)` contains itself.", at: location)
                }
                open.append(name)
                try check(fragment.selections, on: fragment.condition, of: type, isRoot: isRoot, at: location)
                open.removeLast()
            case .inline(let condition, let directives, let selections, let location):
                try check(directives)
                try check(selections, on: condition, of: type, isRoot: isRoot, at: location)
            }
        }
    }

    private mutating func check(
        _ selections: [GraphSelection], on condition: String?, of type: GraphObjectType, isRoot: Bool,
        at location: GraphLocation
    ) throws(GraphProblem) {
        guard let condition, condition != type.name else { return try check(selections, of: type, isRoot: isRoot) }
        guard schema.types[condition] != nil else {
            throw GraphProblem(.validation, "There is no type `\(condition)`.", at: location)
        }
        // Of another type that exists: never selected here, so its fields do not matter.
        try count(location)
    }

    private mutating func check(
        _ node: GraphFieldNode, of type: GraphObjectType, isRoot: Bool
    ) throws(GraphProblem) {
        try count(node.location)
        try check(node.directives)
        for argument in node.arguments { try check(argument.value) }
        if node.name == "__typename" { return }
        guard let field = type.fields[node.name] else {
            throw GraphValidation.unknown(node, of: type, isRoot: isRoot)
        }
        guard let name = field.type else {
            guard node.selections.isEmpty else {
                throw GraphProblem(.validation, "`\(node.name)` has no fields of its own.", at: node.location)
            }
            return
        }
        guard !node.selections.isEmpty, let inner = schema.types[name] else {
            throw GraphProblem(
                .validation, "`\(node.name)` is a \(name): say which of its fields you want.", at: node.location)
        }
        try check(node.selections, of: inner, isRoot: false)
    }

    private static func unknown(_ node: GraphFieldNode, of type: GraphObjectType, isRoot: Bool) -> GraphProblem {
        let known = type.fields.keys.sorted().joined(separator: ", ")
        let message =
            isRoot
            ? "Weir does not answer `\(node.name)`: it is not an OpenCTI platform, it takes what connectors import. "
                + "It answers \(known)."
            : "Cannot query field `\(node.name)` on type `\(type.name)`. It has \(known)."
        return GraphProblem(.validation, message, at: node.location)
    }

    private func check(_ directives: [GraphDirective]) throws(GraphProblem) {
        for directive in directives {
            guard directive.name == "skip" || directive.name == "include" else {
                throw GraphProblem(.validation, "Unknown directive `@\(directive.name)`.", at: directive.location)
            }
            for argument in directive.arguments { try check(argument.value) }
        }
    }

    private func check(_ literal: GraphLiteral) throws(GraphProblem) {
        switch literal {
        case .value: return
        case .variable(let name, let location):
            guard declared.contains(name) else {
                throw GraphProblem(.validation, "The variable `$\(name)` is not declared.", at: location)
            }
        case .list(let elements): for element in elements { try check(element) }
        case .object(let members): for member in members { try check(member.value) }
        }
    }

    private mutating func count(_ location: GraphLocation) throws(GraphProblem) {
        fields += 1
        guard fields <= GraphValidation.fieldsMost else {
            throw GraphProblem(
                .tooLarge, "The operation asks for more than \(GraphValidation.fieldsMost) fields.", at: location)
        }
    }
}
