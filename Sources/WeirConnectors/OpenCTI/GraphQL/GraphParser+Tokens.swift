/// Tokens, one ahead, and the limits that are checked with each.
extension GraphParser {
    mutating func advance() throws(GraphProblem) { (token, location) = try lexer.next() }

    func isAt(_ punctuator: String) -> Bool { token == .punctuator(punctuator) }

    mutating func take(_ punctuator: String) throws(GraphProblem) -> Bool {
        guard token == .punctuator(punctuator) else { return false }
        try advance()
        return true
    }

    mutating func must(_ punctuator: String) throws(GraphProblem) {
        guard try take(punctuator) else { throw unexpected(instead: punctuator) }
    }

    mutating func name() throws(GraphProblem) -> String {
        guard case .name(let name) = token else { throw unexpected(instead: "a name") }
        try advance()
        return name
    }

    func unexpected(instead: String? = nil) -> GraphProblem {
        let found: String
        switch token {
        case .name(let text), .int(let text), .float(let text), .punctuator(let text): found = "`\(text)`"
        case .string: found = "a string"
        case .end: found = "the end of the document"
        }
        let wanted = instead.map { $0.count > 1 && $0 != "..." ? ", expected \($0)" : ", expected `\($0)`" } ?? ""
        return GraphProblem(.syntax, "Syntax error: unexpected \(found)\(wanted).", at: location)
    }

    mutating func deeper() throws(GraphProblem) {
        depth += 1
        guard depth <= limits.depth else {
            throw GraphProblem(.tooLarge, "The document is deeper than \(limits.depth) levels.", at: location)
        }
    }

    mutating func count() throws(GraphProblem) {
        nodes += 1
        guard nodes <= limits.nodes else {
            throw GraphProblem(.tooLarge, "The document has more than \(limits.nodes) parts.", at: location)
        }
    }
}
