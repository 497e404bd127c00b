/// What one action does to one object of one silo: computed in the plan, shown before → after, fingerprinted, held or
/// carried out.
package struct Change: Hashable, Sendable, Codable {
    /// What stands in a change, in the history and in a mail where a secret would.
    package static let secretMark = "(secret)"

    package enum Operation: String, Sendable, Codable, CaseIterable {
        /// A new object with `name` and the values that the edits add.
        case create
        /// Attribute values of an object that is there.
        case modify
        /// A new name (RDN, parent or both) for an object that is there; edits may come with it.
        case rename
        case delete
        /// Tells something outside (a webhook, a program) about the identity; no silo is written.
        case event
    }

    /// What happens to one attribute. Values are exact; secrets stand here as `Change.secretMark` and are put in on the
    /// way out.
    package struct Edit: Hashable, Sendable, Codable {
        /// Lower case.
        package var attribute: String
        /// Values that the object has and shall lose, sorted.
        package var removes: [String]
        /// Values that the object has not and shall get, sorted.
        package var adds: [String]
        /// True when the attribute as a whole takes the values of `adds` (a single-valued attribute); false when values
        /// come and go one by one (members of a group).
        package var isReplaced: Bool

        package init(attribute: String, removes: [String], adds: [String], isReplaced: Bool) {
            self.attribute = attribute
            self.removes = removes
            self.adds = adds
            self.isReplaced = isReplaced
        }
    }

    package var operation: Operation
    package var target: ObjectKind
    /// Nil where the object is not there yet (`create`, `event`).
    package var anchor: String?
    /// What the silo calls the object before the change; for `create` what it shall be called.
    package var name: String
    /// For `rename`: what it shall be called.
    package var newName: String?
    /// Sorted by attribute.
    package var edits: [Edit]

    package init(
        operation: Operation, target: ObjectKind, anchor: String?, name: String, newName: String? = nil,
        edits: [Edit] = []
    ) {
        self.operation = operation
        self.target = target
        self.anchor = anchor
        self.name = name
        self.newName = newName
        self.edits = edits.sorted { $0.attribute < $1.attribute }
    }
}
