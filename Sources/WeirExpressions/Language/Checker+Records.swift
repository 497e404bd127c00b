/// Attributes of compact records, found when the expression is read.
extension Checker {
    /// The record that a node names, unless a macro's variable has that name here.
    private func record(_ node: Node) -> (name: String, variable: RecordVariable)? {
        guard !environment.records.isEmpty, let dotted = node.dottedName,
            dotted.isAbsolute || local(Self.root(dotted.name)) == nil
        else { return nil }
        for candidate in candidates(dotted.name, isAbsolute: dotted.isAbsolute) {
            if let found = environment.records[candidate] { return (candidate, found) }
        }
        return nil
    }

    /// `hr.title`, `hr.?title`, `hr["title"]`.
    mutating func attribute(
        _ inner: Node, _ field: String, isOptional: Bool, at offset: Int
    ) -> (Term, CheckedType)? {
        guard let (name, variable) = record(inner) else { return nil }
        // `old.hr` is a record itself, not an attribute `hr` of one that is called `old`.
        if environment.records[name + "." + field] != nil { return nil }
        let path = AttributePath(variable, name, field, isOptional: isOptional)
        if case .attribute = path.part, let known = variable.known {
            let lower = String(path.shown.dropFirst(name.count + 1))
            if !known.contains(lower) {
                let nearest = Nearest.name(to: lower, among: known.sorted())
                report(
                    "'\(name)' has no attribute '\(lower)'" + (nearest.map { ", did you mean '\($0)'?" } ?? ""),
                    at: offset)
            }
        }
        let type: CheckedType = path.isList ? .list(.string) : .string
        return (.attribute(path), isOptional ? .optional(type) : type)
    }

    /// `joined("ad")`: whether there is such a record.
    func joined(_ name: String, _ arguments: [Node]) -> (Term, CheckedType)? {
        guard name == "joined", arguments.count == 1, case .constant(.string(let wanted)) = arguments[0].kind,
            let record = environment.records[wanted]
        else { return nil }
        return (.hasRecord(record.slot), .bool)
    }
}
