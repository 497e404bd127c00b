internal import WeirGates

/// What an operator may set for one component, in one place: the properties with their defaults, and a field for each.
///
///     struct Settings: WeirSettings.Settings {
///         var url = ""
///         var concurrency = 5
///         var timeout = Duration.seconds(30)
///
///         static let fields: [Field<Self>] = [
///             field("url", \.url, required: true, "Where requests go."),
///             field("concurrency", \.concurrency, range: 1...64, "Requests in flight before the gate holds back."),
///             field("timeout", \.timeout, "How long one request may take."),
///         ]
///     }
///
/// From this come: reading with every problem at once, the reference page, the JSON Schema, the environment names.
package protocol Settings: SettingValue {
    /// The defaults.
    init()
    static var fields: [Field<Self>] { get }
    /// What no single field can say: two that contradict, one that needs another. Called when every field is fine by
    /// itself.
    func mistakes() -> [SettingMistake]
}

extension Settings {
    package func mistakes() -> [SettingMistake] { [] }

    /// Reads these settings from a tree.
    ///
    /// - Parameters:
    ///   - node: what was written; `nil` or nothing at all reads as an empty group.
    ///   - path: where it stands, for messages: `destinations.siem`.
    ///   - problems: every problem found is added, in the order of the file.
    /// - Returns: the settings, or `nil` when there was an error among the problems.
    package static func read(
        from node: SettingNode?, path: String = "", problems: inout [SettingProblem]
    ) -> Self? {
        var reading = SettingReading(path: path)
        let result = read(node ?? SettingNode(.null), &reading)
        problems += reading.sortedProblems()
        return result
    }

    package static func read(_ node: SettingNode, _ reading: inout SettingReading) -> Self? {
        let errors = reading.errors
        guard let entries = node.groupEntries(&reading) else { return nil }
        var value = Self()
        readFields(entries, at: node, into: &value, &reading)
        refuseUnknown(entries, known: keys, &reading, suggest: fields.map(\.name), secrets: secretNames)
        if reading.errors == errors { value.reportMistakes(&reading) }
        return reading.errors == errors ? value : nil
    }

    /// The fields that hold secrets: what stands after a mistyped one is hidden too.
    static var secretNames: Set<String> {
        Set(group.fields().compactMap { if case .secret = $0.shape.unwrapped { $0.name } else { nil } })
    }

    /// Every key that is read: names and aliases.
    static var keys: Set<String> { Set(fields.flatMap { [$0.name] + $0.aliases }) }

    static func readFields(
        _ entries: [SettingEntry], at node: SettingNode, into value: inout Self, _ reading: inout SettingReading,
        quietly: Set<String> = []
    ) {
        for field in fields {
            let written = entries.filter { $0.key == field.name || field.aliases.contains($0.key) }
            guard let entry = written.first else {
                if field.isRequired {
                    let help = "add `\(field.name)`: \(field.describe(value).help)"
                    reading.problem(
                        "`\(field.name)` is missing from \(reading.place)", at: reading.holder(or: node), help: help)
                }
                continue
            }
            for double in written.dropFirst() where !quietly.contains(field.name) {
                reading.problem(
                    "`\(double.key)` and `\(entry.key)` are the same setting, written twice", at: double.keyOrigin,
                    help: "keep `\(field.name)` only")
            }
            if entry.key != field.name && !quietly.contains(field.name) {
                reading.problem(
                    "`\(entry.key)` is an old name", at: entry.keyOrigin, help: "write `\(field.name)`",
                    severity: .warning)
            }
            if let deprecation = field.deprecation, !quietly.contains(field.name) {
                reading.problem(
                    "`\(field.name)` will go away in a later version", at: entry.keyOrigin, help: deprecation,
                    severity: .warning)
            }
            reading.within(field.name, holder: entry.keyOrigin, value: entry.value.origin) {
                // What both a kind and its common settings declare is checked by both, but complained about once.
                if quietly.contains(field.name) && $0.hasProblem(under: $0.path) { return }
                field.read(entry.value, &value, &$0)
            }
        }
    }

    func reportMistakes(_ reading: inout SettingReading) {
        for mistake in mistakes() { reading.note(reading.provenance.problem(mistake, in: reading.path)) }
    }

    package static var shape: SettingShape { .group(group) }

    package static var group: SettingGroup {
        SettingGroup(name: schemaName) {
            let defaults = Self()
            return fields.map { $0.describe(defaults) }
        }
    }

    /// `HTTPDestination.Settings` without its module: the name of the definition in the schema.
    static var schemaName: String {
        let name = String(reflecting: Self.self)
        // A private type has "(unknown context at $ADDRESS)" in its name, which differs from run to run.
        let parts = name.split(separator: ".").dropFirst().filter { !$0.hasPrefix("(unknown context") }
        return parts.isEmpty ? name : parts.joined(separator: ".")
    }

    package var plain: PlainValue {
        .map(Self.fields.map { PlainEntry(key: $0.name, value: $0.plain(self)) }.filter { $0.value != .null })
    }
}

/// Settings of a part that has none.
package struct NoSettings: Settings {
    package init() {}
    package static let fields: [Field<Self>] = []
}

func refuseUnknown(
    _ entries: [SettingEntry], known: Set<String>, _ reading: inout SettingReading, suggest: [String],
    secrets: Set<String>
) {
    for entry in entries where !known.contains(entry.key) {
        // Beyond what is kept there is no use in looking for a neighbour.
        let isShown = reading.problems.count < SettingReading.problemsKept
        let near = isShown ? Nearest.word(entry.key, among: suggest) : nil
        if let near, secrets.contains(near) { reading.conceal(entry.value.origin) }
        let help =
            near.map { "did you mean `\($0)`?" }
            ?? (suggest.isEmpty
                ? "there is nothing to set" : "known: \(suggest.sorted().map { "`\($0)`" }.joined(separator: ", "))")
        reading.problem("`\(entry.key.clipped)` is not a setting of \(reading.place)", at: entry.keyOrigin, help: help)
    }
}

extension SettingNode {
    /// The entries of a group of settings; nothing written is an empty group. Notes a problem and gives `nil`
    /// otherwise.
    func groupEntries(_ reading: inout SettingReading) -> [SettingEntry]? {
        switch content {
        case .map(let entries): return entries
        case .null: return []
        case .scalar, .list:
            reading.wrongType(
                self, wants: "a group of settings", help: "write `key: value`, one on each line and indented")
            return nil
        }
    }
}

extension SettingReading {
    /// The group we are in, for messages: `` `destinations.siem` ``, or "the configuration" at the top.
    var place: String { path.isEmpty ? "the configuration" : "`\(path)`" }

    /// The key that holds the group; at the top, where the group begins.
    func holder(or node: SettingNode) -> SettingOrigin { holder == .standard ? node.origin : holder }
}
