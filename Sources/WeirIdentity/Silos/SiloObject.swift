/// Which objects of which silo: `ad/user`.
package struct ObjectKind: Hashable, Sendable, Codable, CustomStringConvertible {
    /// The silo's name in the configuration.
    package var silo: String
    /// The object type within the silo; `user` where a silo has one type and does not name it.
    package var type: String

    package init(silo: String, type: String = "user") {
        self.silo = silo
        self.type = type
    }

    package var description: String { "\(silo)/\(type)" }
}

/// One object as a provider reads or is told to write it, outside of bulk scans (these hand over `RecordBatch`).
///
/// Attribute names are lower case. An attribute without values is not there: an empty list never stands in
/// `attributes`.
package struct SiloObject: Hashable, Sendable, Codable {
    package var kind: ObjectKind
    /// What identifies the object in its silo for ever, though it may be renamed: entryUUID, objectGUID, a primary key.
    package var anchor: String
    /// What the silo calls it now: a DN in a directory, else the anchor.
    package var name: String
    package var attributes: [String: [String]]

    package init(kind: ObjectKind, anchor: String, name: String, attributes: [String: [String]]) {
        self.kind = kind
        self.anchor = anchor
        self.name = name
        self.attributes = attributes
    }
}
