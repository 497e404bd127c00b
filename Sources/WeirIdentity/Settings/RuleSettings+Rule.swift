internal import WeirSettings

extension RuleSettings {
    /// The rule that these settings are.
    /// - Parameters:
    ///   - target: what `target` names, with its type.
    ///   - asked: who is asked where the rule names nobody.
    package func rule(target: ObjectKind, asked: [String]) -> Rule {
        var rule = Rule(name: name, kind: kind, target: target)
        rule.scopes = scopes.map(\.text)
        rule.condition = when?.text
        rule.objectName = objectName?.text
        rule.flows =
            set.entries.map { flow($0, isInitial: false) } + initial.entries.map { flow($0, isInitial: true) }
        rule.groups = groups?.text
        rule.managed = managed?.text
        rule.grace = grace
        rule.throttle = throttle.throttle
        rule.threshold = threshold.threshold
        rule.asksForVIP = asksForVIP
        rule.vip = vip?.text
        rule.quotas = quotas.values.map(\.quota)
        rule.priority = priority?.text
        rule.review.expiry = expiry
        rule.review.onExpiry = onExpiry
        rule.review.approvers = approvers.isEmpty ? asked : approvers
        if let links { rule.review.links = links }
        rule.review.needsTwo = needsTwo
        rule.review.allowsSelfApproval = allowsSelfApproval
        rule.isSimulated = isSimulated
        rule.errorsMost = errorsMost.basisPoints
        rule.channel = channel
        return rule
    }

    private func flow(_ entry: SettingMap<ExpressionText>.Entry, isInitial: Bool) -> Rule.Flow {
        Rule.Flow(
            attribute: entry.name, expression: entry.value.text, isInitial: isInitial,
            isSecret: secret.contains(entry.name))
    }
}

extension IdentitySettings {
    /// The rules, with those that all share put in. Only of settings without mistakes.
    package var ruleBook: [Rule] {
        rules.compactMap { settings in
            let target = settings.kind == .event ? ObjectKind(silo: "", type: "") : kind(named: settings.target)
            var rule = target.map { settings.rule(target: $0, asked: mail?.to ?? []) }
            if simulates { rule?.isSimulated = true }
            return rule
        }
    }

    /// `ad/user`, or `ad` where the silo has a `user` or one type only.
    package func kind(named text: String) -> ObjectKind? {
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        guard let types = silos[parts[0]]?.types else { return nil }
        if parts.count == 2 { return types.contains(parts[1]) ? ObjectKind(silo: parts[0], type: parts[1]) : nil }
        if types.contains("user") { return ObjectKind(silo: parts[0]) }
        return types.count == 1 ? ObjectKind(silo: parts[0], type: types[0]) : nil
    }
}
