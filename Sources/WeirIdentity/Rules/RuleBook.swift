package import WeirExpressions

/// All rules with their expressions compiled once. A rule with a mistake stays in the book and never triggers: it says
/// why.
package struct RuleBook: Sendable {
    package struct Entry: Sendable {
        package let rule: Rule
        package fileprivate(set) var scopes: [any IdentityExpression] = []
        /// Without its counts.
        package fileprivate(set) var condition: (any IdentityExpression)?
        package fileprivate(set) var counts: [(slot: CountSlots.Slot, expression: any IdentityExpression)] = []
        package fileprivate(set) var name: (any IdentityExpression)?
        package fileprivate(set) var flows: [(flow: Rule.Flow, expression: any IdentityExpression)] = []
        package fileprivate(set) var groups: (any IdentityExpression)?
        package fileprivate(set) var managed: (any IdentityExpression)?
        package fileprivate(set) var throttle: (any IdentityExpression)?
        package fileprivate(set) var vip: (any IdentityExpression)?
        package fileprivate(set) var priority: (any IdentityExpression)?
        /// Why the rule cannot be used.
        package fileprivate(set) var problem: String?

        init(rule: Rule) { self.rule = rule }
    }

    package private(set) var entries: [Entry]
    /// What a person calls an identity.
    package let label: any IdentityExpression
    /// The instance's VIP expression, to remember who is important.
    package let vip: (any IdentityExpression)?

    /// - Throws: where the instance's own expressions (label, VIP) are wrong; a rule's mistake stands in its entry.
    package init(
        rules: [Rule], label: String, vip: String?, snapshot: any IdentitySnapshot
    ) throws(ExpressionProblem) {
        self.label = try snapshot.compile(label, extra: [:])
        self.vip = try vip.map { text throws(ExpressionProblem) in try snapshot.compile(text, extra: [:]) }
        entries = []
        for rule in rules {
            var builder = Builder(entry: Entry(rule: rule), snapshot: snapshot)
            builder.build(vip: vip)
            entries.append(builder.entry)
        }
    }

    private struct Builder {
        var entry: Entry
        let snapshot: any IdentitySnapshot

        mutating func build(vip: String?) {
            let rule = entry.rule
            entry.scopes = rule.scopes.compactMap { compile($0, "a scope", ["bool"]) }
            buildCondition()
            entry.name = rule.objectName.flatMap { compile($0, "the name", ["string"]) }
            entry.flows = rule.flows.compactMap { flow in
                compile(flow.expression, "`\(flow.attribute)`", nil).map { (flow, $0) }
            }
            entry.groups = rule.groups.flatMap { compile($0, "groups", nil) }
            entry.managed = rule.managed.flatMap {
                compile($0, "managed", ["bool"], extra: ["group": .map(.string, .dyn)])
            }
            if case .expression(let text) = rule.throttle {
                entry.throttle = compile(text, "the throttle", ["google.protobuf.Duration"])
            }
            if rule.asksForVIP, let text = rule.vip ?? vip { entry.vip = compile(text, "vip", ["bool"]) }
            entry.priority = rule.priority.flatMap { compile($0, "the priority", nil) }
            checkKind()
        }

        private mutating func buildCondition() {
            guard let text = entry.rule.condition else { return }
            do throws(CountSlots.Problem) {
                let slots = try CountSlots(text)
                var extra: [String: CheckedType] = [:]
                for slot in slots.slots {
                    extra[slot.variable] = .int
                    if let expression = compile(slot.expression, "the Boolean of Count", ["bool"]) {
                        entry.counts.append((slot, expression))
                    }
                }
                entry.condition = compile(slots.rest, "the condition", ["bool"], extra: extra)
            } catch {
                entry.problem = entry.problem ?? "the condition: \(error.text)"
            }
        }

        /// - Parameter types: result types that fit, beside `dyn`; nil: any.
        private mutating func compile(
            _ source: String, _ what: String, _ types: [String]?, extra: [String: CheckedType] = [:]
        ) -> (any IdentityExpression)? {
            do throws(ExpressionProblem) {
                let expression = try snapshot.compile(source, extra: extra)
                if let types, expression.resultType != "dyn", !types.contains(expression.resultType) {
                    entry.problem =
                        entry.problem
                        ?? "\(what) gives \(expression.resultType), not \(types.joined(separator: " or ")): \(source)"
                    return nil
                }
                return expression
            } catch {
                entry.problem = entry.problem ?? "\(what): \(error)"
                return nil
            }
        }

        private mutating func checkKind() {
            let rule = entry.rule
            let missing: String? =
                switch rule.kind {
                case .provision, .rename: rule.objectName == nil ? "a name for the object" : nil
                case .update, .disable: rule.flows.isEmpty ? "attributes to set" : nil
                case .membership: rule.groups == nil ? "`groups`" : nil
                case .event: rule.channel == nil ? "a channel" : nil
                case .deprovision: nil
                }
            if let missing { entry.problem = entry.problem ?? "a \(rule.kind.rawValue) rule needs \(missing)" }
            if rule.kind != .provision, rule.kind != .event, rule.flows.contains(where: \.isSecret) {
                entry.problem =
                    entry.problem ?? "a secret cannot be compared, so only provision and event rules may set one"
            }
        }
    }
}
