import WeirExpressions

// What each kind of rule makes of an identity: straight lines from expressions to changes.

extension RuleEvaluator {
    func provision(_ entry: RuleBook.Entry, _ identity: Int, _ scope: EvaluationScope) throws -> RuleFinding {
        guard let expression = entry.name else { return .failed("the rule has no name for the object") }
        let name = try self.name(expression, identity, scope)
        var wanted = RuleFinding.Wanted(changes: [])
        var edits: [Change.Edit] = []
        for (flow, expression) in entry.flows {
            let values = try self.values(flow, expression, entry.rule.target, identity, scope)
            guard let first = values.first else { continue }
            if flow.isSecret { wanted.secrets[flow.attribute] = first }
            edits.append(
                Change.Edit(
                    attribute: flow.attribute, removes: [], adds: flow.isSecret ? [Change.secretMark] : values,
                    isReplaced: !snapshot.isMulti(flow.attribute, entry.rule.target)))
        }
        wanted.changes = [
            Change(operation: .create, target: entry.rule.target, anchor: nil, name: name, edits: edits)
        ]
        return .triggered(wanted)
    }

    func update(_ entry: RuleBook.Entry, _ identity: Int, _ scope: EvaluationScope) throws -> RuleFinding {
        let kind = entry.rule.target
        var differing: [(attribute: String, values: [String])] = []
        for (flow, expression) in entry.flows where !flow.isInitial {
            let values = try self.values(flow, expression, kind, identity, scope)
            if !snapshot.holds(identity, kind, flow.attribute, exactly: values) {
                differing.append((flow.attribute, values))
            }
        }
        guard !differing.isEmpty else { return .none(.same) }
        guard let object = snapshot.object(of: identity, kind) else { return .none(.absent) }
        let edits = differing.map { attribute, values in
            let present = object.attributes[attribute] ?? []
            if !snapshot.isMulti(attribute, kind) {
                return Change.Edit(attribute: attribute, removes: present.sorted(), adds: values, isReplaced: true)
            }
            let (before, after) = (Set(present), Set(values))
            return Change.Edit(
                attribute: attribute, removes: before.subtracting(after).sorted(),
                adds: after.subtracting(before).sorted(), isReplaced: false)
        }
        return .triggered(
            .init(changes: [
                Change(operation: .modify, target: kind, anchor: object.anchor, name: object.name, edits: edits)
            ]))
    }

    func rename(_ entry: RuleBook.Entry, _ identity: Int, _ scope: EvaluationScope) throws -> RuleFinding {
        let kind = entry.rule.target
        guard let expression = entry.name, let object = snapshot.object(of: identity, kind) else {
            return .none(.absent)
        }
        let name = try self.name(expression, identity, scope)
        if snapshot.nameKey(name, kind) == snapshot.nameKey(object.name, kind) { return .none(.same) }
        return .triggered(
            .init(changes: [
                Change(operation: .rename, target: kind, anchor: object.anchor, name: object.name, newName: name)
            ]))
    }

    func deprovision(_ entry: RuleBook.Entry, _ identity: Int) throws -> RuleFinding {
        guard let object = snapshot.object(of: identity, entry.rule.target) else { return .none(.absent) }
        // What is lost is shown: a person who is asked sees whom it is about.
        let edits = object.attributes.sorted { $0.key < $1.key }.prefix(30).map { attribute, values in
            Change.Edit(attribute: attribute, removes: values.sorted(), adds: [], isReplaced: true)
        }
        return .triggered(
            .init(changes: [
                Change(
                    operation: .delete, target: entry.rule.target, anchor: object.anchor, name: object.name,
                    edits: Array(edits))
            ]))
    }

    func membership(
        _ place: Int, _ entry: RuleBook.Entry, _ identity: Int, _ scope: EvaluationScope
    ) throws -> RuleFinding {
        guard let index = groups[place], let expression = entry.groups, let member = index.member(identity, snapshot)
        else { return .none(.absent) }
        if let problem = index.problem { return .failed(problem) }
        var wanted: Set<Int> = []
        for name in try FlowValues.values(try expression.evaluate(identity, in: snapshot, scope)) {
            guard let group = index.group(name, snapshot) else {
                return .failed("the group `\(name)` is not there, or is none that the rule manages")
            }
            wanted.insert(group)
        }
        let present = index.groups(of: member, snapshot)
        if wanted == present { return .none(.same) }
        let changes = wanted.symmetricDifference(present).sorted().map { group in
            let isAdded = wanted.contains(group)
            return Change(
                operation: .modify, target: entry.rule.target, anchor: index.all[group].anchor,
                name: index.all[group].name,
                edits: [
                    Change.Edit(
                        attribute: entry.rule.memberAttribute, removes: isAdded ? [] : [member],
                        adds: isAdded ? [member] : [], isReplaced: false)
                ])
        }
        return .triggered(.init(changes: changes))
    }

    func event(_ entry: RuleBook.Entry, _ identity: Int, _ scope: EvaluationScope) throws -> RuleFinding {
        var wanted = RuleFinding.Wanted(changes: [])
        var edits: [Change.Edit] = []
        for (flow, expression) in entry.flows {
            let values = try FlowValues.values(try expression.evaluate(identity, in: snapshot, scope))
            guard let first = values.first else { continue }
            if flow.isSecret { wanted.secrets[flow.attribute] = first }
            edits.append(
                Change.Edit(
                    attribute: flow.attribute, removes: [], adds: flow.isSecret ? [Change.secretMark] : values,
                    isReplaced: true))
        }
        wanted.changes = [
            Change(
                operation: .event, target: entry.rule.target, anchor: nil, name: snapshot.id(of: identity),
                edits: edits)
        ]
        return .triggered(wanted)
    }

    private func name(
        _ expression: any IdentityExpression, _ identity: Int, _ scope: EvaluationScope
    ) throws -> String {
        guard case .string(let name) = try expression.evaluate(identity, in: snapshot, scope), !name.isEmpty else {
            throw FlowValues.Unfit(text: "`\(expression.source)` gave no name")
        }
        return name
    }

    private func values(
        _ flow: Rule.Flow, _ expression: any IdentityExpression, _ kind: ObjectKind, _ identity: Int,
        _ scope: EvaluationScope
    ) throws -> [String] {
        let values = try FlowValues.values(try expression.evaluate(identity, in: snapshot, scope))
        guard values.count < 2 || snapshot.isMulti(flow.attribute, kind) else {
            throw FlowValues.Unfit(
                text: "`\(flow.attribute)` takes one value, and its expression gave \(values.count)")
        }
        return values
    }
}
