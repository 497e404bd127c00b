internal import WeirGates

/// The JSON Schema (2020-12) of settings, for editors and for checks in CI. Made from the same fields as the reader, so
/// the two agree, up to what a schema cannot say: ranges of sizes and durations, expressions, files that must exist,
/// `mistakes()`.
///
/// A text takes numbers and truths too, because YAML's unquoted `1.10` and `no` are text here where a text is wanted.
package struct Schema: Sendable {
    private var definitions: [String: PlainValue] = [:]

    /// The whole document.
    package static func document(of settings: any Settings.Type, title: String, id: String) -> PlainValue {
        var schema = Schema()
        let root = schema.properties(of: settings.group.fields())
        let named = schema.definitions.sorted { $0.key < $1.key }.map { PlainEntry(key: $0.key, value: $0.value) }
        return .map(
            [
                PlainEntry(key: "$schema", value: .text("https://json-schema.org/draft/2020-12/schema")),
                PlainEntry(key: "$id", value: .text(id)), PlainEntry(key: "title", value: .text(title)),
            ] + root + [PlainEntry(key: "$defs", value: .map(named))])
    }

    // MARK: Groups

    private mutating func reference(to group: SettingGroup) -> PlainValue {
        if definitions[group.name] == nil {
            // Entered first: a group that holds itself refers to itself.
            definitions[group.name] = .null
            definitions[group.name] = .map(properties(of: group.fields()))
        }
        return .map([PlainEntry(key: "$ref", value: .text("#/$defs/\(group.name)"))])
    }

    private mutating func properties(of fields: [FieldDescription], type: PlainValue? = nil) -> [PlainEntry] {
        var entries: [PlainEntry] = []
        if let type { entries.append(PlainEntry(key: "type", value: type)) }
        var required: [PlainValue] = type == nil ? [] : [.text("type")]
        var either: [PlainValue] = []
        for field in fields {
            entries.append(PlainEntry(key: field.name, value: property(field)))
            for alias in field.aliases {
                var old = field
                old.deprecation = "write `\(field.name)`"
                entries.append(PlainEntry(key: alias, value: property(old)))
            }
            guard field.isRequired else { continue }
            if field.aliases.isEmpty {
                required.append(.text(field.name))
            } else {
                let choices = ([field.name] + field.aliases).map {
                    PlainValue.map([PlainEntry(key: "required", value: .list([.text($0)]))])
                }
                either.append(.map([PlainEntry(key: "anyOf", value: .list(choices))]))
            }
        }
        let needsSomething = !required.isEmpty || !either.isEmpty
        var result = [
            PlainEntry(key: "type", value: needsSomething ? .text("object") : .list([.text("object"), .text("null")])),
            PlainEntry(key: "properties", value: .map(entries)),
        ]
        if !required.isEmpty { result.append(PlainEntry(key: "required", value: .list(required))) }
        if !either.isEmpty { result.append(PlainEntry(key: "allOf", value: .list(either))) }
        result.append(PlainEntry(key: "additionalProperties", value: .truth(false)))
        return result
    }

    private mutating func property(_ field: FieldDescription) -> PlainValue {
        var entries = value(field.shape, bounds: field.bounds, isRequired: field.isRequired)
        var help = field.help
        if let bounds = field.bounds { help += " Allowed: \(bounds.text)." }
        entries.append(PlainEntry(key: "description", value: .text(help)))
        if let standard = field.standard { entries.append(PlainEntry(key: "default", value: standard)) }
        if !field.examples.isEmpty {
            entries.append(PlainEntry(key: "examples", value: .list(field.examples.map { .text($0) })))
        }
        if field.deprecation != nil { entries.append(PlainEntry(key: "deprecated", value: .truth(true))) }
        return .map(entries)
    }

    private mutating func reference(to union: SettingUnionShape) -> PlainValue {
        let name = union.noun
        if definitions[name] == nil {
            definitions[name] = .null
            var kinds: [PlainValue] = []
            for kind in union.kinds {
                let kindName = "\(union.noun):\(kind.name)"
                let own = kind.group.fields()
                let ownNames = Set(own.map(\.name))
                let names = ([kind.name] + kind.aliases).map { PlainValue.text($0) }
                let type: [PlainEntry] = [
                    names.count == 1
                        ? PlainEntry(key: "const", value: names[0]) : PlainEntry(key: "enum", value: .list(names)),
                    PlainEntry(key: "description", value: .text(kind.summary)),
                ]
                let fields = own + union.common.fields().filter { !ownNames.contains($0.name) }
                definitions[kindName] = .map(
                    [PlainEntry(key: "description", value: .text(kind.summary))]
                        + properties(of: fields, type: .map(type)))
                kinds.append(.map([PlainEntry(key: "$ref", value: .text("#/$defs/\(kindName)"))]))
            }
            definitions[name] = .map([
                PlainEntry(key: "type", value: .text("object")),
                PlainEntry(key: "required", value: .list([.text("type")])),
                PlainEntry(key: "oneOf", value: .list(kinds)),
            ])
        }
        return .map([PlainEntry(key: "$ref", value: .text("#/$defs/\(name)"))])
    }

    // MARK: Values

    private static let textTypes: PlainValue = .list([.text("string"), .text("number"), .text("boolean")])

    private mutating func value(
        _ shape: SettingShape, bounds: SettingBounds? = nil, isRequired: Bool = false
    ) -> [PlainEntry] {
        func entry(_ key: String, _ value: PlainValue) -> PlainEntry { PlainEntry(key: key, value: value) }
        switch shape {
        case .truth: return [entry("type", .text("boolean"))]
        case .wholeNumber: return [entry("type", .text("integer"))] + Schema.limits(bounds)
        case .number: return [entry("type", .text("number"))] + Schema.limits(bounds)
        case .text, .expression:
            return [entry("type", Schema.textTypes)] + (isRequired ? [entry("minLength", .whole(1))] : [])
        case .size:
            return [
                entry("type", .list([.text("string"), .text("integer")])), entry("minimum", .whole(0)),
                entry("pattern", .text("^ *[0-9][0-9_]*(\\.[0-9]+)? *(([kKmMgGtTpPeE][iI]?)?[bB])? *$")),
            ]
        case .rate:
            return [
                entry("type", .text("string")),
                entry("pattern", .text("^ *[0-9][0-9_]*(\\.[0-9]+)? *(([kKmMgGtTpPeE][iI]?)?[bB])? */ *s *$")),
            ]
        case .duration:
            return [
                entry("type", .list([.text("string"), .text("integer")])), entry("minimum", .whole(0)),
                entry("maximum", .whole(0)), entry("pattern", .text(Schema.durationPattern)),
            ]
        case .percent:
            return [entry("type", .text("string")), entry("pattern", .text("^ *[0-9]+(\\.[0-9]+)? *% *$"))]
        case .secret: return [entry("anyOf", .list([.map([entry("type", Schema.textTypes)]), Schema.secretReference]))]
        case .choice(let cases): return [entry("enum", .list(cases.map { .text($0.name) }))]
        case .optional(let shape):
            let inner = value(shape, bounds: bounds, isRequired: isRequired)
            return isRequired ? inner : [entry("anyOf", .list([.map(inner), .map([entry("type", .text("null"))])]))]
        case .list(let shape):
            return [
                entry("type", isRequired ? .text("array") : .list([.text("array"), .text("null")])),
                entry("items", .map(value(shape))),
            ] + (isRequired ? [entry("minItems", .whole(1))] : [])
        case .map(let shape):
            return [
                entry("type", isRequired ? .text("object") : .list([.text("object"), .text("null")])),
                entry("additionalProperties", .map(value(shape))),
            ] + (isRequired ? [entry("minProperties", .whole(1))] : [])
        case .group(let group): return [entry("allOf", .list([reference(to: group)]))]
        case .union(let union): return [entry("allOf", .list([reference(to: union)]))]
        case .either(let shapes):
            var choices: [PlainValue] = []
            for shape in shapes { choices.append(.map(value(shape, isRequired: isRequired))) }
            return [entry("anyOf", .list(choices))]
        }
    }

    private static let secretReference: PlainValue = {
        let text = PlainValue.map([
            PlainEntry(key: "type", value: textTypes), PlainEntry(key: "minLength", value: .whole(1)),
        ])
        return .map([
            PlainEntry(key: "type", value: .text("object")),
            PlainEntry(
                key: "properties",
                value: .map([PlainEntry(key: "file", value: text), PlainEntry(key: "env", value: text)])),
            PlainEntry(key: "minProperties", value: .whole(1)), PlainEntry(key: "maxProperties", value: .whole(1)),
            PlainEntry(key: "additionalProperties", value: .truth(false)),
        ])
    }()

    /// `0`, units from the longest to the shortest, or ISO 8601 without months and years.
    private static let durationPattern: String = {
        let number = "[0-9]+(\\.[0-9]+)?"
        let units = ["[wW]", "[dD]", "[hH]", "[mM]", "[sS]", "[mM][sS]", "([uU]|µ)[sS]", "[nN][sS]"]
            .map { "(\(number)\($0))?" }.joined()
        let date = ["[wW]", "[dD]"].map { "(\(number)\($0))?" }.joined()
        let time = ["[hH]", "[mM]", "[sS]"].map { "(\(number)\($0))?" }.joined()
        return "^(0|(?=[0-9])\(units)|[pP](?=[0-9tT])\(date)([tT](?=[0-9])\(time))?)$"
    }()

    private static func limits(_ bounds: SettingBounds?) -> [PlainEntry] {
        [
            bounds?.least.map { PlainEntry(key: "minimum", value: $0) },
            bounds?.most.map { PlainEntry(key: "maximum", value: $0) },
        ]
        .compactMap { $0 }
    }
}
