/// One function of the language: its name (operators have names like `_+_`), the ways to call it, and what it does.
package struct Function: Sendable {
    /// What carries the call out. Which overload was meant is told by the values themselves.
    enum Body: Sendable {
        case one(@Sendable (Value) throws(ExpressionFailure) -> Value)
        case two(@Sendable (Value, Value) throws(ExpressionFailure) -> Value)
        case many(@Sendable ([Value]) throws(ExpressionFailure) -> Value)
        /// Pays for its steps itself.
        case metered(@Sendable ([Value], inout Frame) throws(ExpressionFailure) -> Value)
        /// What the arguments alone do not say is asked of the evaluation's `EvaluationContext`.
        case context
        /// Known to the checker only: calling it fails.
        case none
    }

    let name: String
    var overloads: [Signature]
    let body: Body

    /// A function that an environment declares and nothing carries out: only what checks an expression can use it.
    package init(declaring name: String, _ signatures: [String]) {
        self.init(name, signatures, .none)
    }

    /// A function that the evaluation's `EvaluationContext` answers.
    package init(answered name: String, _ signatures: [String]) {
        self.init(name, signatures, .context)
    }

    /// A function of an environment's own.
    package init(
        _ name: String, _ signatures: [String],
        body: @escaping @Sendable ([Value]) throws(ExpressionFailure) -> Value
    ) {
        self.init(name, signatures, .many(body))
    }

    init(_ name: String, _ signatures: [String], _ body: Body) {
        self.name = name
        overloads = signatures.map { Signature($0) }
        self.body = body
    }

    /// What a function of an environment throws when its arguments are of no type that it knows.
    package static func mismatch(_ name: String, all values: [Value]) -> ExpressionFailure {
        ExpressionFailure(.noSuchOverload, "\(name)(\(values.map(\.typeName).joined(separator: ", ")))")
    }

    /// "no such overload: f(int, string)", from the values at hand.
    static func mismatch(_ name: String, _ values: Value...) -> ExpressionFailure {
        ExpressionFailure(.noSuchOverload, "\(name)(\(values.map(\.typeName).joined(separator: ", ")))")
    }
}

/// What answers functions that ask about more than their arguments: `memberOf("staff")` about the identity that is
/// looked at.
package protocol EvaluationContext {
    func answer(_ function: String, _ arguments: [Value]) throws(ExpressionFailure) -> Value
}

/// One way to call a function: `(string, int) string`, or `string.(int) string` for a method. `A`, `B`, `K`, `V` and
/// other single capitals are type variables; `*` after the last parameter repeats it.
struct Signature: Sendable {
    let isMethod: Bool
    let parameters: [CheckedType]
    let result: CheckedType
    let isVariadic: Bool
    let variables: Set<String>

    init(_ text: String) {
        var reader = SignatureReader(Array(text.utf8))
        var parameters: [CheckedType] = []
        var isMethod = false
        if !reader.accept("(") {
            parameters.append(reader.type())
            isMethod = reader.accept(".")
            _ = reader.accept("(")
        }
        var isVariadic = false
        while !reader.accept(")"), !reader.isAtEnd {
            parameters.append(reader.type())
            isVariadic = reader.accept("*")
            _ = reader.accept(",")
        }
        self.isMethod = isMethod
        self.parameters = parameters
        self.isVariadic = isVariadic
        result = reader.type()
        variables = reader.variables
    }

    /// The parameters for so many arguments; nil when the number does not fit.
    func parameters(for count: Int) -> [CheckedType]? {
        if parameters.count == count { return parameters }
        guard isVariadic, let last = parameters.last, count >= parameters.count else { return nil }
        return parameters + Array(repeating: last, count: count - parameters.count)
    }

    static func rename(_ type: CheckedType, _ names: [String: CheckedType]) -> CheckedType {
        switch type {
        case .parameter(let name): names[name] ?? type
        case .list(let inner): .list(rename(inner, names))
        case .map(let key, let value): .map(rename(key, names), rename(value, names))
        case .type(let inner): .type(inner.map { rename($0, names) })
        case .opaque(let name, let parts): .opaque(name, parts.map { rename($0, names) })
        default: type
        }
    }
}

/// Reads the types of a signature. Signatures are constants of this program, so what cannot be read becomes `dyn`.
private struct SignatureReader {
    private let text: [UInt8]
    private var at = 0
    var variables: Set<String> = []

    init(_ text: [UInt8]) { self.text = text }

    var isAtEnd: Bool { at >= text.count }

    mutating func accept(_ symbol: Unicode.Scalar) -> Bool {
        while at < text.count, text[at] == 32 { at += 1 }
        guard at < text.count, text[at] == UInt8(ascii: symbol) else { return false }
        at += 1
        return true
    }

    mutating func type() -> CheckedType {
        while at < text.count, text[at] == 32 { at += 1 }
        let start = at
        while at < text.count {
            let byte = text[at]
            let isPart = byte == 95 || (byte >= 48 && byte <= 57) || (byte | 0x20 >= 97 && byte | 0x20 <= 122)
            // A dot belongs to the name unless it stands before the parenthesis of a method.
            let isInnerDot = byte == 46 && at + 1 < text.count && text[at + 1] != 40
            guard isPart || isInnerDot else { break }
            at += 1
        }
        let name = String(decoding: text[start..<at], as: UTF8.self)
        var parts: [CheckedType] = []
        if at < text.count, text[at] == 40, accept("(") {
            while !accept(")"), !isAtEnd {
                parts.append(type())
                _ = accept(",")
            }
        }
        switch (name, parts.count) {
        case ("list", 1): return .list(parts[0])
        case ("map", 2): return .map(parts[0], parts[1])
        case ("type", 1): return .type(parts[0])
        case ("timestamp", 0): return .timestamp
        case ("duration", 0): return .duration
        case ("dyn", 0), ("", _): return .dyn
        case (_, 0) where name.utf8.count == 1 && name.utf8.allSatisfy({ $0 >= 65 && $0 <= 90 }):
            variables.insert(name)
            return .parameter(name)
        case (_, 0): return CheckedType.named[name] ?? .opaque(name, [])
        default: return .opaque(name, parts)
        }
    }
}
