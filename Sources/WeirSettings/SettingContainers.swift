// Optionals, lists and names-to-values of anything that is itself a setting.

extension Optional: SettingValue where Wrapped: SettingValue {
    /// Nothing written means `nil`, whatever the default was: `queue: null` switches off.
    package static func read(_ node: SettingNode, _ reading: inout SettingReading) -> Wrapped?? {
        if node.isNull { return .some(nil) }
        return Wrapped.read(node, &reading).map { .some($0) }
    }
    package static var shape: SettingShape { .optional(Wrapped.shape) }
    package var plain: PlainValue { self?.plain ?? .null }
}

extension Array: SettingValue where Element: SettingValue {
    package static func read(_ node: SettingNode, _ reading: inout SettingReading) -> [Element]? {
        switch node.content {
        case .null: return []
        case .list(let items):
            var result: [Element] = []
            var isWhole = true
            for (index, item) in items.enumerated() {
                let element = reading.within(index: index, value: item.origin) { Element.read(item, &$0) }
                if let element { result.append(element) } else { isWhole = false }
            }
            return isWhole ? result : nil
        case .scalar, .map:
            reading.wrongType(node, wants: "a list", help: "write `[ … ]`, or one line with `- ` for each")
            return nil
        }
    }
    package static var shape: SettingShape { .list(Element.shape) }
    package var plain: PlainValue { .list(map(\.plain)) }
}

extension Dictionary: SettingValue where Key == String, Value: SettingValue {
    package static func read(_ node: SettingNode, _ reading: inout SettingReading) -> [String: Value]? {
        guard let map = SettingMap<Value>.read(node, &reading) else { return nil }
        return Dictionary(map.entries.map { ($0.name, $0.value) }, uniquingKeysWith: { first, _ in first })
    }
    package static var shape: SettingShape { .map(Value.shape) }
    package var plain: PlainValue {
        .map(sorted { $0.key < $1.key }.map { PlainEntry(key: $0.key, value: $0.value.plain) })
    }
}

/// Names that the operator chose, each with a value, in the order of the file: destinations, sources.
package struct SettingMap<Value: SettingValue>: Sendable {
    package struct Entry: Sendable {
        package var name: String
        /// Where the name stands.
        package var origin: SettingOrigin
        package var value: Value

        package init(name: String, origin: SettingOrigin = .standard, value: Value) {
            self.name = name
            self.origin = origin
            self.value = value
        }
    }

    package var entries: [Entry]

    package init(_ entries: [Entry] = []) { self.entries = entries }

    package subscript(name: String) -> Value? { entries.first { $0.name == name }?.value }
    package var names: [String] { entries.map(\.name) }
    package var isEmpty: Bool { entries.isEmpty }
}

extension SettingMap: SettingValue {
    package static func read(_ node: SettingNode, _ reading: inout SettingReading) -> SettingMap<Value>? {
        switch node.content {
        case .null: return SettingMap()
        case .map(let pairs):
            var result = SettingMap()
            var isWhole = true
            for pair in pairs {
                let value = reading.within(pair.key, holder: pair.keyOrigin, value: pair.value.origin) {
                    Value.read(pair.value, &$0)
                }
                if let value {
                    result.entries.append(Entry(name: pair.key, origin: pair.keyOrigin, value: value))
                } else {
                    isWhole = false
                }
            }
            return isWhole ? result : nil
        case .scalar, .list:
            reading.wrongType(node, wants: "names with a value each", help: "write `name: value`, one on each line")
            return nil
        }
    }
    package static var shape: SettingShape { .map(Value.shape) }
    package var plain: PlainValue { .map(entries.map { PlainEntry(key: $0.name, value: $0.value.plain) }) }
}
