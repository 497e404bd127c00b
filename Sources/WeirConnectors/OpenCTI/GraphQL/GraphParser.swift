/// Reads a request document. Every limit is checked while reading, so that a hostile document costs no more than its
/// length.
struct GraphParser {
    /// What one document may be.
    struct Limits: Sendable {
        /// Bytes of text.
        var length = 64 * 1_024
        /// Braces, brackets and objects within one another.
        var depth = 16
        /// Fields, fragments and values together.
        var nodes = 2_000
        /// Fields that are given another name; each may repeat work.
        var aliases = 32
    }

    var lexer: GraphLexer
    var token = GraphLexer.Token.end
    var location = GraphLocation.start
    let limits: Limits
    var depth = 0
    var nodes = 0
    var aliases = 0

    static func parse(_ text: String, limits: Limits = Limits()) throws(GraphProblem) -> GraphDocument {
        guard text.utf8.count <= limits.length else {
            throw GraphProblem(.tooLarge, "The document is longer than \(limits.length) bytes.")
        }
        var parser = GraphParser(text, limits)
        return try parser.document()
    }

    private init(_ text: String, _ limits: Limits) {
        lexer = GraphLexer(text)
        self.limits = limits
    }

    private mutating func document() throws(GraphProblem) -> GraphDocument {
        var document = GraphDocument()
        try advance()
        while token != .end {
            if isAt("{") {
                let start = location
                let selections = try selectionSet()
                document.operations.append(GraphOperation(kind: .query, selections: selections, location: start))
                continue
            }
            guard case .name(let word) = token else { throw unexpected() }
            if word == "fragment" {
                let fragment = try fragment()
                guard document.fragments.updateValue(fragment, forKey: fragment.name) == nil else {
                    throw GraphProblem(
                        .validation, "There are two fragments `\(fragment.name)`.", at: fragment.location)
                }
            } else if let kind = GraphOperation.Kind(rawValue: word) {
                document.operations.append(try operation(kind))
            } else {
                throw unexpected()
            }
        }
        return document
    }

    private mutating func operation(_ kind: GraphOperation.Kind) throws(GraphProblem) -> GraphOperation {
        var operation = GraphOperation(kind: kind, location: location)
        try advance()
        if case .name(let name) = token {
            operation.name = name
            try advance()
        }
        if try take("(") {
            while try !take(")") { operation.variables.append(try variable()) }
        }
        _ = try directives()
        operation.selections = try selectionSet()
        return operation
    }

    private mutating func variable() throws(GraphProblem) -> GraphVariable {
        let start = location
        try count()
        try must("$")
        let name = try name()
        try must(":")
        let type = try type()
        var fallback: GraphLiteral?
        if try take("=") { fallback = try literal(isConstant: true) }
        _ = try directives()
        return GraphVariable(name: name, type: type, fallback: fallback, location: start)
    }

    private mutating func type() throws(GraphProblem) -> GraphTypeName {
        try deeper()
        defer { depth -= 1 }
        var type: GraphTypeName
        if try take("[") {
            type = .list(try self.type())
            try must("]")
        } else {
            type = .named(try name())
        }
        if try take("!") { type = .required(type) }
        return type
    }

    private mutating func fragment() throws(GraphProblem) -> GraphFragment {
        let start = location
        try advance()
        let name = try name()
        guard name != "on", case .name("on") = token else { throw unexpected() }
        try advance()
        let condition = try self.name()
        _ = try directives()
        return GraphFragment(name: name, condition: condition, selections: try selectionSet(), location: start)
    }

    private mutating func selectionSet() throws(GraphProblem) -> [GraphSelection] {
        try deeper()
        defer { depth -= 1 }
        try must("{")
        var selections: [GraphSelection] = []
        repeat { selections.append(try selection()) } while try !take("}")
        return selections
    }

    private mutating func selection() throws(GraphProblem) -> GraphSelection {
        let start = location
        try count()
        guard try take("...") else { return .field(try field()) }
        if case .name(let name) = token, name != "on" {
            try advance()
            return .spread(name: name, directives: try directives(), location: start)
        }
        var condition: String?
        if case .name("on") = token {
            try advance()
            condition = try name()
        }
        return .inline(
            condition: condition, directives: try directives(), selections: try selectionSet(), location: start)
    }

    private mutating func field() throws(GraphProblem) -> GraphFieldNode {
        let start = location
        var node = GraphFieldNode(name: try name(), location: start)
        if try take(":") {
            aliases += 1
            guard aliases <= limits.aliases else {
                throw GraphProblem(.tooLarge, "The document has more than \(limits.aliases) aliases.", at: start)
            }
            node.alias = node.name
            node.name = try name()
        }
        node.arguments = try arguments()
        node.directives = try directives()
        if isAt("{") { node.selections = try selectionSet() }
        return node
    }

    private mutating func arguments() throws(GraphProblem) -> [GraphArgumentNode] {
        guard try take("(") else { return [] }
        var arguments: [GraphArgumentNode] = []
        while try !take(")") {
            let start = location
            let name = try name()
            try must(":")
            arguments.append(GraphArgumentNode(name: name, value: try literal(isConstant: false), location: start))
        }
        return arguments
    }

    private mutating func directives() throws(GraphProblem) -> [GraphDirective] {
        var directives: [GraphDirective] = []
        while isAt("@") {
            let start = location
            try advance()
            try count()
            directives.append(GraphDirective(name: try name(), arguments: try arguments(), location: start))
        }
        return directives
    }

    private mutating func literal(isConstant: Bool) throws(GraphProblem) -> GraphLiteral {
        try count()
        let start = location
        switch token {
        case .string(let text): return try taken(.string(text))
        case .int(let text): return try taken(Int64(text).map { .int($0) } ?? .number(Double(text) ?? 0))
        case .float(let text): return try taken(.number(Double(text) ?? 0))
        case .name("true"): return try taken(.bool(true))
        case .name("false"): return try taken(.bool(false))
        case .name("null"): return try taken(.null)
        case .name(let name): return try taken(.enumeration(name))
        case .punctuator("$") where !isConstant:
            try advance()
            return .variable(try name(), start)
        case .punctuator("["):
            try deeper()
            defer { depth -= 1 }
            try advance()
            var elements: [GraphLiteral] = []
            while try !take("]") { elements.append(try literal(isConstant: isConstant)) }
            return .list(elements)
        case .punctuator("{"):
            try deeper()
            defer { depth -= 1 }
            try advance()
            var members: [GraphLiteral.Member] = []
            while try !take("}") {
                let name = try name()
                try must(":")
                members.append(.init(name: name, value: try literal(isConstant: isConstant)))
            }
            return .object(members)
        default: throw unexpected()
        }
    }

    private mutating func taken(_ value: GraphValue) throws(GraphProblem) -> GraphLiteral {
        try advance()
        return .value(value)
    }
}
