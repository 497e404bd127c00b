/// A change as people read it: before → after, the same in mails, pages and on a terminal.
package struct ChangeText: Sendable, Hashable {
    package struct Line: Sendable, Hashable {
        /// The attribute, or what happens to the object.
        package var what: String
        package var before: String
        package var after: String
    }

    package var lines: [Line]

    /// Characters of one value; more would hide the others.
    static let valueMost = 200
    /// Values of one attribute.
    static let valuesMost = 10

    package init(_ change: Change) {
        var lines: [Line] = []
        switch change.operation {
        case .create: lines.append(Line(what: "create", before: "", after: change.name))
        case .delete: lines.append(Line(what: "delete", before: change.name, after: ""))
        case .rename: lines.append(Line(what: "rename", before: change.name, after: change.newName ?? ""))
        case .event: lines.append(Line(what: "event", before: "", after: change.name))
        case .modify: break
        }
        for edit in change.edits {
            // Who comes and goes is nothing without the group's name.
            let isMember = change.operation == .modify && change.target.type == "group" && !edit.isReplaced
            lines.append(
                Line(
                    what: isMember ? "\(edit.attribute) of \(change.name)" : edit.attribute,
                    before: Self.values(edit.removes), after: Self.values(edit.adds)))
        }
        self.lines = lines
    }

    package init(_ changes: [Change]) { lines = changes.flatMap { ChangeText($0).lines } }

    private static func values(_ values: [String]) -> String {
        var text = values.prefix(valuesMost).map { $0.count > valueMost ? $0.prefix(valueMost) + "…" : $0[...] }
            .joined(separator: ", ")
        if values.count > valuesMost { text += " and \(values.count - valuesMost) more" }
        return text
    }

    /// `title: Clerk → Manager`; a value that comes or goes alone: `mail: → a@example.org`.
    package var text: String {
        lines.map { line in
            let before = line.before.isEmpty ? "" : line.before + " "
            return "\(line.what): \(before)→\(line.after.isEmpty ? "" : " " + line.after)"
        }.joined(separator: "\n")
    }
}

extension ActionReason {
    /// Why an action waits, for people.
    package var text: String {
        switch self {
        case .throttled: "too soon after the last time"
        case .vip: "a VIP: always asked about"
        case .volume: "more than pass by themselves in one sync"
        case .volumeLookback: "more than pass by themselves, with those of the past hour"
        case .clamped: "more than 5 % of a large silo"
        case .window: "outside of its time"
        case .quota: "no more in this time"
        case .scanIncomplete: "a silo was not read to its end"
        case .scanShrunk: "a silo has lost too much since the last scan"
        case .superseded: "the change is another one since it was approved"
        case .muted: "rejected, until the change is another one"
        case .simulated: "the rule is simulated"
        case .preview: "a preview"
        case .evalError: "an expression failed"
        case .errorRate: "the rule's expressions fail for too many"
        case .approved: "approved"
        case .passed: "within all limits"
        case .refused: "the target refused it"
        case .unavailable: "the target could not be reached"
        case .grace: "the time of grace is not over"
        case .revoked: "its approval was taken back"
        }
    }
}
