/// Whether a change is done already, by what the target says now: how a crash and a lost answer are settled.
enum TargetCheck {
    /// - Parameter object: as the target has it; nil where it certainly is not there.
    static func isDone(_ change: Change, _ object: SiloObject?) -> Bool {
        switch change.operation {
        case .delete: object == nil
        case .create: object.map { holds(change.edits, $0) } ?? false
        case .modify: object.map { holds(change.edits, $0) } ?? false
        case .rename:
            object.map {
                $0.name.lowercased() == (change.newName ?? change.name).lowercased() && holds(change.edits, $0)
            } ?? false
        // Nobody can be asked whether they were told: they are told again.
        case .event: false
        }
    }

    private static func holds(_ edits: [Change.Edit], _ object: SiloObject) -> Bool {
        edits.allSatisfy { edit in
            if edit.adds == [Change.secretMark] { return true }
            let present = Set((object.attributes[edit.attribute] ?? []).map { $0.lowercased() })
            let adds = edit.adds.map { $0.lowercased() }
            if edit.isReplaced { return present == Set(adds) }
            return adds.allSatisfy(present.contains)
                && !edit.removes.contains { present.contains($0.lowercased()) && !adds.contains($0.lowercased()) }
        }
    }
}
