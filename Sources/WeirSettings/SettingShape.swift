/// What a setting may hold, for the reference page, the JSON Schema and the environment reader.
package indirect enum SettingShape: Sendable {
    case truth
    case wholeNumber
    case number
    case text
    case size
    case duration
    case percent
    case rate
    case secret
    case expression
    case choice([SettingChoiceCase])
    case optional(SettingShape)
    case list(SettingShape)
    /// Names the operator chooses, each with a value of the same shape.
    case map(SettingShape)
    case group(SettingGroup)
    case union(SettingUnionShape)
    /// One of several ways to write the same thing.
    case either([SettingShape])

    /// As the reference page says it.
    package var title: String {
        switch self {
        case .truth: "`true` or `false`"
        case .wholeNumber: "whole number"
        case .number: "number"
        case .text: "text"
        case .size: "size"
        case .duration: "duration"
        case .percent: "percent"
        case .rate: "size per second"
        case .secret: "secret"
        case .expression: "expression"
        case .choice(let cases): cases.map { "`\($0.name)`" }.joined(separator: ", ")
        case .optional(let shape): shape.title
        case .list(let shape): "list of \(shape.title)"
        case .map(let shape): "names, each with \(shape.title)"
        case .group: "group"
        case .union(let union): "\(union.noun) with a `type`"
        case .either(let shapes): shapes.map(\.title).joined(separator: ", or ")
        }
    }

    /// The shape without `optional` around it.
    package var unwrapped: SettingShape {
        if case .optional(let shape) = self { shape.unwrapped } else { self }
    }
}

package struct SettingChoiceCase: Sendable, Hashable {
    package var name: String
    package var help: String
}

/// A `Settings` type, described. The fields are computed when asked, so that settings may hold themselves.
package struct SettingGroup: Sendable {
    /// Unique per type: the name of its definition in the schema.
    package var name: String
    package var fields: @Sendable () -> [FieldDescription]
}

package struct SettingUnionShape: Sendable {
    /// "destination", "source".
    package var noun: String
    package var kinds: [SettingUnionKind]
    /// The fields that every kind has.
    package var common: SettingGroup

    /// The key that tells the kinds apart.
    package var typeField: FieldDescription {
        FieldDescription(
            name: "type", aliases: [], shape: .choice(kinds.map { SettingChoiceCase(name: $0.name, help: $0.summary) }),
            isRequired: true, standard: nil, bounds: nil, examples: [], deprecation: nil, help: "Which \(noun) it is.")
    }
}

package struct SettingUnionKind: Sendable {
    package var name: String
    package var aliases: [String]
    package var summary: String
    package var group: SettingGroup
}

/// A field without its Swift type.
package struct FieldDescription: Sendable {
    package var name: String
    package var aliases: [String]
    package var shape: SettingShape
    package var isRequired: Bool
    /// `nil` for required fields and for those that are empty when not written.
    package var standard: PlainValue?
    package var bounds: SettingBounds?
    package var examples: [String]
    package var deprecation: String?
    package var help: String
}

package struct SettingBounds: Sendable, Hashable {
    package var least: PlainValue?
    package var most: PlainValue?

    /// "1 to 64", "at least 1s".
    package var text: String {
        switch (least, most) {
        case (let least?, let most?): "\(least.text) to \(most.text)"
        case (let least?, nil): "at least \(least.text)"
        case (nil, let most?): "at most \(most.text)"
        case (nil, nil): "anything"
        }
    }
}

/// A value as JSON would have it: for defaults, bounds and printing.
package indirect enum PlainValue: Sendable, Hashable {
    case null
    case truth(Bool)
    case whole(Int)
    case number(Double)
    case text(String)
    case list([PlainValue])
    case map([PlainEntry])

    /// One line, as YAML would have it in flow style.
    package var text: String {
        switch self {
        case .null: ""
        case .truth(let truth): truth ? "true" : "false"
        case .whole(let number): String(number)
        case .number(let number):
            number == number.rounded() && abs(number) < 1e15 ? String(Int(number)) : String(number)
        case .text(let text): text.isEmpty ? "\"\"" : text
        case .list(let items): items.isEmpty ? "[]" : "[ \(items.map(\.text).joined(separator: ", ")) ]"
        case .map(let entries):
            entries.isEmpty ? "{}" : "{ \(entries.map { "\($0.key): \($0.value.text)" }.joined(separator: ", ")) }"
        }
    }
}

package struct PlainEntry: Sendable, Hashable {
    package var key: String
    package var value: PlainValue

    package init(key: String, value: PlainValue) {
        self.key = key
        self.value = value
    }
}
