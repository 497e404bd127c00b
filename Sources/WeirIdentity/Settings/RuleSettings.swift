package import WeirSettings

/// One rule: what should be true of an identity in one silo, and the catches before it is made so.
package struct RuleSettings: Settings {
    package var name = ""
    package var kind = Rule.Kind.update
    package var target = ""
    package var scopes: [ExpressionText] = []
    package var when: ExpressionText?
    package var objectName: ExpressionText?
    package var set = SettingMap<ExpressionText>()
    package var initial = SettingMap<ExpressionText>()
    package var secret: [String] = []
    package var groups: ExpressionText?
    package var managed: ExpressionText?
    package var grace: Duration?
    package var throttle = ThrottleSetting(.none)
    package var threshold = ThresholdSetting()
    package var asksForVIP = true
    package var vip: ExpressionText?
    package var quotas: OneOrMany<QuotaSetting> = []
    package var priority: ExpressionText?
    package var expiry = Rule.Review().expiry
    package var onExpiry = Rule.Expiry.clear
    package var confirmsApproval = false
    package var approvers: [String] = []
    package var links: Rule.LinkPolicy?
    package var needsTwo = false
    package var allowsSelfApproval = false
    package var isSimulated = false
    package var errorsMost = SharePercent(basisPoints: 100)
    package var channel: String?

    package init() {}

    package static let fields: [Field<Self>] = [
        field(
            "name", \.name, required: true, check: nameCheck,
            "Its name for ever: history, throttles and approvals hang on it."),
        field("kind", \.kind, required: true, "What it does."),
        field(
            "target", \.target, examples: ["ad", "ad/group"],
            "The silo that it writes to, and the type of objects there. Not for `event`."),
        field("scopes", \.scopes, examples: ["[ \"has(hr.id)\" ]"], "Expressions that must all hold."),
        field(
            "when", \.when, examples: ["hr.status == 'active'"],
            "The condition. May use `Count(…)`: `isEmployee && Count(isEmployee, 'new', duration('1h')) <= 100`."),
        field(
            "dn", \.objectName, examples: ["'uid=' + dn.escape(hr.login) + ',ou=people,dc=example,dc=org'"],
            "What the object is called: a DN in a directory. For `provision` and `rename`.", ),
        field(
            "set", \.set, examples: ["{ cn: hr.name, mail: \"hr.login + '@example.org'\" }"],
            "Attributes and the expressions that give their values."),
        field(
            "initial", \.initial, examples: ["{ userpassword: \"random(24)\" }"],
            "Attributes that are written when the object is made, and never compared again."),
        field(
            "secret", \.secret, examples: ["[ userpassword ]"],
            "Of these attributes no value is shown, logged, mailed or kept."),
        field(
            "groups", \.groups, examples: ["hr.roles.map(r, 'cn=' + dn.escape(r) + ',ou=groups,dc=example,dc=org')"],
            "For `membership`: names of the groups in which the identity's object should be."),
        field(
            "manages", \.managed, examples: ["group.businesscategory == 'weir'"],
            "For `membership`: which groups the rule manages, as an expression over `group`; all unless set."),
        field(
            "grace", \.grace, range: .zero...(.seconds(3_650 * 86_400)), examples: ["P30D"],
            "For `deprovision`: how long the condition must have held."),
        field(
            "throttle", \.throttle, examples: ["PT30M", "1.00:00:00", "env.SETTLE", "\"= duration('1h')\""],
            "The least time between two attempts of this rule for one identity: as long as a change takes to be "
                + "carried out and seen by a scan. None unless set."),
        field(
            "threshold", \.threshold, examples: ["5%", "50", "{ limit: 5%, at_least: 3, lookback: 1h }"],
            "How many actions of one sync pass by themselves: as a number, or as a share of the live objects of the "
                + "target. One more, and all of them wait for a person. Where the target has 10,000 objects and more, "
                + "never more than 5 % unless an override key is active."),
        field("ask_vip", \.asksForVIP, "VIPs are always asked about."),
        field("vip", \.vip, "Who is one, in place of `identity.vip`."),
        field(
            "quota", \.quotas, examples: ["100/hour", "[ 20/sync, 200/day ]"],
            "So many actions in a time; the others wait for the next."),
        field("priority", \.priority, "Lower goes first where only some may; by identity unless set."),
        field(
            "expiry", \.expiry, range: .seconds(60)...(.seconds(365 * 86_400)),
            "How long people may take to decide."),
        field("on_expiry", \.onExpiry, "What becomes of actions that nobody decided."),
        field(
            "confirm_approve", \.confirmsApproval,
            "Needed with `on_expiry: approve` of rules that disable or delete: silence then takes access away."),
        field(
            "approvers", \.approvers, check: { $0.lazy.compactMap(MailAddress.check).first },
            "Who is asked, by mail address; those of `identity.mail.to` unless set."),
        field(
            "links", \.links,
            "What a mailed link may do. `login` for rules that disable or delete, `token` for others, unless set."),
        field("four_eyes", \.needsTwo, "Two people must approve."),
        field("self_approval", \.allowsSelfApproval, "People may approve actions on themselves."),
        field("simulate", \.isSimulated, "Planned and shown, never carried out."),
        field(
            "errors", \.errorsMost,
            "Where expressions fail for more than this share of identities (and at least 10), the rule is held."),
        field("channel", \.channel, "For `event`: whom to tell, by name under `identity.channels`."),
    ]

    private static let nameCheck: @Sendable (String) -> String? = { name in
        let isGood = name.utf8.allSatisfy { byte in
            (0x61...0x7A).contains(byte) || (0x41...0x5A).contains(byte) || (0x30...0x39).contains(byte)
                || "-_.".utf8.contains(byte)
        }
        return isGood && name.utf8.count <= 80
            ? nil : "must be at most 80 letters, digits, `-`, `_` and `.`, because it stands in links"
    }

    package func mistakes() -> [SettingMistake] {
        var mistakes: [SettingMistake] = []
        func needs(_ key: String, _ isThere: Bool, _ what: String) {
            if !isThere {
                mistakes.append(
                    SettingMistake("kind", "a rule of kind `\(kind.rawValue)` needs `\(key)`", help: what))
            }
        }
        func unused(_ key: String, _ isThere: Bool) {
            if isThere {
                mistakes.append(
                    SettingMistake(
                        key, "a rule of kind `\(kind.rawValue)` has no use for `\(key)`", help: "leave it out"))
            }
        }
        switch kind {
        case .provision:
            needs("dn", objectName != nil, "say what the new object is called; where names are keys, give the key")
        case .rename: needs("dn", objectName != nil, "say what the object should be called")
        case .update, .disable: needs("set", !set.isEmpty, "say which attributes it sets")
        case .membership: needs("groups", groups != nil, "say in which groups the identity should be")
        case .event: needs("channel", channel != nil, "say whom to tell, by name under `identity.channels`")
        case .deprovision: break
        }
        if kind != .event { needs("target", !target.isEmpty, "name the silo that it writes to") }
        unused("groups", kind != .membership && groups != nil)
        unused("manages", kind != .membership && managed != nil)
        unused("grace", kind != .deprovision && grace != nil)
        unused("channel", kind != .event && channel != nil)
        unused("initial", kind != .provision && !initial.isEmpty)
        unused("set", [.deprovision, .membership].contains(kind) && !set.isEmpty)
        unused("dn", ![.provision, .rename].contains(kind) && objectName != nil)
        if onExpiry == .approve, kind == .disable || kind == .deprovision, !confirmsApproval {
            mistakes.append(
                SettingMistake(
                    "on_expiry", "actions that take access away would run because nobody looked",
                    help: "write `confirm_approve: true` beside it if that is wanted"))
        }
        if case .share(let basisPoints) = threshold.threshold.limit, basisPoints > 500 {
            mistakes.append(
                SettingMistake(
                    "threshold",
                    "more than 5 % counts as 5 % where the target has 10,000 objects or more",
                    help: "`weir identity override` lifts that for a time", severity: .warning))
        }
        return mistakes + attributeMistakes
    }

    private var attributeMistakes: [SettingMistake] {
        var mistakes: [SettingMistake] = []
        for (key, names) in [("set", set.names), ("initial", initial.names)] {
            for name in names where name != name.lowercased() || name.isEmpty || name.contains(" ") {
                mistakes.append(
                    SettingMistake(
                        "\(key).\(name)", "attribute names are lower case here", help: "write `\(name.lowercased())`"))
            }
        }
        for name in secret where set[name] == nil && initial[name] == nil {
            mistakes.append(
                SettingMistake("secret", "the rule sets no `\(name)`", help: "name attributes of `set` or `initial`"))
        }
        for name in initial.names where set[name] != nil {
            mistakes.append(
                SettingMistake("initial.\(name)", "it is under `set` too", help: "keep it in one of them"))
        }
        return mistakes
    }
}

extension Rule.Kind: SettingChoice {
    package var help: String {
        switch self {
        case .provision: "Makes an object for an identity that has none there."
        case .update: "Makes attributes what `set` says."
        case .rename: "Makes the object's name what `dn` says."
        case .disable: "An update that takes access away."
        case .deprovision: "Deletes the object, after `grace`."
        case .membership: "Makes the object a member of exactly `groups`, among those that the rule manages."
        case .event: "Tells a channel."
        }
    }
}

extension Rule.Expiry: SettingChoice {
    package var help: String {
        switch self {
        case .clear: "They are cleared."
        case .approve: "They count as approved, and run in the next sync."
        }
    }
}

extension Rule.LinkPolicy: SettingChoice {
    package var help: String {
        switch self {
        case .token: "It opens a page on which its recipient decides."
        case .login: "It opens the page; deciding needs the console on Weir's machine, or `weir approve`."
        }
    }
}
