import Testing
import WeirIdentity
import WeirSettings

@Suite("The settings of identity")
struct IdentitySettingsTests {
    private func read<Value: SettingValue>(_ type: Value.Type, _ text: String) -> (Value?, [String]) {
        var reading = SettingReading(path: "x")
        let value = Value.read(.text(text), &reading)
        return (value, reading.problems.map(\.message))
    }

    @Test(
        "take throttles in all forms",
        arguments: [
            ("PT30M", Rule.Throttle.period(.seconds(1_800))), ("30m", .period(.seconds(1_800))),
            ("1.00:00:00", .period(.seconds(86_400))), ("00:05", .period(.seconds(300))), ("0s", .none),
            ("0", .none), ("env.SETTLE", .variable("SETTLE")),
            (
                "= hr.type == 'c' ? duration('1h') : duration('5m')",
                .expression("hr.type == 'c' ? duration('1h') : duration('5m')")
            ),
        ])
    func throttles(text: String, throttle: Rule.Throttle) {
        #expect(read(ThrottleSetting.self, text).0?.throttle == throttle)
    }

    @Test("refuse throttles that are none", arguments: ["30", "-5m", "PT-5M", "1.24:00:00", "00:61", "soon", "="])
    func noThrottles(text: String) {
        let (value, problems) = read(ThrottleSetting.self, text)
        #expect(value == nil && problems.count == 1)
    }

    @Test(
        "take thresholds as shares and numbers",
        arguments: [
            ("5%", Rule.Limit.share(basisPoints: 500)), ("0.25%", .share(basisPoints: 25)),
            ("12.5 %", .share(basisPoints: 1_250)), ("50", .count(50)), ("0", .count(0)), ("none", .none),
        ])
    func thresholds(text: String, limit: Rule.Limit) {
        #expect(read(ThresholdSetting.self, text).0?.threshold.limit == limit)
    }

    @Test("refuse thresholds that are none", arguments: ["-1", "101%", "5.125%", "five", "5 000", "1e3", ""])
    func noThresholds(text: String) {
        #expect(read(ThresholdSetting.self, text).0 == nil)
    }

    private static func settings(_ rule: KeyValuePairs<String, SettingNode>) -> SettingNode {
        .map([
            "silos": .map([
                "hr": .map(["type": .text("csv"), "path": .text("hr.csv"), "key": .text("id")]),
                "ad": .map([
                    "type": .text("ldif"), "path": .text("d.ldif"),
                    "objects": .map([
                        "user": .map(["base": .text("ou=people,dc=x")]),
                        "group": .map(["base": .text("ou=groups,dc=x")]),
                    ]),
                ]),
            ]),
            "env": .map(["SETTLE": .text("30m")]),
            "rules": .list([.map(rule)]),
        ])
    }

    private func problems(_ rule: KeyValuePairs<String, SettingNode>) -> [String] {
        var problems: [SettingProblem] = []
        _ = IdentitySettings.read(from: Self.settings(rule), problems: &problems)
        return problems.filter { $0.severity == .error }.map { "\($0.message) \($0.help)" }
    }

    @Test("make rules")
    func rules() throws {
        var problems: [SettingProblem] = []
        let settings = try #require(
            IdentitySettings.read(
                from: Self.settings([
                    "name": .text("titles"), "kind": .text("update"), "target": .text("ad"),
                    "set": .map(["title": .text("hr.title")]), "throttle": .text("env.SETTLE"),
                    "quota": .text("100/hour"),
                ]), problems: &problems))
        let rule = try #require(settings.ruleBook.first)
        #expect(rule.target == ObjectKind(silo: "ad", type: "user"))
        #expect(rule.throttle == .variable("SETTLE") && rule.quotas == [Rule.Quota(most: 100, per: .hour)])
        #expect(rule.threshold.limit == .share(basisPoints: 500))
    }

    @Test("say what leads nowhere, with the nearest that does")
    func nowhere() {
        let set = SettingNode.map(["title": .text("hr.title")])
        #expect(
            problems(["name": .text("a"), "kind": .text("update"), "target": .text("adx"), "set": set]).first?
                .contains("no silo named `adx`") == true)
        #expect(
            problems(["name": .text("a"), "kind": .text("update"), "target": .text("ad/grop"), "set": set]).first?
                .contains("`group`") == true)
        #expect(
            problems([
                "name": .text("a"), "kind": .text("update"), "target": .text("ad"), "set": set,
                "throttle": .text("env.SETLE"),
            ]).first?.contains("`SETTLE`") == true)
        #expect(
            problems(["name": .text("a b"), "kind": .text("update"), "target": .text("ad"), "set": set]).count == 1)
    }

    @Test("ask to confirm what takes access away by silence")
    func confirmation() {
        let rule: KeyValuePairs<String, SettingNode> = [
            "name": .text("out"), "kind": .text("deprovision"), "target": .text("ad"), "on_expiry": .text("approve"),
        ]
        #expect(problems(rule).first?.contains("nobody looked") == true)
    }

    @Test("know what each kind needs and has no use for")
    func kinds() {
        #expect(problems(["name": .text("a"), "kind": .text("provision"), "target": .text("ad")]).count == 1)
        #expect(problems(["name": .text("a"), "kind": .text("membership"), "target": .text("ad/group")]).count == 1)
        #expect(problems(["name": .text("a"), "kind": .text("event")]).count == 1)
        #expect(
            problems([
                "name": .text("a"), "kind": .text("deprovision"), "target": .text("ad"),
                "set": .map(["x": .text("1")]),
            ]).count == 1)
    }
}
