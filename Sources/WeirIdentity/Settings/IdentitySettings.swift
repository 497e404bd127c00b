package import WeirSettings

/// `identity:`: connected lists and directories, how their objects belong together, and what should be true of them.
package struct IdentitySettings: Settings {
    package var silos = SettingMap<SiloEntry>()
    package var joins: [JoinSettings] = []
    package var label: ExpressionText = "id"
    package var vip: ExpressionText?
    package var vipDays = 30
    package var env = SettingMap<String>()
    package var sync = SyncSettings()
    package var mail: MailSettings?
    package var webhook: ApprovalWebhookSettings?
    package var channels = SettingMap<ChannelSettings>()
    package var simulates = false
    package var rules: [RuleSettings] = []

    package init() {}

    package static let fields: [Field<Self>] = [
        field("silos", \.silos, required: true, "Connected lists and directories, by name."),
        field("joins", \.joins, "By which keys objects of several silos are found to be one identity."),
        field(
            "label", \.label, examples: ["hr.?name.orValue(id)"],
            "What a person calls the identity, as an expression over its objects."),
        field(
            "vip", \.vip, examples: ["hr.?level.orValue('9') in ['1', '2']"],
            "Whose actions are always asked about. An expression that fails counts as true. Nobody unless set."),
        field(
            "vip_days", \.vipDays, range: 0...3_650,
            "How many days somebody who was a VIP still counts as one: the row that deletes a person also deletes what "
                + "made them a VIP."),
        field(
            "env", \.env, examples: ["{ SETTLE: 30m }"],
            "Values that rules share, as `env.NAME` in expressions and throttles. Read once for each sync."),
        field("sync", \.sync, "When syncs run by themselves."),
        field(
            "mail", \.mail, "How approvers are told. Absent: by nobody; the console and `weir get reviews` show all."),
        field("webhook", \.webhook, "Told the same as the mails."),
        field("channels", \.channels, "What `event` rules tell, by name."),
        field("simulate", \.simulates, "All rules are planned and shown, none is carried out."),
        field("rules", \.rules, "What should be true, in the order in which it is looked at."),
    ]

    package func mistakes() -> [SettingMistake] { IdentityCheck(settings: self).mistakes() }
}

/// Objects of one kind and the key by which they join.
package struct JoinSettings: Settings {
    package var objects = ""
    package var key: ExpressionText = ""

    package init() {}

    package static let fields: [Field<Self>] = [
        field("objects", \.objects, required: true, examples: ["hr", "ad/user"], "The silo, and its type of objects."),
        field(
            "key", \.key, required: true, examples: ["hr.id", "ad.employeenumber"],
            "The key, as an expression over the object. Objects with the same key are one identity; an empty key joins "
                + "nothing."),
    ]
}

/// When syncs run by themselves.
package struct SyncSettings: Settings {
    package var full: Duration?
    package var delta: Duration?
    package var shrinkBasisPoints = SharePercent(basisPoints: 1_000)
    package var shrinkAtLeast = 50

    package init() {}

    package static let fields: [Field<Self>] = [
        field(
            "full", \.full, range: .seconds(60)...(.seconds(366 * 86_400)), examples: ["PT24H"],
            "Between two syncs that read all and look at everybody. By hand only unless set."),
        field(
            "delta", \.delta, range: .seconds(1)...(.seconds(7 * 86_400)), examples: ["PT5M"],
            "Between two syncs that look at what changed. By hand only unless set."),
        field(
            "shrink", \.shrinkBasisPoints,
            "A full scan that finds so much less than the one before is parked until a person says it is right."),
        field(
            "shrink_at_least", \.shrinkAtLeast, range: 0...1_000_000,
            "Fewer objects than this may go without that question."),
    ]
}

/// What an `event` rule tells: a URL or a program.
package struct ChannelSettings: Settings {
    package var url: String?
    package var token = WeirSettings.Secret()
    package var command: [String] = []
    package var timeout = Duration.seconds(30)

    package init() {}

    package static let fields: [Field<Self>] = [
        field("url", \.url, check: ApprovalWebhookSettings.address, "Is sent a POST with JSON."),
        field("token", \.token, "Sent along as a bearer token."),
        field("command", \.command, examples: ["[ /usr/local/bin/tell ]"], "A program that reads the JSON."),
        field("timeout", \.timeout, range: .milliseconds(100)...(.seconds(600)), "For one of them."),
    ]

    package func mistakes() -> [SettingMistake] {
        (url == nil) == command.isEmpty
            ? [SettingMistake("", "one of `url` and `command` is needed", help: "write one of them")] : []
    }
}
