/// Reads an expression: CEL's grammar with optional syntax (`a.?b`, `a[?i]`, `[?x]`, `{?k: v}`) and backquoted fields.
///
/// Bounds: 100,000 bytes of source, parentheses 200 deep, a tree of 400 levels (a chain of one operator
/// other than `&&` and `||` nests to the left; what nests is walked by recursion later).
struct Parser {
    static let sourceMost = 100_000
    static let depthMost = 200
    static let heightMost = 400

    private let source: [UInt8]
    private let tokens: [Token]
    private var at = 0
    private var depth = 0

    static func parse(_ text: String) throws(ExpressionProblem) -> Node {
        let source = Array(text.utf8)
        guard source.count <= sourceMost else {
            throw ExpressionProblem(
                "the expression is longer than \(sourceMost) bytes", at: 0, in: Array(source.prefix(80)))
        }
        var parser = Parser(source: source, tokens: try Lexer.tokens(of: source))
        let node = try parser.expression()
        guard parser.token.kind == .end else { throw parser.unexpected("an operator or the end") }
        return node
    }

    private init(source: [UInt8], tokens: [Token]) {
        self.source = source
        self.tokens = tokens
    }

    private var token: Token { tokens[at] }

    func problem(_ message: String, at offset: Int) -> ExpressionProblem {
        ExpressionProblem(message, at: offset, in: source)
    }

    private func unexpected(_ wanted: String) -> ExpressionProblem {
        let found: String
        switch token.kind {
        case .end: found = "the end"
        case .name(let name), .quotedName(let name): found = "'\(name)'"
        case .symbol(let symbol): found = "'\(symbol)'"
        case .int, .uint, .double: found = "a number"
        case .string, .bytes: found = "a string"
        }
        return problem("expected \(wanted), found \(found)", at: token.at)
    }

    private func isSymbol(_ text: String) -> Bool {
        if case .symbol(text) = token.kind { return true }
        return false
    }

    private mutating func accept(_ symbol: String) -> Bool {
        guard isSymbol(symbol) else { return false }
        at += 1
        return true
    }

    private mutating func expect(_ symbol: String) throws(ExpressionProblem) {
        guard accept(symbol) else { throw unexpected("'\(symbol)'") }
    }

    private func bounded(_ node: Node) throws(ExpressionProblem) -> Node {
        guard node.height <= Self.heightMost else {
            throw problem("more than \(Self.heightMost) levels of operations", at: node.at)
        }
        return node
    }

    // MARK: Operators

    private mutating func expression() throws(ExpressionProblem) -> Node {
        depth += 1
        defer { depth -= 1 }
        guard depth <= Self.depthMost else {
            throw problem("nested more than \(Self.depthMost) deep", at: token.at)
        }
        let condition = try junction(isOr: true)
        let start = token.at
        guard accept("?") else { return condition }
        let yes = try junction(isOr: true)
        try expect(":")
        let no = try expression()
        return Node(kind: .conditional(condition, yes, no), at: start)
    }

    private mutating func junction(isOr: Bool) throws(ExpressionProblem) -> Node {
        let first = isOr ? try junction(isOr: false) : try binary(0)
        let symbol = isOr ? "||" : "&&"
        let start = token.at
        guard isSymbol(symbol) else { return first }
        var parts = [first]
        while accept(symbol) { parts.append(isOr ? try junction(isOr: false) : try binary(0)) }
        return Node(kind: isOr ? .or(parts) : .and(parts), at: start)
    }

    private static let levels: [[String: String]] = [
        ["==": "_==_", "!=": "_!=_", "<": "_<_", "<=": "_<=_", ">": "_>_", ">=": "_>=_", "in": "@in"],
        ["+": "_+_", "-": "_-_"],
        ["*": "_*_", "/": "_/_", "%": "_%_"],
    ]
    private mutating func binary(_ level: Int) throws(ExpressionProblem) -> Node {
        guard level < Self.levels.count else { return try unary() }
        var left = try binary(level + 1)
        while true {
            let symbol: String
            switch token.kind {
            case .symbol(let text): symbol = text
            case .name("in"): symbol = "in"
            default: return left
            }
            guard let function = Self.levels[level][symbol] else { return left }
            let start = token.at
            at += 1
            let right = try binary(level + 1)
            left = try bounded(Node(kind: .call(function, [left, right]), at: start))
        }
    }

    private mutating func unary() throws(ExpressionProblem) -> Node {
        let start = token.at
        var negations = 0
        var minuses = 0
        while accept("!") { negations += 1 }
        if negations == 0 {
            while isSymbol("-") {
                if case .int = tokens[at + 1].kind { break }
                if case .double = tokens[at + 1].kind { break }
                at += 1
                minuses += 1
            }
        }
        var node = try member()
        // Two of a kind cancel for `!`; a pair of minuses does not, where the smallest int overflows.
        if negations > 0 {
            for _ in 0..<(negations % 2 == 0 ? 2 : 1) { node = Node(kind: .call("!_", [node]), at: start) }
        }
        guard minuses <= 64 else { throw problem("more than 64 signs in a row", at: start) }
        for _ in 0..<minuses { node = Node(kind: .call("-_", [node]), at: start) }
        return node
    }

    // MARK: Members

