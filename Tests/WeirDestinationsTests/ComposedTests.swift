import Testing
import WeirDestinations
import WeirSettings

@Suite struct ComposedTests {
    static func outline(_ settings: (any DestinationSettings)?) -> (
        outline: DestinationOutline?, problems: [SettingProblem]
    ) {
        var planning = DestinationPlanning(name: "test", means: Bench.means, path: "destinations.test")
        let outline = settings.flatMap { DestinationCatalog.outline($0, &planning) }
        return (outline, planning.problems)
    }

    @Test("A router names its rules and where they lead")
    func router() throws {
        var problems: [SettingProblem] = []
        let settings = RouterDestination.Settings.read(
            from: .map([
                "rules": .list([
                    .map(["when": .text("event.severity <= 3"), "to": .text("siem"), "final": .text("false")]),
                    .map(["name": .text("rest"), "to": .list([.text("a"), .text("b")])]),
                ]), "default": .text("nowhere"),
            ]), problems: &problems)
        #expect(problems.isEmpty)
        guard case .composed(.router(let rules, let otherwise)) = Self.outline(settings).outline else {
            Issue.record("no router")
            return
        }
        #expect(rules.map(\.name) == ["rule1", "rest"])
        #expect(rules.map(\.isFinal) == [false, true])
        #expect(rules.map(\.to) == [["siem"], ["a", "b"]])
        #expect(rules.map { $0.when == nil } == [false, true])
        #expect(otherwise == "nowhere")
        #expect(ComposedPlan.router(rules: rules, otherwise: otherwise).names == ["siem", "a", "b", "nowhere"])
    }

    @Test(
        "What cannot work is said",
        arguments: [
            ("rules", "[]"), ("when", "event."), ("same", "x"),
        ])
    func wrongRouter(what: String, text: String) {
        var problems: [SettingProblem] = []
        let rule: SettingNode = .map([
            "name": .text("x"), "to": .text("a"), "when": .text(what == "when" ? text : "true"),
        ])
        let rules: SettingNode = what == "rules" ? .list([]) : .list(what == "same" ? [rule, rule] : [rule])
        let settings = RouterDestination.Settings.read(from: .map(["rules": rules]), problems: &problems)
        problems += Self.outline(settings).problems
        #expect(problems.count == 1)
    }

    @Test("Balance and fallback name each member once")
    func members() {
        var problems: [SettingProblem] = []
        let twice = SettingNode.list([.map(["to": .text("a")]), .map(["to": .text("a"), "weight": .text("2")])])
        #expect(BalanceDestination.Settings.read(from: .map(["members": twice]), path: "d", problems: &problems) == nil)
        #expect(
            FallbackDestination.Settings.read(
                from: .map(["order": .list([.text("a"), .text("a")])]), path: "d", problems: &problems) == nil)
        #expect(problems.map(\.path) == ["d.members[1].to", "d.order[1]"])
    }

    @Test("Every type has its own name, a summary, and help for every setting")
    func catalogue() {
        let names = DestinationCatalog.kinds.flatMap { [$0.name] + $0.aliases }
        #expect(Set(names).count == names.count)
        #expect(names.contains("http") && names.contains("router"))
        for kind in DestinationCatalog.kinds {
            #expect(kind.summary.hasSuffix("."))
            for field in kind.settings.group.fields() { #expect(field.help.count > 3, "\(kind.name).\(field.name)") }
        }
    }
}
