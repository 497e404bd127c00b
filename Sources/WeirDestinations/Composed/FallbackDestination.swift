package import WeirSettings

/// Sends to the first destination of a list that can take a batch, in order of preference; back to the first as soon as
/// it can.
package enum FallbackDestination {
    package struct Settings: DestinationSettings {
        package static let type = "fallback"
        package static let summary = "Sends to the first of several destinations that can take it."

        package var order: [String] = []

        package init() {}

        package static let fields: [Field<Self>] = [
            field(
                "order", \.order, required: true, examples: ["[siem, archive]"],
                "Names of destinations, the preferred one first.")
        ]

        package func mistakes() -> [SettingMistake] { MemberNames.mistakes(order, key: "order") { "order[\($0)]" } }

        package func plan(_ planning: inout DestinationPlanning) -> DestinationOutline? {
            .composed(.fallback(members: order))
        }
    }
}
