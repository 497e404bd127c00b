/// A CEL expression, read, checked and compiled once, to be evaluated any number of times from any thread.
package struct Expression: Sendable {
    package let source: String
    /// The checked type: `bool`, `list(int)`, `dyn` when only the values can tell.
    package let resultType: String
    /// Names of the event's top-level fields that the expression asks for, in the order of appearance.
    package let fieldsRead: [String]
    /// True when the expression speaks of `event` as a whole, so that all of its fields count as read.
    package let readsWholeRecord: Bool
    /// In lenient checking: what strict checking would have refused.
    package let warning: ExpressionProblem?

    /// Names of the values that it asks for (`id`, `now`), records not among them.
    package let variablesRead: Set<String>

    let term: Term
    let type: CheckedType
    private let code: Code
    private let slots: Int
    private let stepsMost: Int

    /// - Throws: the first problem, with line, column and a caret.
    package init(_ source: String, environment: ExpressionEnvironment = .event) throws(ExpressionProblem) {
        let node = try Parser.parse(source)
        let checked = Checker.check(node, source: source, in: environment)
        if environment.checking == .strict, let first = checked.problems.first { throw first }
        warning = checked.problems.first
        type = checked.problems.isEmpty && environment.checking != .off ? checked.type : .dyn
        resultType = type.description
        self.source = source
        term = checked.term
        var compiler = Compiler()
        code = compiler.compile(checked.term)
        fieldsRead = compiler.fieldsRead
        readsWholeRecord = compiler.readsWholeRecord
        variablesRead = compiler.variablesRead
        slots = checked.slots
        stepsMost = environment.stepsMost
    }

    /// For a record: `event`, `source` and `meta` are its own.
    package func evaluate(_ record: RecordView) throws(ExpressionFailure) -> Value {
        var frame = Frame(
            slots: slots == 0 ? [] : Array(repeating: nil, count: slots), stepsLeft: stepsMost, bindings: [:],
            record: record)
        return try code(&frame)
    }

    /// For compact records and named values.
    /// - Parameter records: by the slots of the environment's `RecordVariable`s; they are read while this runs.
    package func evaluate(
        _ records: UnsafeBufferPointer<AttributeRecord>, bindings: [String: Value] = [:],
        context: (any EvaluationContext)? = nil
    ) throws(ExpressionFailure) -> Value {
        var frame = Frame(
            slots: slots == 0 ? [] : Array(repeating: nil, count: slots), stepsLeft: stepsMost, bindings: bindings,
            record: nil)
        frame.records = records
        frame.context = context
        return try code(&frame)
    }

    /// For named values.
    package func evaluate(bindings: [String: Value]) throws(ExpressionFailure) -> Value {
        var frame = Frame(
            slots: slots == 0 ? [] : Array(repeating: nil, count: slots), stepsLeft: stepsMost, bindings: bindings,
            record: nil)
        return try code(&frame)
    }
}
