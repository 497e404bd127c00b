internal import WeirExpressions

/// Decides on opens by static rules in this very process. The question is the one that a decision point elsewhere would
/// get, so rules can move there unchanged.
package struct StaticPolicy: OpenPolicy {
    private let point: DecisionPoint
    private let hub: String

    package init(_ point: DecisionPoint, hub: String) {
        self.point = point
        self.hub = hub
    }

    package func decide(_ question: OpenQuestion) async -> OpenDecision {
        let verdict = point.decide(DecisionQuestion(question, hub: hub))
        let reason = verdict.rule.map { "rule \($0)" } ?? "no rule allows it"
        return OpenDecision(
            verdict.isAllowed ? .allow : .deny, .pdp, isAllowed: verdict.isAllowed,
            reason: verdict.failure.map { "\(reason): \($0)" } ?? reason)
    }
}

extension DecisionQuestion {
    init(_ question: OpenQuestion, hub: String) {
        let request = AuthZENMessage.Request(question, hub: hub, at: "")
        let none = Value.map(ValueMap())
        subject = ValueMap([
            "type": .string(request.subject.type), "id": .string(request.subject.id), "properties": none,
        ])
        action = ValueMap(["name": .string(request.action.name), "properties": none])
        resource = ValueMap([
            "type": .string(request.resource.type), "id": .string(request.resource.id), "properties": none,
        ])
        context = ValueMap()
        for (name, text) in request.context.sorted(by: { $0.key < $1.key }) where name != "time" {
            context[.string(name)] = .string(text)
        }
    }
}
