internal import WeirSettings

/// What only the whole of `identity:` shows: names that lead nowhere, doubles, a rule that nobody can write for.
struct IdentityCheck {
    let settings: IdentitySettings

    func mistakes() -> [SettingMistake] {
        siloMistakes + joinMistakes + settings.rules.indices.flatMap(ruleMistakes) + approverMistakes + envMistakes
    }

    private var siloMistakes: [SettingMistake] {
        // The words that expressions use for something else.
        let taken: Set = ["id", "env", "now", "old", "rule", "group", "dn", "identity"]
        return settings.silos.names.compactMap { name in
            if taken.contains(name) {
                return SettingMistake(
                    "silos.\(name)", "`\(name)` means something else in expressions", help: "choose another name")
            }
            return ObjectName.check(name).map { SettingMistake("silos.\(name)", "a silo's name \($0)") }
        }
    }

    private var joinMistakes: [SettingMistake] {
        settings.joins.enumerated().compactMap { unknown($1.objects, at: "joins[\($0)].objects") }
    }

    private func ruleMistakes(_ index: Int) -> [SettingMistake] {
        let rule = settings.rules[index]
        let place = "rules[\(index)]"
        var mistakes: [SettingMistake] = []
        if settings.rules[..<index].contains(where: { $0.name == rule.name }) {
            mistakes.append(
                SettingMistake(
                    "\(place).name", "there is another rule named `\(rule.name)`", help: "give it a name of its own"))
        }
        if rule.kind != .event {
            if let mistake = unknown(rule.target, at: "\(place).target") {
                mistakes.append(mistake)
            } else if let kind = settings.kind(named: rule.target), let silo = settings.silos[kind.silo] {
                if silo.typed.common.isReadOnly {
                    mistakes.append(
                        SettingMistake(
                            "\(place).target", "the silo `\(kind.silo)` is read only",
                            help: "name another one, or take `read_only` away"))
                }
            }
        }
        if case .variable(let name) = rule.throttle.throttle {
            if let text = settings.env[name] {
                if let mistake = durationMistake(name, text) { mistakes.append(mistake) }
            } else {
                mistakes.append(
                    SettingMistake(
                        "\(place).throttle", "there is no `\(name)` under `identity.env`",
                        help: Nearest.sentence(name, among: settings.env.names) ?? "add it there"))
            }
        }
        if let channel = rule.channel, settings.channels[channel] == nil {
            mistakes.append(
                SettingMistake(
                    "\(place).channel", "there is no channel named `\(channel)`",
                    help: Nearest.sentence(channel, among: settings.channels.names) ?? known(settings.channels.names)))
        }
        return mistakes
    }

    private func durationMistake(_ name: String, _ text: String) -> SettingMistake? {
        (try? ThrottleSetting.duration(text)) == nil
            ? SettingMistake(
                "env.\(name)", "a throttle uses it, and `\(text)` is no duration", help: "write `30m` or `PT30M`") : nil
    }

    /// Rules whose held actions nobody is told of.
    private var approverMistakes: [SettingMistake] {
        guard let mail = settings.mail, mail.to.isEmpty else { return [] }
        return settings.rules.enumerated().compactMap { index, rule in
            rule.approvers.isEmpty
                ? SettingMistake(
                    "rules[\(index)].approvers", "nobody is told when `\(rule.name)` holds actions",
                    help: "add `approvers`, or `identity.mail.to`", severity: .warning) : nil
        }
    }

    private var envMistakes: [SettingMistake] {
        settings.env.names.compactMap { name in
            let isGood =
                !(name.utf8.first.map { (0x30...0x39).contains($0) } ?? true)
                && name.utf8.allSatisfy { byte in
                    (0x61...0x7A).contains(byte) || (0x41...0x5A).contains(byte) || (0x30...0x39).contains(byte)
                        || byte == 0x5F
                }
            return isGood
                ? nil : SettingMistake("env.\(name)", "cannot stand in `env.NAME`", help: "use letters, digits and `_`")
        }
    }

    private func unknown(_ target: String, at place: String) -> SettingMistake? {
        guard settings.kind(named: target) == nil else { return nil }
        let silo = String(target.prefix { $0 != "/" })
        guard let types = settings.silos[silo]?.types else {
            return SettingMistake(
                place, "there is no silo named `\(silo)`",
                help: Nearest.sentence(silo, among: settings.silos.names) ?? known(settings.silos.names))
        }
        let type = String(target.dropFirst(silo.count + 1))
        return SettingMistake(
            place, "the silo `\(silo)` has " + (type.isEmpty ? "several types" : "no type `\(type)`"),
            help: Nearest.sentence(type, among: types)
                ?? "write one of \(types.map { "`\(silo)/\($0)`" }.joined(separator: ", "))")
    }

    private func known(_ names: [String]) -> String {
        names.isEmpty ? "there are none" : "known: \(names.map { "`\($0)`" }.joined(separator: ", "))"
    }
}
