/// The expression after names were resolved: variables, slots of macros, functions of the library.
indirect enum Term: Sendable {
    case constant(Value)
    case variable(String)
    /// A variable of a macro.
    case local(Int)
    /// A slot of `cel.block`: evaluated when first asked for, then kept. The number is its place in the frame.
    case lazy(Int, Term)
    case select(Term, String, isOptional: Bool)
    /// An attribute of a compact record.
    case attribute(AttributePath)
    case hasAttribute(AttributePath)
    /// A compact record as a whole.
    case record(RecordVariable)
    /// Whether a compact record is there at all.
    case hasRecord(Int)
    case has(Term, String, isOptional: Bool)
    case index(Term, Term, isOptional: Bool)
    case call(Function, [Term])
    case and([Term])
    case or([Term])
    case conditional(Term, Term, Term)
    case list([Term], optional: [Bool])
    case map([(key: Term, value: Term, isOptional: Bool)])
    case comprehension(Loop)
    case bind(Int, Term, Term)
    case block([Int], Term)
    /// Something that can only fail, e.g. an unknown name when nothing was checked.
    case failing(ExpressionFailure)

    struct Loop: Sendable {
        var shape: Node.Comprehension.Shape
        var range: Term
        /// Slots of the one or two variables.
        var slots: [Int]
        var predicate: Term?
        var transform: Term?
    }
}
