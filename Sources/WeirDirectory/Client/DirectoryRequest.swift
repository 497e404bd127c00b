/// One operation of LDAP (RFC 4511), as a value.
package enum DirectoryRequest: Sendable, Hashable {
    /// A simple bind. Both empty: anonymous.
    case bind(name: String, password: [UInt8])
    case search(DirectorySearch)
    case add(name: String, attributes: [DirectoryValues])
    case modify(name: String, [DirectoryModification])
    case delete(name: String)
    /// `newParent` nil leaves the entry where it is. The old value of the name goes from the entry.
    case rename(name: String, leaf: String, newParent: String?)
    /// Answers `compareTrue` or `compareFalse`.
    case compare(name: String, attribute: String, value: [UInt8])

    /// For logs and counters.
    package var word: String {
        switch self {
        case .bind: "bind"
        case .search: "search"
        case .add: "add"
        case .modify: "modify"
        case .delete: "delete"
        case .rename: "rename"
        case .compare: "compare"
        }
    }

    /// Whether it may be more than a socket takes at once. A hundred values are nearly always less than 16 KiB.
    var isLarge: Bool {
        func bytes(_ all: [DirectoryValues]) -> Int {
            all.reduce(0) { $0 + $1.values.reduce(0) { $0 + $1.count } }
        }
        return switch self {
        case .add(_, let attributes): bytes(attributes) > 16_384
        case .modify(_, let modifications): bytes(modifications.map(\.values)) > 16_384
        default: false
        }
    }
}

package struct DirectorySearch: Sendable, Hashable {
    package enum Scope: Sendable, Hashable {
        case base, one, subtree
    }

    package var base: String
    package var scope: Scope
    package var filter: DirectoryFilter
    /// Empty: all user attributes. `["1.1"]`: none.
    package var attributes: [String]
    /// At most so many entries; 0 leaves it to the server.
    package var limit: Int32 = 0

    package init(
        base: String, scope: Scope = .base, filter: DirectoryFilter = .everything, attributes: [String] = [],
        limit: Int32 = 0
    ) {
        self.base = base
        self.scope = scope
        self.filter = filter
        self.attributes = attributes
        self.limit = limit
    }
}

package struct DirectoryValues: Sendable, Hashable {
    package var attribute: String
    package var values: [[UInt8]]

    package init(_ attribute: String, _ values: [[UInt8]]) {
        self.attribute = attribute
        self.values = values
    }

    package init(_ attribute: String, _ values: [String]) {
        self.init(attribute, values.map { Array($0.utf8) })
    }
}

package struct DirectoryModification: Sendable, Hashable {
    package enum Kind: Sendable, Hashable {
        case add, delete
        /// With no values the attribute goes, and it is no error when it was not there.
        case replace
    }

    package var kind: Kind
    package var values: DirectoryValues

    package init(_ kind: Kind, _ attribute: String, _ values: [[UInt8]]) {
        self.kind = kind
        self.values = DirectoryValues(attribute, values)
    }

    package init(_ kind: Kind, _ attribute: String, _ values: [String]) {
        self.kind = kind
        self.values = DirectoryValues(attribute, values)
    }
}

/// What goes with a request (RFC 4511 section 4.1.11).
package struct DirectoryControl: Sendable, Hashable {
    package var number: String
    package var isCritical: Bool
    /// BER, or nil where the control has none.
    package var value: [UInt8]?

    package init(number: String, isCritical: Bool, value: [UInt8]? = nil) {
        self.number = number
        self.isCritical = isCritical
        self.value = value
    }

    /// RFC 2696.
    static let pagedNumber = "1.2.840.113556.1.4.319"
    /// RFC 4527.
    static let postReadNumber = "1.3.6.1.1.13.2"
    /// RFC 4528.
    package static let assertionNumber = "1.3.6.1.1.12"
    /// MS-ADTS 3.1.1.3.4.1.8.
    package static let permissiveNumber = "1.2.840.113556.1.4.1413"

    /// - Parameter cookie: of the answer before; empty for the first page. It holds on its own connection alone.
    package static func paged(size: Int, cookie: [UInt8]) -> DirectoryControl {
        DirectoryControl(
            number: pagedNumber, isCritical: true,
            value: BER.sequence([BER.integer(size), BER.octets(cookie)]))
    }

    /// Values that are there already, or gone already, are no error. Not critical: who does not know it ignores it.
    package static let permissive = DirectoryControl(number: permissiveNumber, isCritical: false)

    /// The modified entry comes with the answer.
    package static func postRead(_ attributes: [String]) -> DirectoryControl {
        DirectoryControl(
            number: postReadNumber, isCritical: false, value: BER.sequence(attributes.map { BER.octets($0.utf8) }))
    }

    /// The operation is done only while the entry's `attribute` has the value; otherwise the answer is 122.
    package static func assert(_ attribute: String, is value: String) -> DirectoryControl {
        // Filter ::= CHOICE { equalityMatch [3] SEQUENCE { attributeDesc, assertionValue } }
        DirectoryControl(
            number: assertionNumber, isCritical: true,
            value: BER.wrap(0xA3, BER.octets(attribute.utf8) + BER.octets(value.utf8)))
    }

    /// AD: deleted objects are found too.
    package static let showDeleted = DirectoryControl(number: "1.2.840.113556.1.4.417", isCritical: true)

    /// AD: only this domain, without references to its other partitions.
    static let domainScope = DirectoryControl(number: "1.2.840.113556.1.4.1339", isCritical: false)
}
