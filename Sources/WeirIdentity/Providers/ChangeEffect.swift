/// What a change makes of an object's attributes: for providers that write objects whole, and for seeing afterwards
/// whether a write did what it should.
package enum ChangeEffect {
    /// - Parameter secrets: by attribute, put in where the change only has a mark.
    package static func attributes(
        after change: Change, of before: [String: [String]], secrets: [String: String]
    ) -> [String: [String]] {
        var result = before
        for edit in change.edits {
            var values = Set(edit.isReplaced ? [] : result[edit.attribute] ?? [])
            values.subtract(edit.removes)
            if let secret = secrets[edit.attribute] { values = [secret] } else { values.formUnion(edit.adds) }
            result[edit.attribute] = values.isEmpty ? nil : values.sorted()
        }
        return result
    }

    /// Whether the object is as the change wants it, as far as can be seen: a secret cannot be read back.
    package static func isDone(_ change: Change, in object: SiloObject, secrets: [String: String]) -> Bool {
        if let name = change.newName ?? (change.operation == .create ? change.name : nil),
            !name.isEmpty, object.name != name
        {
            return false
        }
        return change.edits.allSatisfy { edit in
            if secrets[edit.attribute] != nil { return true }
            let values = Set(object.attributes[edit.attribute] ?? [])
            if edit.isReplaced { return values == Set(edit.adds) }
            return values.isSuperset(of: edit.adds) && values.isDisjoint(with: Set(edit.removes).subtracting(edit.adds))
        }
    }
}
