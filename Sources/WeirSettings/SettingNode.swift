internal import WeirGates

/// A configuration as it was written: a tree in which every key and every value knows where it comes from.
///
/// Scalars stay text until a field says what it wants, so `no` is a country, `1.10` a version and `007` a name wherever
/// text is wanted, and never silently something else.
package struct SettingNode: Sendable {
    package enum Content: Sendable {
        /// Nothing written, `~` or `null`.
        case null
        case scalar(SettingScalar)
        case list([SettingNode])
        /// In the order of the file; keys are unique (the reader saw to that).
        case map([SettingEntry])
    }

    package var content: Content
    package var origin: SettingOrigin

    package init(_ content: Content, origin: SettingOrigin = .standard) {
        self.content = content
        self.origin = origin
    }

    package static func text(_ text: String, quoted: Bool = false, origin: SettingOrigin = .standard) -> SettingNode {
        SettingNode(.scalar(SettingScalar(text: text, isQuoted: quoted)), origin: origin)
    }

    package static func map(_ pairs: KeyValuePairs<String, SettingNode>) -> SettingNode {
        SettingNode(.map(pairs.map { SettingEntry(key: $0.key, value: $0.value) }))
    }

    package static func list(_ items: [SettingNode]) -> SettingNode { SettingNode(.list(items)) }

    /// The value under a key; `nil` when this is no map or the key is not there.
    package subscript(key: String) -> SettingNode? {
        guard case .map(let entries) = content else { return nil }
        return entries.first { $0.key == key }?.value
    }

    package var isNull: Bool {
        if case .null = content { true } else { false }
    }

    /// What is written here, in words: "a list", "text `five`". Long text is cut.
    package var found: String {
        switch content {
        case .null: "nothing"
        case .list: "a list"
        case .map: "a group of settings"
        case .scalar(let scalar): scalar.isQuoted ? "the text \"\(scalar.text.clipped)\"" : "`\(scalar.text.clipped)`"
        }
    }
}

package struct SettingScalar: Sendable, Hashable {
    package var text: String
    /// Quoted or a block: certainly text. A plain `5` may be a number or a text, as the field wants.
    package var isQuoted: Bool

    package init(text: String, isQuoted: Bool) {
        self.text = text
        self.isQuoted = isQuoted
    }
}

package struct SettingEntry: Sendable {
    package var key: String
    package var keyOrigin: SettingOrigin
    package var value: SettingNode

    package init(key: String, keyOrigin: SettingOrigin = .standard, value: SettingNode) {
        self.key = key
        self.keyOrigin = keyOrigin
        self.value = value
    }
}
