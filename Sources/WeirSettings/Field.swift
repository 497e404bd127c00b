/// One setting of a component: its key, its Swift property, and all that is said and checked about it. Made by
/// `Settings.field(…)`; the reference page, the JSON Schema and the reader all come from it.
package struct Field<Root: Sendable>: Sendable {
    package var name: String
    /// Other keys that are still read: `old_name` with a warning.
    package var aliases: [String]
    package var isRequired: Bool
    package var deprecation: String?
    var read: @Sendable (SettingNode, inout Root, inout SettingReading) -> Void
    var plain: @Sendable (Root) -> PlainValue
    var describe: @Sendable (Root) -> FieldDescription
}

extension Field {
    /// The same field, of settings that hold these: `ScheduleSettings.fields.map { $0.within(\.schedule) }` sets one
    /// group's fields among another's.
    package func within<Whole: Sendable>(_ part: any WritableKeyPath<Whole, Root> & Sendable) -> Field<Whole> {
        Field<Whole>(
            name: name, aliases: aliases, isRequired: isRequired, deprecation: deprecation,
            read: { [read] node, whole, reading in read(node, &whole[keyPath: part], &reading) },
            plain: { [plain] in plain($0[keyPath: part]) }, describe: { [describe] in describe($0[keyPath: part]) })
    }
}

/// The least and the most a field takes.
struct FieldRange<Value: SettingValue>: Sendable {
    var contains: @Sendable (Value) -> Bool
    var bounds: SettingBounds
}

extension Settings {
    /// A field of these settings.
    ///
    /// - Parameters:
    ///   - name: the key, snake_case.
    ///   - property: where the value goes. Its type decides what may be written; its value in `Self()` is the default.
    ///   - required: must be written, and a text or list must not be empty.
    ///   - check: says what is wrong with a value ("must start with http://"), or `nil`.
    ///   - examples: as YAML flow text, for the reference page.
    ///   - aliases: older keys, read with a warning.
    ///   - deprecated: why this field goes away and what to write instead.
    ///   - help: one or two sentences for the reference page.
    package static func field<Value: SettingValue>(
        _ name: String, _ property: any WritableKeyPath<Self, Value> & Sendable, required: Bool = false,
        check: (@Sendable (Value) -> String?)? = nil, examples: [String] = [], aliases: [String] = [],
        deprecated: String? = nil, _ help: String
    ) -> Field<Self> {
        make(
            name, property, required: required, range: nil, check: check, examples: examples, aliases: aliases,
            deprecated: deprecated, help)
    }

    /// A field with a least and a most value.
    package static func field<Value: SettingValue & Comparable>(
        _ name: String, _ property: any WritableKeyPath<Self, Value> & Sendable, required: Bool = false,
        range: ClosedRange<Value>, check: (@Sendable (Value) -> String?)? = nil, examples: [String] = [],
        aliases: [String] = [], deprecated: String? = nil, _ help: String
    ) -> Field<Self> {
        let bounds = SettingBounds(least: range.lowerBound.plain, most: range.upperBound.plain)
        return make(
            name, property, required: required, range: FieldRange(contains: { range.contains($0) }, bounds: bounds),
            check: check, examples: examples, aliases: aliases, deprecated: deprecated, help)
    }

    /// A field with a least value.
    package static func field<Value: SettingValue & Comparable>(
        _ name: String, _ property: any WritableKeyPath<Self, Value> & Sendable, required: Bool = false,
        range: PartialRangeFrom<Value>, check: (@Sendable (Value) -> String?)? = nil, examples: [String] = [],
        aliases: [String] = [], deprecated: String? = nil, _ help: String
    ) -> Field<Self> {
        let bounds = SettingBounds(least: range.lowerBound.plain, most: nil)
        return make(
            name, property, required: required, range: FieldRange(contains: { range.contains($0) }, bounds: bounds),
            check: check, examples: examples, aliases: aliases, deprecated: deprecated, help)
    }

    /// An optional field with a least and a most value.
    package static func field<Value: SettingValue & Comparable>(
        _ name: String, _ property: any WritableKeyPath<Self, Value?> & Sendable, required: Bool = false,
        range: ClosedRange<Value>, check: (@Sendable (Value?) -> String?)? = nil, examples: [String] = [],
        aliases: [String] = [], deprecated: String? = nil, _ help: String
    ) -> Field<Self> {
        let bounds = SettingBounds(least: range.lowerBound.plain, most: range.upperBound.plain)
        return make(
            name, property, required: required,
            range: FieldRange(contains: { $0.map { range.contains($0) } ?? true }, bounds: bounds),
            check: check, examples: examples, aliases: aliases, deprecated: deprecated, help)
    }

    /// An optional field with a least value.
    package static func field<Value: SettingValue & Comparable>(
        _ name: String, _ property: any WritableKeyPath<Self, Value?> & Sendable, required: Bool = false,
        range: PartialRangeFrom<Value>, check: (@Sendable (Value?) -> String?)? = nil, examples: [String] = [],
        aliases: [String] = [], deprecated: String? = nil, _ help: String
    ) -> Field<Self> {
        let bounds = SettingBounds(least: range.lowerBound.plain, most: nil)
        return make(
            name, property, required: required,
            range: FieldRange(contains: { $0.map { range.contains($0) } ?? true }, bounds: bounds),
            check: check, examples: examples, aliases: aliases, deprecated: deprecated, help)
    }

    private static func make<Value: SettingValue>(
        _ name: String, _ property: any WritableKeyPath<Self, Value> & Sendable, required: Bool,
        range: FieldRange<Value>?, check: (@Sendable (Value) -> String?)?, examples: [String], aliases: [String],
        deprecated: String?, _ help: String
    ) -> Field<Self> {
        Field(
            name: name, aliases: aliases, isRequired: required, deprecation: deprecated,
            read: { node, root, reading in
                guard let value = Value.read(node, &reading) else { return }
                let subject = reading.subject
                if required && value.plain.isEmpty {
                    reading.problem("\(subject) is empty", at: node.origin, help: help)
                } else if let range, !range.contains(value) {
                    reading.problem(
                        "\(subject) must be \(range.bounds.text), not \(node.found)", at: node.origin, help: help)
                } else if let complaint = check?(value) {
                    reading.problem("\(subject) \(complaint)", at: node.origin, help: help)
                }
                root[keyPath: property] = value
            },
            plain: { $0[keyPath: property].plain },
            describe: { root in
                let standard = root[keyPath: property].plain
                return FieldDescription(
                    name: name, aliases: aliases, shape: Value.shape, isRequired: required,
                    standard: required || standard.isEmpty ? nil : standard, bounds: range?.bounds, examples: examples,
                    deprecation: deprecated, help: help)
            })
    }
}

extension PlainValue {
    /// Nothing to show: no value, no text, no items.
    var isEmpty: Bool {
        switch self {
        case .null: true
        case .text(let text): text.isEmpty
        case .list(let items): items.isEmpty
        case .map(let entries): entries.isEmpty
        case .truth, .whole, .number: false
        }
    }
}
