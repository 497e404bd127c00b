/// Why an evaluation gave no value: a missing field, types that do not fit, arithmetic out of range, the cost limit.
/// In a route's condition a failure means "no match"; the caller counts it.
package struct ExpressionFailure: Error, Sendable, Hashable, CustomStringConvertible {
    package enum Kind: String, Sendable, Hashable {
        /// A map or record has no such key.
        case noSuchKey
        /// A function or operator does not take values of these types.
        case noSuchOverload
        /// The result does not fit its type, or a position lies outside.
        case range
        case divideByZero
        /// An argument of the right type with a value that makes no sense there.
        case invalidArgument
        /// A name that nothing is bound to.
        case unknownName
        /// The record is not what it claims to be, e.g. text that begins like a JSON object and is none.
        case malformedRecord
        /// The evaluation took more steps than it may.
        case tooCostly
    }

    package var kind: Kind
    /// The key, function or detail; a whole sentence only for the kinds that need one.
    package var subject: String

    package init(_ kind: Kind, _ subject: String) {
        self.kind = kind
        self.subject = subject
    }

    package var description: String {
        switch kind {
        case .noSuchKey: "no such key: \(subject)"
        case .noSuchOverload: "no such overload: \(subject)"
        case .range: "range error: \(subject)"
        case .divideByZero: subject == "%" ? "modulus by zero" : "divide by zero"
        case .invalidArgument: "invalid argument: \(subject)"
        case .unknownName: "undeclared reference to '\(subject)'"
        case .malformedRecord: "malformed record: \(subject)"
        case .tooCostly: "cost limit exceeded: \(subject)"
        }
    }
}
