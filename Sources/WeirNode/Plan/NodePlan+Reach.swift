import WeirDestinations
import WeirExpressions
import WeirSettings

extension NodePlan {
    /// For the flow graph: by destination, the sources whose events may come to it, in the configuration's order. A
    /// condition that the source's name decides is decided here; any other may match.
    var senders: [String: [String]] {
        var senders: [String: [String]] = [:]
        for source in settings.sources.entries.map(\.name) {
            for destination in reach(of: source) { senders[destination, default: []].append(source) }
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
        // What a router or a balancer owns is reached with it.
        var grows = true
        while grows {
            let members = composites.filter { reached.contains($0.name) }.flatMap(\.plan.names)
            grows = !reached.isSuperset(of: members)
            reached.formUnion(members)
        }
        return reached
    }
}
