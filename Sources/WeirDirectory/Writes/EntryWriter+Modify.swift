import Logging
import WeirWorld

extension EntryWriter {
    static let rounds = 3

    /// Makes the edits so, all in one request.
    package func modify(_ target: Target, _ edits: [Edit]) async throws(DirectoryWriteProblem) -> Outcome {
        try await inTurn(target.name) { (root) async throws(DirectoryWriteProblem) in
            try await modifyInTurn(target, edits, root)
        }
    }

    private func modifyInTurn(
        _ target: Target, _ edits: [Edit], _ root: RootEntry
    ) async throws(DirectoryWriteProblem) -> Outcome {
        let attributes = edits.map(\.attribute)
        var asked: [DirectoryModification] = []
        var last: DirectoryAnswer?
        for round in 0..<Self.rounds {
            guard let entry = try await find(target, attributes, root) else {
                throw .refused(.noSuchObject, text: "\(target.name) is not there")
            }
            let anchor = EntryAnchor.text(of: entry, root)
            let needed = try await missing(edits, entry, asksServer: last?.code == .success ? false : last != nil)
            if let last, last.code != .assertionFailed {
                let isSo = needed != asked
                pool.counters.benign(isVerified: isSo)
                guard isSo else { throw .refused(last.code, text: last.diagnostic) }
                pool.world.log.info(
                    "values were already as they should be",
                    metadata: ["entry": "\(entry.name)", "ldap.code": "\(last.code.number)"])
            }
            if needed.isEmpty { return .alreadySo(anchor: anchor) }
            asked = needed
            let answer = try await send(needed, entry, attributes, root, asserts: round < Self.rounds - 1)
            switch meaning(answer.code, needed, root.kind) {
            case .done:
                try await verify(edits, answer.after, entry.name)
                return .written(anchor: anchor)
            case .outdated, .perhapsSo: last = answer
            case .passing, .refused: throw .refused(answer.code, text: answer.diagnostic)
            }
        }
        throw .refused(last?.code ?? .other, text: last?.diagnostic ?? "")
    }

    private func send(
        _ needed: [DirectoryModification], _ entry: EntryPage.Entry, _ attributes: [String], _ root: RootEntry,
        asserts: Bool
    ) async throws(DirectoryWriteProblem) -> DirectoryAnswer {
        var controls: [DirectoryControl] = []
        if root.readsAfter { controls.append(.postRead(attributes)) }
        // What was compared is what is changed: a value that somebody else wrote in between is not overwritten unseen.
        if asserts, root.asserts, let version = entry.text(root.versionAttribute) {
            controls.append(.assert(root.versionAttribute, is: version))
        }
        return try await pool.write(.modify(name: entry.name, needed), controls)
    }

    private func meaning(_ code: ResultCode, _ needed: [DirectoryModification], _ kind: ServerKind) -> CodeMeaning {
        let meanings = needed.map { one in
            switch one.kind {
            case .add: CodeMeaning(code, to: .addValues, on: kind)
            case .delete: CodeMeaning(code, to: .deleteValues, on: kind)
            case .replace: CodeMeaning(code, to: .replaceValues, on: kind)
            }
        }
        return meanings.first { $0 == .perhapsSo } ?? meanings.first ?? .refused
    }

    /// What must still be sent.
    /// - Parameter asksServer: values that stand there in another spelling are so, too.
    private func missing(
        _ edits: [Edit], _ entry: EntryPage.Entry, asksServer: Bool
    ) async throws(DirectoryWriteProblem) -> [DirectoryModification] {
        var needed: [DirectoryModification] = []
        for edit in edits {
            let now = Set(entry.values(edit.attribute))
            if edit.isReplaced {
                if edit.isHidden || now != Set(edit.adds) {
                    needed.append(DirectoryModification(.replace, edit.attribute, edit.adds))
                }
                continue
            }
            var adds = edit.isHidden ? edit.adds : edit.adds.filter { !now.contains($0) }
            var removes = edit.isHidden ? edit.removes : edit.removes
            if asksServer {
                adds = try await kept(adds, edit, entry.name, where: false)
                removes = try await kept(removes, edit, entry.name, where: true)
            } else if !edit.isHidden, now.isEmpty {
                removes = []
            }
            // Removes first: the other way round a single-valued attribute would hold two for a moment.
            if !removes.isEmpty { needed.append(DirectoryModification(.delete, edit.attribute, removes)) }
            if !adds.isEmpty { needed.append(DirectoryModification(.add, edit.attribute, adds)) }
        }
        return needed
    }

    private func kept(
        _ values: [[UInt8]], _ edit: Edit, _ name: String, where isThere: Bool
    ) async throws(DirectoryWriteProblem) -> [[UInt8]] {
        guard !edit.isHidden else { return values }
        var kept: [[UInt8]] = []
        for value in values where try await holds(name, edit.attribute, value) == isThere { kept.append(value) }
        return kept
    }

    func holds(_ name: String, _ attribute: String, _ value: [UInt8]) async throws(DirectoryWriteProblem) -> Bool {
        let answer = try await pool.look(.init(base: name, filter: .equal(attribute, value), attributes: ["1.1"]))
        guard answer.scanProblem == nil else { throw .refused(answer.code, text: answer.diagnostic) }
        return !answer.page.isEmpty
    }

    /// The entry after the change is as the edits want it.
    private func verify(
        _ edits: [Edit], _ after: EntryPage.Entry?, _ name: String
    ) async throws(DirectoryWriteProblem) {
        let seen = edits.filter { !$0.isHidden }
        guard !seen.isEmpty else { return }
        var entry = after
        if entry == nil { entry = try await pool.entry(name, seen.map(\.attribute)) }
        guard let entry else { throw .refused(.noSuchObject, text: "\(name) has gone meanwhile") }
        for edit in seen {
            let now = Set(entry.values(edit.attribute))
            if edit.isReplaced, now == Set(edit.adds) { continue }
            guard !edit.isReplaced || now.count == Set(edit.adds).count else { throw unverified(name, edit) }
            // The server may write a value in its own way: then it says itself whether it is the same.
            for value in edit.adds where !now.contains(value) {
                guard try await holds(name, edit.attribute, value) else { throw unverified(name, edit) }
            }
            for value in edit.removes where !edit.isReplaced && now.contains(value) { throw unverified(name, edit) }
        }
    }

    private func unverified(_ name: String, _ edit: Edit) -> DirectoryWriteProblem {
        .conflict(
            code: "not_verified",
            text: "\(name): the server took the change of \(edit.attribute), and the entry does not show it")
    }
}

extension EntryPage.Entry {
    func values(_ attribute: String) -> [[UInt8]] {
        guard let found = self.attribute(attribute) else { return [] }
        return (0..<found.count).map { Array(found.value($0)) }
    }
}
