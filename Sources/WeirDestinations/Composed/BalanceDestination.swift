package import WeirSettings

/// Shares the load between destinations by weight: each batch goes to the one that has had least for its weight and can
/// take it.
/// Source: research/destinations.md section 3.
package enum BalanceDestination {
    package struct Member: WeirSettings.Settings, Hashable {
        package var to = ""
        package var weight = 1

        package init() {}

        package static let fields: [Field<Self>] = [
            field("to", \.to, required: true, "Name of a destination."),
            field("weight", \.weight, range: 0...1_000, "Share of the load, relative to the others; 0 is never used."),
        ]
    }

    package struct Settings: DestinationSettings {
        package static let type = "balance"
        package static let summary = "Shares the load between other destinations by weight."

        package var members: [Member] = []

        package init() {}

        package static let fields: [Field<Self>] = [
            field(
                "members", \.members, required: true, examples: ["[{ to: east, weight: 2 }, { to: west }]"],
                "Who shares.")
        ]

        package func mistakes() -> [SettingMistake] {
            var mistakes = MemberNames.mistakes(members.map(\.to), key: "members") { "members[\($0)].to" }
            if !members.isEmpty, members.allSatisfy({ $0.weight == 0 }) {
                mistakes.append(
                    SettingMistake(
                        "members", "every member has weight 0, so none is ever used", help: "give one a weight of 1"))
            }
            return mistakes
        }

        package func plan(_ planning: inout DestinationPlanning) -> DestinationOutline? {
            .composed(.balance(members: members.map { ComposedMember(destination: $0.to, weight: $0.weight) }))
        }
    }
}

enum MemberNames {
    static func mistakes(_ names: [String], key: String, place: (Int) -> String) -> [SettingMistake] {
        var seen: Set<String> = []
        var mistakes: [SettingMistake] = []
        for (index, name) in names.enumerated() where !seen.insert(name).inserted {
            mistakes.append(
                SettingMistake(place(index), "`\(name)` stands twice in `\(key)`", help: "name each destination once"))
        }
        return mistakes
    }
}
