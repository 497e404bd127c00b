import WeirExpressions
package import WeirSettings

/// Chooses destinations by rules, as the routes of the configuration do, but as a destination that others can name. A
/// rule that is not final clones. Source: Cribl's Output Router.
package enum RouterDestination {
    package struct Rule: WeirSettings.Settings {
        package var name = ""
        package var when: ExpressionText = ""
        package var to: OneOrMany<String> = []
        package var isFinal = true

        package init() {}

        package static let fields: [Field<Self>] = [
            field("name", \.name, "For people and metrics; `rule1`, `rule2`, … by default."),
            field("when", \.when, examples: ["\"event.severity <= 3\""], "Which events; all, when nothing is written."),
            field("to", \.to, required: true, examples: ["siem", "[siem, archive]"], "Where they go."),
            field("final", \.isFinal, "Whether what this rule takes is not offered to the rules after it."),
        ]
    }

    package struct Settings: DestinationSettings {
        package static let type = "router"
        package static let summary = "Sends events to other destinations by rules."

        package var rules: [Rule] = []
        package var otherwise = ""

        package init() {}

        package static let fields: [Field<Self>] = [
            field(
                "rules", \.rules, required: true,
                examples: ["[{ when: \"event.severity <= 3\", to: siem }, { to: archive }]"],
                "In order."),
            field(
                "default", \.otherwise, "Where events go that no rule takes; without it they are dropped and counted."),
        ]

        package func plan(_ planning: inout DestinationPlanning) -> DestinationOutline? {
            var planned: [ComposedRule] = []
            for (index, rule) in rules.enumerated() {
                var matcher: Matcher?
                if !rule.when.isEmpty {
                    do throws(ExpressionProblem) {
                        matcher = try Matcher(try Expression(rule.when.text))
                    } catch {
                        planning.note(
                            rule.when.problem(error.message, offset: error.line == 1 ? error.column - 1 : nil))
                    }
                }
                let name = rule.name.isEmpty ? "rule\(index + 1)" : rule.name
                if planned.contains(where: { $0.name == name }) {
                    planning.mistake("rules[\(index)].name", "two rules are named `\(name)`", help: "rename one")
                }
                planned.append(ComposedRule(name: name, when: matcher, to: rule.to.values, isFinal: rule.isFinal))
            }
            if planning.hasErrors { return nil }
            return .composed(.router(rules: planned, otherwise: otherwise.isEmpty ? nil : otherwise))
        }
    }
}
