import WeirDestinations
import WeirExpressions
import WeirGates
import WeirSettings

extension NodePlan {
    /// For the flow graph: by destination, who sends to it, in the configuration's order: the sources whose events a
    /// route may bring it, and the composed destinations that own it. A condition that the source's name decides is
    /// decided here; any other may match.
    var senders: [String: [String]] {
        var senders: [String: [String]] = [:]
        for source in settings.sources.entries.map(\.name) {
            for destination in reach(of: source) { senders[destination, default: []].append(source) }
        }
        for entry in settings.connectors.entries {
            // By the id of its gate, so that the flow graph shows the one behind the other.
            let gate = GateKind.connectorPrefix + entry.name
            let reached = entry.value.typed.common.to.map { [$0] } ?? reach(of: entry.name)
            for destination in reached { senders[destination, default: []].append(gate) }
        }
        if settings.openCTI != nil {
            // Which connectors will come is not known; what they bring goes through the routes.
            for destination in reach(of: "opencti") {
                senders[destination, default: []].append(GateKind.connectorPrefix + "opencti")
            }
        }
        for composite in composites {
            for member in Set(composite.plan.names) { senders[member, default: []].append(composite.name) }
        }
        return senders
    }

    private func reach(of source: String) -> Set<String> {
        var reached: Set<String> = []
        var goesOn = true
        for rule in rules where goesOn {
            let answer = rule.condition.map { $0.answer(ofSource: source) } ?? true
            guard answer != false else { continue }
            reached.formUnion(rule.to)
            goesOn = answer == nil || !rule.isFinal
        }
        if goesOn, let fallback { reached.insert(fallback) }
        return reached
    }
}
