/// An enum of words an operator may choose from: `block`, `drop`, `queue`.
///
///     enum OnFull: String, SettingChoice {
///         case block, dropNewest = "drop_newest"
///         var help: String { switch self { case .block: "Wait for room." … } }
///     }
package protocol SettingChoice: SettingValue, CaseIterable, RawRepresentable where RawValue == String {
    /// One sentence for the reference page.
    var help: String { get }
}

extension SettingChoice {
    package var help: String { "" }

    package static func read(_ node: SettingNode, _ reading: inout SettingReading) -> Self? {
        let names = allCases.map(\.rawValue)
        let listed = names.map { "`\($0)`" }.joined(separator: ", ")
        guard case .scalar(let scalar) = node.content else {
            reading.wrongType(node, wants: "one of \(listed)", help: "write one of the words")
            return nil
        }
        if let choice = Self(rawValue: scalar.text) { return choice }
        let help = Nearest.sentence(scalar.text, among: names) ?? "choose one of \(listed)"
        reading.problem("\(reading.subject) must be one of \(listed), not \(node.found)", at: node.origin, help: help)
        return nil
    }
    package static var shape: SettingShape {
        .choice(allCases.map { SettingChoiceCase(name: $0.rawValue, help: $0.help) })
    }
    package var plain: PlainValue { .text(rawValue) }
}
