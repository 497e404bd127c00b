/// A CEL map: keys are `bool`, `int`, `uint` or `string`, equal numbers of unlike types are one key. Keeps the order of
/// insertion, so that what is printed does not depend on hashing.
package struct ValueMap: Sendable, Hashable, ExpressibleByDictionaryLiteral {
    package private(set) var keys: [Value] = []
    package private(set) var values: [Value] = []
    /// Only for maps over `linearMost` entries: a short list is searched faster than it is hashed.
    private var index: [Value: Int]?

    private static let linearMost = 8

    package init() {}

    package init(dictionaryLiteral elements: (Value, Value)...) {
        for (key, value) in elements { self[key] = value }
    }

    /// With names as keys.
    package init(_ fields: KeyValuePairs<String, Value>) {
        for (name, value) in fields { self[.string(name)] = value }
    }

    package var count: Int { keys.count }
    package var isEmpty: Bool { keys.isEmpty }

    package func position(of key: Value) -> Int? {
        if let index { return index[key] }
        return keys.firstIndex(of: key)
    }

    package subscript(key: Value) -> Value? {
        get { position(of: key).map { values[$0] } }
        set {
            guard let newValue else { return }
            if let at = position(of: key) {
                values[at] = newValue
                return
            }
            keys.append(key)
            values.append(newValue)
            if index != nil {
                index?[key] = keys.count - 1
            } else if keys.count > Self.linearMost {
                var made: [Value: Int] = [:]
                for (at, key) in keys.enumerated() { made[key] = at }
                index = made
            }
        }
    }

    package subscript(_ name: String) -> Value? { self[.string(name)] }

    package static func == (left: ValueMap, right: ValueMap) -> Bool {
        guard left.count == right.count else { return false }
        for (at, key) in left.keys.enumerated() {
            guard let other = right[key], other == left.values[at] else { return false }
        }
        return true
    }

    package func hash(into hasher: inout Hasher) { Value.map(self).hash(into: &hasher) }
}
