package import WeirExpressions

/// A policy decision point of static rules, for small sites and tests: the first rule whose condition holds decides,
/// and where none does the answer is no.
///
/// Conditions speak of `subject`, `action`, `resource` and `context` as AuthZEN has them; `properties` and `context`
/// are there, empty, when nobody sent them. A condition that cannot be evaluated never lets anybody in: it counts as
/// holding in a rule that denies, and as not holding in one that allows.
package struct DecisionPoint: Sendable {
    package struct Rule: Sendable {
        package var name: String
        package var condition: Expression
        package var isAllowing: Bool

        package init(name: String, condition: Expression, isAllowing: Bool) {
            self.name = name
            self.condition = condition
            self.isAllowing = isAllowing
        }
    }

    /// What a rule's condition may speak of.
    package static let environment = ExpressionEnvironment(variables: [
        "subject": .map(.string, .dyn), "action": .map(.string, .dyn), "resource": .map(.string, .dyn),
        "context": .map(.string, .dyn),
    ])

    package struct Verdict: Sendable, Hashable {
        package var isAllowed: Bool
        /// Which rule decided; `nil` when none did.
        package var rule: String?
        /// Why a condition could not be evaluated, of the rule that decided by that.
        package var failure: String?
    }

    package let rules: [Rule]

    package init(_ rules: [Rule]) { self.rules = rules }

    package func decide(_ question: DecisionQuestion) -> Verdict {
        let bindings = question.bindings
        for rule in rules {
            do throws(ExpressionFailure) {
                guard case .bool(true) = try rule.condition.evaluate(bindings: bindings) else { continue }
                return Verdict(isAllowed: rule.isAllowing, rule: rule.name)
            } catch {
                if !rule.isAllowing { return Verdict(isAllowed: false, rule: rule.name, failure: "\(error)") }
            }
        }
        return Verdict(isAllowed: false)
    }
}

/// One question to a decision point, complete and of the right types. Source: AuthZEN Authorization API 1.0, section 5.
package struct DecisionQuestion: Sendable, Hashable {
    var subject: ValueMap
    var action: ValueMap
    var resource: ValueMap
    var context: ValueMap

    /// What is missing or of another type.
    package struct Mistake: Error, Sendable, Hashable {
        package var sentence: String
    }

    /// - Parameter fields: the request's object; fields that are not known are not looked at.
    init(_ fields: ValueMap) throws(Mistake) {
        subject = try Self.entity("subject", ["type", "id"], in: fields)
        action = try Self.entity("action", ["name"], in: fields)
        resource = try Self.entity("resource", ["type", "id"], in: fields)
        context = try Self.object("context", in: fields) ?? ValueMap()
    }

    private static func entity(
        _ name: String, _ required: [String], in fields: ValueMap
    ) throws(Mistake) -> ValueMap {
        guard var entity = try object(name, in: fields) else { throw Mistake(sentence: "`\(name)` is missing.") }
        for field in required {
            switch entity[field] {
            case .string: continue
            case nil: throw Mistake(sentence: "`\(name).\(field)` is missing.")
            default: throw Mistake(sentence: "`\(name).\(field)` is no string.")
            }
        }
        if try object("properties", in: entity) == nil { entity[.string("properties")] = .map(ValueMap()) }
        return entity
    }

    private static func object(_ name: String, in fields: ValueMap) throws(Mistake) -> ValueMap? {
        switch fields[name] {
        case nil: nil
        case .map(let map): map
        default: throw Mistake(sentence: "`\(name)` is no object.")
        }
    }

    var bindings: [String: Value] {
        ["subject": .map(subject), "action": .map(action), "resource": .map(resource), "context": .map(context)]
    }
}
