internal import WeirGates

/// One kind of source or destination, as the catalogue lists it.
package struct SettingKind: Sendable {
    /// What the operator writes after `type:`.
    package var name: String
    package var settings: any Settings.Type
    /// One sentence for the reference page.
    package var summary: String
    /// Other names that are understood: `hec` for `splunk_hec`. Not shown in the schema.
    package var aliases: [String]

    package init(_ name: String, _ settings: any Settings.Type, aliases: [String] = [], _ summary: String) {
        self.name = name
        self.settings = settings
        self.aliases = aliases
        self.summary = summary
    }
}

/// Reads groups that say what they are by their `type` key: the own settings of that kind and the settings that all
/// kinds have stand side by side in one group. Where both declare a key, both read it, and the kind's own description
/// is shown.
package struct SettingCatalog<Common: Settings>: Sendable {
    /// "destination", "source".
    package var noun: String
    package var kinds: [SettingKind]

    package init(noun: String, common: Common.Type = NoSettings.self, kinds: [SettingKind]) {
        self.noun = noun
        self.kinds = kinds
    }

    package func kind(named name: String) -> SettingKind? {
        kinds.first { $0.name == name } ?? kinds.first { $0.aliases.contains(name) }
    }

    /// Reads one group, or notes what is wrong and returns `nil`.
    package func read(_ node: SettingNode, _ reading: inout SettingReading) -> TypedSettings<Common>? {
        let errors = reading.errors
        guard let entries = node.groupEntries(&reading) else { return nil }
        guard let typeEntry = entries.first(where: { $0.key == "type" }) else {
            reading.problem(
                "`type` is missing from \(reading.place)", at: reading.holder(or: node),
                help: mistyped(entries) ?? "say which \(noun) it is: \(listed)")
            return nil
        }
        let type = reading.within("type", holder: typeEntry.keyOrigin, value: typeEntry.value.origin) {
            String.read(typeEntry.value, &$0)
        }
        guard let type else { return nil }
        guard let kind = kind(named: type) else {
            let known = kinds.flatMap { [$0.name] + $0.aliases }
            reading.problem(
                "there is no \(noun) of type `\(type.clipped)`", at: typeEntry.value.origin,
                help: Nearest.sentence(type, among: known) ?? "known: \(listed)")
            return nil
        }
        let result = read(kind.settings, kind: kind, entries, at: node, &reading)
        return reading.errors == errors ? result : nil
    }

    private func read<Own: Settings>(
        _: Own.Type, kind: SettingKind, _ entries: [SettingEntry], at node: SettingNode, _ reading: inout SettingReading
    ) -> TypedSettings<Common> {
        let errors = reading.errors
        var common = Common()
        var own = Own()
        Common.readFields(entries, at: node, into: &common, &reading)
        let shared = Set(Common.fields.map(\.name))
        let doubly = Own.fields.filter { shared.contains($0.name) }.map(\.name)
        Own.readFields(entries, at: node, into: &own, &reading, quietly: Set(doubly))
        refuseUnknown(
            entries, known: Own.keys.union(Common.keys).union(["type"]), &reading,
            suggest: ["type"] + Own.fields.map(\.name) + Common.fields.map(\.name).filter { !doubly.contains($0) },
            secrets: Own.secretNames.union(Common.secretNames))
        if reading.errors == errors {
            common.reportMistakes(&reading)
            own.reportMistakes(&reading)
        }
        return TypedSettings(
            kind: kind.name, common: common, own: own, path: reading.path, origin: reading.holder(or: node))
    }

    private func mistyped(_ entries: [SettingEntry]) -> String? {
        let known = keysOfAll
        return entries.first { !known.contains($0.key) && Nearest.word($0.key, among: ["type"]) != nil }
            .map { "did you mean `type` instead of `\($0.key)`?" }
    }

    private var keysOfAll: Set<String> {
        kinds.reduce(into: Common.keys) { $0.formUnion($1.settings.keys) }
    }

    private var listed: String { kinds.map { "`\($0.name)`" }.joined(separator: ", ") }

    package var shape: SettingShape {
        .union(
            SettingUnionShape(
                noun: noun,
                kinds: kinds.map {
                    SettingUnionKind(name: $0.name, aliases: $0.aliases, summary: $0.summary, group: $0.settings.group)
                },
                common: Common.group))
    }
}

/// A source or destination as it was configured.
package struct TypedSettings<Common: Settings>: Sendable {
    /// The catalogue's name of the kind, aliases resolved.
    package var kind: String
    package var common: Common
    package var own: any Settings
    /// `destinations.siem`.
    package var path: String
    /// The line that begins it.
    package var origin: SettingOrigin

    package init(
        kind: String, common: Common, own: any Settings, path: String = "", origin: SettingOrigin = .standard
    ) {
        self.kind = kind
        self.common = common
        self.own = own
        self.path = path
        self.origin = origin
    }

    package var plain: PlainValue {
        guard case .map(let common) = common.plain, case .map(let own) = own.plain else { return .null }
        let names = Set(own.map(\.key))
        return .map([PlainEntry(key: "type", value: .text(kind))] + own + common.filter { !names.contains($0.key) })
    }
}

/// A catalogue as a field's type: `SettingMap<DestinationEntry>` is what stands under `destinations:`.
///
///     struct DestinationEntry: SettingUnion {
///         static let catalog = SettingCatalog(noun: "destination", common: DeliverySettings.self, kinds: [ … ])
///         var typed: TypedSettings<DeliverySettings>
///         init(_ typed: TypedSettings<DeliverySettings>) { self.typed = typed }
///     }
package protocol SettingUnion: SettingValue {
    associatedtype Common: Settings
    static var catalog: SettingCatalog<Common> { get }
    var typed: TypedSettings<Common> { get }
    init(_ typed: TypedSettings<Common>)
}

extension SettingUnion {
    package static func read(_ node: SettingNode, _ reading: inout SettingReading) -> Self? {
        catalog.read(node, &reading).map { Self($0) }
    }
    package static var shape: SettingShape { catalog.shape }
    package var plain: PlainValue { typed.plain }
}
