import WeirExpressions

/// Functions that only expressions about identities have.
enum IdentityFunctions {
    static let all: [Function] = [
        Function(answered: "joined", ["(string) bool"])
    ]
}

/// Answers functions that ask about the identity that is looked at.
struct GraphContext: EvaluationContext {
    let graph: IdentityGraph
    let identity: Int?

    func answer(_ function: String, _ arguments: [Value]) throws(ExpressionFailure) -> Value {
        // `joined` of a name that is no silo's; names of silos were answered when the expression was read.
        throw ExpressionFailure(.unknownName, "\(function): there is no such silo")
    }
}
