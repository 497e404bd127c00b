import Logging
import WeirWorld

extension EntryWriter {
    /// A new entry. One that is there already is compared: it is ours when it has all that is wanted.
    /// - Parameter hidden: attributes that cannot be read (passwords), lower case.
    package func add(
        _ name: String, _ attributes: [DirectoryValues], hidden: Set<String> = []
    ) async throws(DirectoryWriteProblem) -> Outcome {
        try await inTurn(name) { (root) async throws(DirectoryWriteProblem) in
            let controls = root.readsAfter ? [DirectoryControl.postRead([root.anchorAttribute])] : []
            let answer = try await pool.write(.add(name: name, attributes: attributes), controls)
            switch CodeMeaning(answer.code, to: .addEntry, on: root.kind) {
            case .done:
                if let after = answer.after { return .written(anchor: EntryAnchor.text(of: after, root)) }
                let entry = try await pool.entry(name, [root.anchorAttribute])
                return .written(anchor: entry.flatMap { EntryAnchor.text(of: $0, root) })
            case .perhapsSo:
                let wanted = attributes.filter { !hidden.contains($0.attribute.lowercased()) }
                let names = wanted.map(\.attribute) + [root.anchorAttribute]
                guard let entry = try await pool.entry(name, names) else {
                    // AD: another entry has what must be unique (sAMAccountName, userPrincipalName).
                    pool.counters.benign(isVerified: false)
                    throw .refused(answer.code, text: answer.diagnostic)
                }
                let differing = try await different(wanted, entry)
                pool.counters.benign(isVerified: differing.isEmpty)
                guard differing.isEmpty else {
                    throw .conflict(
                        code: "exists_otherwise",
                        text: "\(name) is there already, and differs in \(differing.prefix(5).joined(separator: ", "))")
                }
                log("an entry was already there as it should be", name, answer)
                return .alreadySo(anchor: EntryAnchor.text(of: entry, root))
            case .outdated, .passing, .refused: throw .refused(answer.code, text: answer.diagnostic)
            }
        }
    }

    private func different(
        _ wanted: [DirectoryValues], _ entry: EntryPage.Entry
    ) async throws(DirectoryWriteProblem) -> [String] {
        var differing: [String] = []
        for one in wanted {
            let now = Set(entry.values(one.attribute))
            for value in one.values where !now.contains(value) {
                guard try await holds(entry.name, one.attribute, value) else {
                    differing.append(one.attribute)
                    break
                }
            }
        }
        return differing
    }

    package func delete(_ target: Target) async throws(DirectoryWriteProblem) -> Outcome {
        try await inTurn(target.name) { (root) async throws(DirectoryWriteProblem) in
            guard let entry = try await find(target, ["1.1"], root) else {
                // slapd says "no such entry" of what is in nobody's suffix, too.
                guard isWithinBase(target.name) else {
                    throw .conflict(code: "outside_base", text: "\(target.name) is not below \(base)")
                }
                try await checkBase()
                return .alreadySo(anchor: target.anchor)
            }
            var controls: [DirectoryControl] = []
            // Not another entry that took the name since we looked.
            if root.asserts, let anchor = target.anchor { controls.append(.assert(root.anchorAttribute, is: anchor)) }
            let answer = try await pool.write(.delete(name: entry.name), controls)
            switch CodeMeaning(answer.code, to: .deleteEntry, on: root.kind) {
            case .done: return .written(anchor: target.anchor)
            case .perhapsSo:
                try await checkBase()
                let isGone = try await find(target, ["1.1"], root) == nil
                pool.counters.benign(isVerified: isGone)
                guard isGone else { throw .refused(answer.code, text: answer.diagnostic) }
                log("an entry had already gone", target.name, answer)
                return .alreadySo(anchor: target.anchor)
            case .outdated, .passing, .refused: throw .refused(answer.code, text: answer.diagnostic)
            }
        }
    }

    private func isWithinBase(_ name: String) -> Bool {
        guard let name = try? DistinguishedName(name), let base = try? DistinguishedName(base) else { return false }
        return name.isWithin(base)
    }

    /// A new name, here or below another parent. The old value of the name goes from the entry.
    package func rename(_ target: Target, to newName: String) async throws(DirectoryWriteProblem) -> Outcome {
        let name: DistinguishedName
        do throws(NameProblem) {
            name = try DistinguishedName(newName)
        } catch {
            throw .conflict(code: "bad_name", text: "\(newName): \(error)")
        }
        guard let leaf = name.leaf, let parent = name.parent else {
            throw .conflict(code: "bad_name", text: "an entry cannot have the empty name")
        }
        return try await inTurn(target.name) { (root) async throws(DirectoryWriteProblem) in
            guard let entry = try await find(target, ["1.1"], root) else {
                guard try await isThere(newName, target.anchor, root) else {
                    throw .refused(.noSuchObject, text: "\(target.name) is not there")
                }
                return .alreadySo(anchor: target.anchor)
            }
            let anchor = EntryAnchor.text(of: entry, root)
            let now = try? DistinguishedName(entry.name)
            // Names that only differ in spelling are renamed all the same, where the spelling differs.
            if now?.relatives == name.relatives { return .alreadySo(anchor: anchor) }
            let newParent = now?.parent == parent ? nil : parent.description
            let answer = try await pool.write(.rename(name: entry.name, leaf: leaf.text, newParent: newParent))
            switch CodeMeaning(answer.code, to: .renameEntry, on: root.kind) {
            case .done:
                guard try await isThere(newName, anchor, root) else {
                    throw .conflict(code: "not_verified", text: "\(entry.name) was renamed and is not at \(newName)")
                }
                return .written(anchor: anchor)
            case .perhapsSo:
                let isSo = try await isThere(newName, anchor, root)
                pool.counters.benign(isVerified: isSo)
                guard isSo else {
                    if answer.code == .entryAlreadyExists {
                        throw .conflict(code: "another_entry", text: "another entry has the name \(newName)")
                    }
                    throw .refused(answer.code, text: answer.diagnostic)
                }
                log("an entry already had its new name", newName, answer)
                return .alreadySo(anchor: anchor)
            case .outdated, .passing, .refused: throw .refused(answer.code, text: answer.diagnostic)
            }
        }
    }

    /// Whether the entry with the anchor has the name. Without an anchor nobody can tell one entry from another.
    private func isThere(
        _ name: String, _ anchor: String?, _ root: RootEntry
    ) async throws(DirectoryWriteProblem) -> Bool {
        guard let anchor, let entry = try await pool.entry(name, [root.anchorAttribute]) else { return false }
        return EntryAnchor.text(of: entry, root)?.lowercased() == anchor.lowercased()
    }

    private func log(_ message: StaticString, _ name: String, _ answer: DirectoryAnswer) {
        pool.world.log.info("\(message)", metadata: ["entry": "\(name)", "ldap.code": "\(answer.code.number)"])
    }
}
