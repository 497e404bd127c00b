/// The reference page of settings as Markdown tables, from the same fields as the reader.
package enum Reference {
    /// A table of the fields of one type; nested groups follow as rows with dotted names (`tls.ca`, `urls[].url`).
    package static func table(_ settings: any Settings.Type) -> String {
        table(settings.group.fields(), inside: [settings.group.name])
    }

    /// A page: for a catalogue each kind with its own settings, then those that all kinds have; for a configuration its
    /// table, then each of its catalogues.
    /// - Parameter level: of the headings, 1 to 6.
    package static func page(_ shape: SettingShape, level: Int = 2) -> String {
        switch shape {
        case .union(let union): page(union, level: level)
        case .group(let group): page(group, level: level)
        case .optional(let shape), .list(let shape), .map(let shape): page(shape, level: level)
        default: ""
        }
    }

    private static func page(_ union: SettingUnionShape, level: Int) -> String {
        let heading = String(repeating: "#", count: min(6, level))
        var text = ""
        for kind in union.kinds {
            text += "\(heading) \(kind.name)\n\n\(kind.summary)\n\n"
            if !kind.aliases.isEmpty {
                text += "Also: \(kind.aliases.map { "`\($0)`" }.joined(separator: ", ")).\n\n"
            }
            let fields = kind.group.fields()
            text += fields.isEmpty ? "Nothing to set.\n\n" : table(fields, inside: [kind.group.name]) + "\n"
        }
        let common = union.common.fields()
        if !common.isEmpty {
            text += "\(heading) Settings of every \(union.noun)\n\n" + table(common, inside: [union.common.name]) + "\n"
        }
        return text
    }

    private static func page(_ group: SettingGroup, level: Int) -> String {
        let fields = group.fields()
        var text = table(fields, inside: [group.name]) + "\n"
        for field in fields {
            let shape: SettingShape =
                switch field.shape.unwrapped {
                case .list(let item), .map(let item): item.unwrapped
                case let other: other
                }
            guard case .union = shape else { continue }
            let heading = String(repeating: "#", count: min(6, level))
            text += "\(heading) \(field.name)\n\n\(field.help)\n\n" + page(shape, level: level + 1)
        }
        return text
    }

    private static func table(_ fields: [FieldDescription], inside groups: [String]) -> String {
        var rows = "| setting | type | default | meaning |\n| --- | --- | --- | --- |\n"
        append(fields, prefix: "", groups: groups, to: &rows)
        return rows
    }

    /// `groups` are those we are in: one that holds itself is not followed again.
    private static func append(_ fields: [FieldDescription], prefix: String, groups: [String], to rows: inout String) {
        for field in fields {
            let name = prefix + field.name
            rows += "| `\(name)` | \(cell(field.shape.title)) | \(standard(field)) | \(cell(meaning(field))) |\n"
            switch field.shape.unwrapped {
            case .group(let group): descend(group, prefix: "\(name).", groups: groups, to: &rows)
            case .list(let item): descendItem(item, prefix: "\(name)[].", groups: groups, to: &rows)
            case .map(let item): descendItem(item, prefix: "\(name).NAME.", groups: groups, to: &rows)
            // What may be written shortly may be written as a group, too.
            case .either(let shapes):
                for shape in shapes { descendItem(shape, prefix: "\(name).", groups: groups, to: &rows) }
            default: break
            }
        }
    }

    private static func descendItem(_ shape: SettingShape, prefix: String, groups: [String], to rows: inout String) {
        if case .group(let group) = shape.unwrapped { descend(group, prefix: prefix, groups: groups, to: &rows) }
    }

    private static func descend(_ group: SettingGroup, prefix: String, groups: [String], to rows: inout String) {
        if groups.contains(group.name) { return }
        append(group.fields(), prefix: prefix, groups: groups + [group.name], to: &rows)
    }

    private static func standard(_ field: FieldDescription) -> String {
        if field.isRequired { return "required" }
        guard let standard = field.standard else { return "none" }
        if case .map = standard { return "see below" }
        return "`\(cell(standard.text))`"
    }

    private static func meaning(_ field: FieldDescription) -> String {
        var text = field.help
        if let bounds = field.bounds { text += " Allowed: \(bounds.text)." }
        if case .choice(let cases) = field.shape.unwrapped {
            for choice in cases where !choice.help.isEmpty { text += " `\(choice.name)`: \(choice.help)" }
        }
        if !field.examples.isEmpty { text += " Example: \(field.examples.map { "`\($0)`" }.joined(separator: ", "))." }
        if !field.aliases.isEmpty { text += " Older name: \(field.aliases.map { "`\($0)`" }.joined(separator: ", "))." }
        if let deprecation = field.deprecation { text += " Will go away: \(deprecation)." }
        return text
    }

    /// A cell must not end early or hold a line break.
    private static func cell(_ text: String) -> String {
        text.replacing("|", with: "\\|").replacing("\n", with: " ")
    }
}