    private mutating func member() throws(ExpressionProblem) -> Node {
        var node = try primary()
        while true {
            let start = token.at
            node = try bounded(node)
            if accept(".") {
                let isOptional = accept("?")
                let nameAt = token.at
                let field = try fieldName()
                if !isOptional, isSymbol("("), case .name = tokens[at - 1].kind {
                    at += 1
                    let arguments = try list(until: ")")
                    node =
                        try macro(on: node, field, arguments, at: nameAt)
                        ?? Node(kind: .method(node, field, arguments), at: nameAt)
                } else {
                    node = Node(kind: .select(node, field, isOptional: isOptional), at: start)
                }
            } else if accept("[") {
                let isOptional = accept("?")
                let index = try expression()
                try expect("]")
                node = Node(kind: .index(node, index, isOptional: isOptional), at: start)
            } else if isSymbol("{"), let name = node.dottedName {
                at += 1
                try messageFields()
                node = Node(kind: .message(name.name), at: start)
            } else {
                return node
            }
        }
    }

    private mutating func fieldName() throws(ExpressionProblem) -> String {
        switch token.kind {
        case .name(let name) where !["in", "true", "false", "null"].contains(name):
            at += 1
            return name
        case .quotedName(let name):
            at += 1
            return name
        default: throw unexpected("a field's name")
        }
    }

    private mutating func messageFields() throws(ExpressionProblem) {
        while !accept("}") {
            _ = accept("?")
            _ = try fieldName()
            try expect(":")
            _ = try expression()
            guard accept(",") else {
                try expect("}")
                return
            }
        }
    }

    private static let reserved: Set<String> = [
        "as", "break", "const", "continue", "else", "for", "function", "if", "import", "let", "loop", "package",
        "namespace", "return", "var", "void", "while",
    ]

    private mutating func primary() throws(ExpressionProblem) -> Node {
        let start = token.at
        switch token.kind {
        case .symbol("("):
            at += 1
            let inner = try expression()
            try expect(")")
            return inner
        case .symbol("["):
            at += 1
            return try listLiteral(start)
        case .symbol("{"):
            at += 1
            return try mapLiteral(start)
        case .symbol("-"):
            at += 1
            switch token.kind {
            case .int(let magnitude):
                at += 1
                let value = magnitude == 1 << 63 ? Int64.min : -Int64(magnitude)
                return Node(kind: .constant(.int(value)), at: start)
            case .double(let value):
                at += 1
                return Node(kind: .constant(.double(-value)), at: start)
            default: throw unexpected("a number")
            }
        case .symbol("."):
            at += 1
            guard case .name(let name) = token.kind else { throw unexpected("a name") }
            return try named(name, isAbsolute: true, start)
        case .name("true"): return literal(.bool(true))
        case .name("false"): return literal(.bool(false))
        case .name("null"): return literal(.null)
        case .name(let name): return try named(name, isAbsolute: false, start)
        case .int(let value):
            guard value <= UInt64(Int64.max) else { throw problem("number out of range", at: start) }
            return literal(.int(Int64(value)))
        case .uint(let value): return literal(.uint(value))
        case .double(let value): return literal(.double(value))
        case .string(let text): return literal(.string(text))
        case .bytes(let bytes): return literal(.bytes(bytes))
        default: throw unexpected("a value")
        }
    }

    private mutating func literal(_ value: Value) -> Node {
        defer { at += 1 }
        return Node(kind: .constant(value), at: token.at)
    }

    private mutating func named(_ name: String, isAbsolute: Bool, _ start: Int) throws(ExpressionProblem) -> Node {
        guard name != "in" else { throw unexpected("a value") }
        guard !Self.reserved.contains(name) else { throw problem("'\(name)' is a reserved word", at: start) }
        at += 1
        guard accept("(") else { return Node(kind: .name(name, isAbsolute: isAbsolute), at: start) }
        let arguments = try list(until: ")")
        if name == "has", !isAbsolute {
            guard arguments.count == 1, case .select(let inner, let field, let isOptional) = arguments[0].kind else {
                throw problem("has() takes a field, as in has(event.user)", at: start)
            }
            return Node(kind: .has(inner, field, isOptional: isOptional), at: start)
        }
        return Node(kind: .call(isAbsolute ? "." + name : name, arguments), at: start)
    }

    private mutating func list(until end: String) throws(ExpressionProblem) -> [Node] {
        var nodes: [Node] = []
        if accept(end) { return nodes }
        repeat { nodes.append(try expression()) } while accept(",")
        try expect(end)
        return nodes
    }

    private mutating func listLiteral(_ start: Int) throws(ExpressionProblem) -> Node {
        var elements: [Node.Element] = []
        while !accept("]") {
            let isOptional = accept("?")
            elements.append(Node.Element(node: try expression(), isOptional: isOptional))
            guard accept(",") else {
                try expect("]")
                break
            }
        }
        return Node(kind: .list(elements), at: start)
    }

    private mutating func mapLiteral(_ start: Int) throws(ExpressionProblem) -> Node {
        var entries: [Node.Entry] = []
        while !accept("}") {
            let isOptional = accept("?")
            let key = try expression()
            try expect(":")
            entries.append(Node.Entry(key: key, value: try expression(), isOptional: isOptional))
            guard accept(",") else {
                try expect("}")
                break
            }
        }
        return Node(kind: .map(entries), at: start)
    }
}
