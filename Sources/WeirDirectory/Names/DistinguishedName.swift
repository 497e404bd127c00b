/// A name in a directory (RFC 4514): relative names from the leaf to the root, with values unescaped.
///
/// Two names are equal when a server would take them for one: types by their short lower-case name, values without
/// regard to case or to how many spaces stand between words, the parts of a relative name in any order. All values are
/// compared so (`caseIgnoreMatch`), because that is the rule of every type that names entries in the standard schemas
/// and in AD; where a schema of its own makes a naming type case-sensitive, the server is asked, never this key alone.
package struct DistinguishedName: Hashable, Sendable, CustomStringConvertible {
    /// One `type=value`, the value without escapes.
    package struct Part: Hashable, Sendable {
        package var type: String
        package var value: String

        package init(type: String, value: String) {
            self.type = type
            self.value = value
        }
    }

    package struct Relative: Hashable, Sendable {
        package var parts: [Part]

        package init(parts: [Part]) { self.parts = parts }

        package init(_ type: String, _ value: String) { parts = [Part(type: type, value: value)] }

        /// With what RFC 4514 wants escaped.
        package var text: String {
            parts.map { "\($0.type)=\(NameText.escaped($0.value))" }.joined(separator: "+")
        }

        var key: String {
            let keys = parts.map { NameText.key(type: $0.type) + "=" + NameText.escaped(NameText.key(value: $0.value)) }
            return keys.count == 1 ? keys[0] : keys.sorted().joined(separator: "+")
        }
    }

    /// From the leaf to the root.
    package let relatives: [Relative]
    /// Equal for equal names.
    package let key: String

    package init(_ relatives: [Relative]) {
        self.relatives = relatives
        key = relatives.map(\.key).joined(separator: ",")
    }

    /// - Throws: `NameProblem` with the place, in bytes from the beginning.
    package init(_ text: String) throws(NameProblem) {
        var reader = NameReader(text)
        self.init(try reader.read())
    }

    package static let root = DistinguishedName([])

    /// Written anew: one comma between relative names, no spaces but those of values.
    package var description: String { relatives.map(\.text).joined(separator: ",") }

    package var leaf: Relative? { relatives.first }

    /// Nil for the root.
    package var parent: DistinguishedName? {
        relatives.isEmpty ? nil : DistinguishedName(Array(relatives.dropFirst()))
    }

    package func child(_ leaf: Relative) -> DistinguishedName { DistinguishedName([leaf] + relatives) }

    /// Whether this is `base` or stands below it.
    package func isWithin(_ base: DistinguishedName) -> Bool {
        relatives.count >= base.relatives.count
            && DistinguishedName(Array(relatives.suffix(base.relatives.count))) == base
    }

    package static func == (left: Self, right: Self) -> Bool { left.key == right.key }
    package func hash(into hasher: inout Hasher) { hasher.combine(key) }

    /// The key of a name without the name: what large groups are compared by.
    /// - Returns: for text that is no name, the text itself behind a mark that no name's key has, so that it is equal
    ///   to nothing but itself.
    package static func key(of text: String) -> String {
        if let fast = NameText.plainKey(text) { return fast }
        guard let name = try? DistinguishedName(text) else { return "?" + text }
        return name.key
    }
}

package struct NameProblem: Error, Sendable, Equatable, CustomStringConvertible {
    /// In bytes from the beginning of the text.
    package var place: Int
    package var text: String

    package var description: String { "\(text), at byte \(place) of the name" }
}
