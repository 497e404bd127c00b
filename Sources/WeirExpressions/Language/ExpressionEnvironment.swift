/// What an expression may speak of: its variables, and how strictly their types are taken.
package struct ExpressionEnvironment: Sendable {
    package enum Checking: Sendable {
        /// Types that cannot fit are a problem when the expression is read. For configuration.
        case strict
        /// As strict, but an expression whose types do not fit is still evaluated, with result type `dyn`; it then
        /// fails or not by the values it meets. For trying things out (`weir eval`).
        case lenient
        /// Nothing is checked beforehand; unknown names fail when they are reached.
        case off
    }

    /// The namespace that names are looked up in first, e.g. `com.example`; empty for none.
    package var container = ""
    package var variables: [String: CheckedType]
    package var checking: Checking
    /// Names that stand for compact records; also with a dot in them (`old.hr`).
    package var records: [String: RecordVariable] = [:]
    /// Functions beyond the library.
    package var functions: [Function] = []
    /// Steps one evaluation may take. One step is about 20 to 100 ns; the default bounds an evaluation to well under 1
    /// s.
    package var stepsMost = 1_000_000

    package init(variables: [String: CheckedType], checking: Checking = .strict) {
        self.variables = variables
        self.checking = checking
    }

    /// For routes, partitions and templates: `event` (the record), `source` (name of the source), `meta` (attributes of
    /// the batch).
    package static let event = ExpressionEnvironment(variables: [
        "event": .map(.string, .dyn), "source": .string, "meta": .map(.string, .string),
    ])

    /// For `weir eval`: any variables of any type.
    package static func bindings(_ names: some Sequence<String>, checking: Checking = .lenient) -> ExpressionEnvironment
    {
        var variables: [String: CheckedType] = [:]
        for name in names { variables[name] = .dyn }
        return ExpressionEnvironment(variables: variables, checking: checking)
    }
}
