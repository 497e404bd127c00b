/// Objects of a kind that belong to the identity that has the same key.
package struct JoinRule: Sendable, Hashable {
    package var kind: ObjectKind
    /// Gives the key: a text, a number, or a list of such. What is not there or empty joins nothing.
    package var key: String
    /// Keys are compared within a group; empty is a group too.
    package var group: String

    package init(kind: ObjectKind, key: String, group: String = "") {
        self.kind = kind
        self.key = key
        self.group = group
    }
}

/// Why an identity is left out of everything: its joins say more than one thing.
package struct JoinDispute: Sendable, Hashable, Codable {
    /// The key that is shared; empty where the key's expression failed.
    package var key: String
    /// What a person reads: which objects, and what to do.
    package var text: String
    /// `ad/user cn=x,dc=y`, at most 10.
    package var objects: [String]
}
