import WeirExpressions

/// Evaluates rules for identities: a value that many threads share. It knows nothing of catches, history or time other
/// than the sync's frozen `now`.
package struct RuleEvaluator: Sendable {
    package let book: RuleBook
    package let snapshot: any IdentitySnapshot
    /// `now` and `env`.
    package let scope: EvaluationScope
    /// The same with each rule's name.
    let scopes: [EvaluationScope]
    /// For membership rules, by the rule's place.
    package let groups: [Int: GroupIndex]

    package init(book: RuleBook, snapshot: any IdentitySnapshot, scope: EvaluationScope) {
        self.book = book
        self.snapshot = snapshot
        self.scope = scope
        scopes = book.entries.map { entry in
            var own = scope
            own.rule = entry.rule.name
            return own
        }
        var groups: [Int: GroupIndex] = [:]
        for (place, entry) in book.entries.enumerated() where entry.rule.kind == .membership && entry.problem == nil {
            groups[place] = GroupIndex(entry: entry, snapshot: snapshot, scope: scope)
        }
        self.groups = groups
    }

    /// The first pass: everything, or up to the counters where there are some.
    package func first(_ place: Int, _ identity: Int) -> RuleFinding {
        let entry = book.entries[place]
        if let problem = entry.problem { return .failed(problem) }
        if snapshot.dispute(of: identity) != nil { return .none(.disputed) }
        do {
            let scope = scopes[place]
            for (number, expression) in entry.scopes.enumerated() {
                guard try isTrue(expression, identity, scope) else { return .none(.scope(number)) }
            }
            // Before the condition, so that its counters count only those whom the rule could do something for.
            switch entry.rule.kind {
            case .provision:
                if snapshot.hasObject(identity, entry.rule.target) { return .none(.present) }
            case .update, .rename, .disable, .deprovision:
                if !snapshot.hasObject(identity, entry.rule.target) { return .none(.absent) }
            case .membership:
                if groups[place]?.member(identity, snapshot) == nil { return .none(.absent) }
            case .event: break
            }
            guard entry.counts.isEmpty else {
                return .candidate(try entry.counts.map { try isTrue($0.expression, identity, scope) })
            }
            return try rest(place, entry, identity, scope)
        } catch {
            return .failed(Self.text(error))
        }
    }

    /// The third pass, for candidates: with what the counters gave.
    package func second(_ place: Int, _ identity: Int, counts: [Int64]) -> RuleFinding {
        let entry = book.entries[place]
        var scope = scopes[place]
        for (count, slot) in zip(counts, entry.counts) { scope.extra[slot.slot.variable] = .int(count) }
        do {
            return try rest(place, entry, identity, scope)
        } catch {
            return .failed(Self.text(error))
        }
    }

    private func rest(
        _ place: Int, _ entry: RuleBook.Entry, _ identity: Int, _ scope: EvaluationScope
    ) throws -> RuleFinding {
        if let condition = entry.condition, try !isTrue(condition, identity, scope) { return .none(.condition) }
        return switch entry.rule.kind {
        case .provision: try provision(entry, identity, scope)
        case .update, .disable: try update(entry, identity, scope)
        case .rename: try rename(entry, identity, scope)
        case .deprovision: try deprovision(entry, identity)
        case .membership: try membership(place, entry, identity, scope)
        case .event: try event(entry, identity, scope)
        }
    }

    func isTrue(_ expression: any IdentityExpression, _ identity: Int?, _ scope: EvaluationScope) throws -> Bool {
        switch try expression.evaluate(identity, in: snapshot, scope) {
        case .bool(let value): return value
        case let other:
            throw FlowValues.Unfit(text: "`\(expression.source)` gave \(other.typeName), not a Boolean")
        }
    }

    static func text(_ error: any Error) -> String {
        switch error {
        case let failure as ExpressionFailure: failure.description
        case let unfit as FlowValues.Unfit: unfit.text
        default: "\(error)"
        }
    }
}
