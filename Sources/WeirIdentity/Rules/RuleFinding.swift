import WeirExpressions

/// What a rule says about one identity.
package enum RuleFinding: Sendable {
    case none(Cause)
    /// An expression failed: nothing is done, and it is counted.
    case failed(String)
    /// All holds so far; what the Booleans of `Count()` gave, in the order of the slots.
    case candidate([Bool])
    case triggered(Wanted)

    /// Why there is no trigger.
    package enum Cause: Sendable, Hashable {
        case disputed
        /// The scope with this place is false.
        case scope(Int)
        case condition
        /// The identity has an object in the target already (provision), or none (all others).
        case present, absent
        /// The target is as the rule wants it.
        case same

        package var text: String {
            switch self {
            case .disputed: "the identity is left out: its join is disputed"
            case .scope(let place): "scope \(place + 1) is false"
            case .condition: "the condition is false"
            case .present: "the object is already there"
            case .absent: "there is no object in the target"
            case .same: "the target is as the rule wants it"
            }
        }
    }

    /// What would be done.
    package struct Wanted: Sendable {
        package var changes: [Change]
        /// What stands behind `Change.secretMark`, by attribute; in memory only.
        package var secrets: [String: String] = [:]
    }
}

/// The values of an expression's result, as a silo keeps them: sorted, each once, none empty.
enum FlowValues {
    struct Unfit: Error {
        var text: String
    }

    static func values(_ value: Value) throws(Unfit) -> [String] {
        switch value {
        case .null, .optional(nil): return []
        case .optional(let inner?): return try values(inner)
        case .string(let text): return text.isEmpty ? [] : [text]
        case .bool(let flag): return [flag ? "true" : "false"]
        case .int(let number): return [String(number)]
        case .uint(let number): return [String(number)]
        case .double(let number): return [String(number)]
        case .timestamp(let instant): return [instant.description]
        case .list(let elements):
            var all: Set<String> = []
            for element in elements { all.formUnion(try values(element)) }
            return all.sorted()
        default: throw Unfit(text: "a \(value.typeName) is no value of an attribute")
        }
    }
}
