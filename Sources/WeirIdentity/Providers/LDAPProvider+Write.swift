internal import Foundation
import WeirDirectory

extension LDAPProvider {
    /// Attributes whose values are written one by one, in batches, however many there are.
    private static let groups: Set<String> = ["member", "uniquemember", "memberuid"]

    /// Attributes that nobody can read back.
    private static let hidden: Set<String> = ["unicodepwd", "userpassword"]

    /// Attributes that are read as base64, and written from it.
    private static let binary: Set<String> = [
        "jpegphoto", "thumbnailphoto", "thumbnaillogo", "photo", "audio", "usercertificate", "usercertificate;binary",
        "cacertificate", "cacertificate;binary", "usersmimecertificate",
    ]

    package func write(_ change: Change, secrets: [String: String]) async -> WriteAnswer {
        guard abilities.writes else { return .refused(code: "read_only", text: "\(silo) is read only") }
        guard let layout = layouts[change.target.type] else {
            return .refused(code: "no_such_type", text: "\(silo) has no type \(change.target.type)")
        }
        do throws(DirectoryWriteProblem) {
            let writer = EntryWriter(pool, base: layout.base)
            return switch change.operation {
            case .create: try await create(change, secrets, writer).answer
            case .modify:
                try await edit(change, .init(change.name, anchor: change.anchor), change.edits, secrets, writer)
            case .rename: try await rename(change, secrets, writer)
            case .delete: try await writer.delete(.init(change.name, anchor: change.anchor)).answer
            case .event: .refused(code: "not_supported", text: "a directory takes no events")
            }
        } catch {
            return error.answer
        }
    }

    private func create(
        _ change: Change, _ secrets: [String: String], _ writer: EntryWriter
    ) async throws(DirectoryWriteProblem) -> EntryWriter.Outcome {
        let name: DistinguishedName
        do throws(NameProblem) { name = try DistinguishedName(change.name) } catch {
            throw .conflict(code: "bad_name", text: "\(change.name): \(error)")
        }
        var attributes: [DirectoryValues] = []
        for edit in change.edits {
            let values = try bytes(edit.adds, edit.attribute, secrets)
            if !values.isEmpty { attributes.append(DirectoryValues(edit.attribute, values)) }
        }
        // The values of the name are values of the entry (X.501 9.3); a rule need not say them twice.
        for part in name.leaf?.parts ?? [] {
            let type = part.type.lowercased()
            let value = Array(part.value.utf8)
            if let place = attributes.firstIndex(where: { $0.attribute == type }) {
                let isThere = attributes[place].values.contains {
                    NameText.key(value: String(decoding: $0, as: UTF8.self))
                        == NameText.key(value: part.value)
                }
                if !isThere { attributes[place].values.append(value) }
            } else {
                attributes.append(DirectoryValues(type, [value]))
            }
        }
        return try await writer.add(change.name, attributes, hidden: Self.hidden.union(secrets.keys))
    }

    private func rename(
        _ change: Change, _ secrets: [String: String], _ writer: EntryWriter
    ) async throws(DirectoryWriteProblem) -> WriteAnswer {
        guard let newName = change.newName else {
            throw .conflict(code: "bad_name", text: "a rename of \(change.name) to nothing")
        }
        let renamed = try await writer.rename(.init(change.name, anchor: change.anchor), to: newName)
        guard !change.edits.isEmpty else { return renamed.answer }
        let edited = try await edit(change, .init(newName, anchor: change.anchor), change.edits, secrets, writer)
        if case .alreadySo = edited { return renamed.answer }
        return edited
    }

    /// The values of groups in batches, all else in one request.
    private func edit(
        _ change: Change, _ target: EntryWriter.Target, _ edits: [Change.Edit], _ secrets: [String: String],
        _ writer: EntryWriter
    ) async throws(DirectoryWriteProblem) -> WriteAnswer {
        var plain: [EntryWriter.Edit] = []
        var members: [Change.Edit] = []
        for edit in edits {
            if Self.groups.contains(edit.attribute), !edit.isReplaced {
                members.append(edit)
            } else {
                plain.append(
                    EntryWriter.Edit(
                        edit.attribute, adds: try bytes(edit.adds, edit.attribute, secrets),
                        removes: edit.isReplaced ? [] : try bytes(edit.removes, edit.attribute, secrets),
                        isReplaced: edit.isReplaced,
                        isHidden: Self.hidden.contains(edit.attribute) || secrets[edit.attribute] != nil))
            }
        }
        var isWritten = false
        var anchor = target.anchor
        if !plain.isEmpty {
            let outcome = try await writer.modify(target, plain)
            if case .written = outcome { isWritten = true }
            anchor = anchor ?? outcome.anchor
        }
        for edit in members {
            let name = try await currentName(target, writer)
            let outcome = try await converge(edit, name)
            if outcome.added + outcome.deleted > 0 || outcome.isGroupDeleted { isWritten = true }
            if let first = outcome.refused.first {
                return .refused(
                    code: "ldap_\(first.code.number)",
                    text: "\(outcome.refused.count) of \(edit.adds.count + edit.removes.count) values of "
                        + "\(edit.attribute) are refused, the others written; the first: \(first.value): "
                        + "\(first.code) \(first.text)")
            }
        }
        return isWritten ? .written(anchor: anchor) : .alreadySo(anchor: anchor)
    }

    /// Where the group is now; its name where it is not, so that the writer of members says what that means.
    private func currentName(
        _ target: EntryWriter.Target, _ writer: EntryWriter
    ) async throws(DirectoryWriteProblem) -> String {
        guard target.anchor != nil else { return target.name }
        return try await writer.find(target, ["1.1"], try await rootEntry())?.name ?? target.name
    }

    private func converge(
        _ edit: Change.Edit, _ group: String
    ) async throws(DirectoryWriteProblem) -> MembershipWriter.Outcome {
        var settings = membership
        settings.attribute = edit.attribute
        settings.comparison = edit.attribute == "memberuid" ? .exact : .names
        return try await MembershipWriter(pool, settings).converge(group, adds: edit.adds, deletes: edit.removes)
    }

    /// Values as the server wants them.
    private func bytes(
        _ values: [String], _ attribute: String, _ secrets: [String: String]
    ) throws(DirectoryWriteProblem) -> [[UInt8]] {
        var made: [[UInt8]] = []
        for value in values {
            let isSecret = value == Change.secretMark
            guard let text = isSecret ? secrets[attribute] : value else {
                throw .conflict(code: "no_secret", text: "the value of \(attribute) is not known any more")
            }
            if attribute == "unicodepwd" {
                // AD: the password in quotes, as UTF-16 with the lesser byte first (MS-ADTS 3.1.1.3.1.5.1).
                made.append("\"\(text)\"".utf16.flatMap { [UInt8($0 & 0xFF), UInt8($0 >> 8)] })
            } else if Self.binary.contains(attribute), let decoded = Data(base64Encoded: text) {
                made.append([UInt8](decoded))
            } else {
                made.append(Array(text.utf8))
            }
        }
        return made
    }
}

extension EntryWriter.Outcome {
    var anchor: String? {
        switch self {
        case .written(let anchor), .alreadySo(let anchor): anchor
        }
    }

    var answer: WriteAnswer {
        switch self {
        case .written(let anchor): .written(anchor: anchor)
        case .alreadySo(let anchor): .alreadySo(anchor: anchor)
        }
    }
}

extension DirectoryWriteProblem {
    var answer: WriteAnswer {
        switch self {
        case .failure(_, isUncertain: true): .unknown(code: code, text: text)
        case .failure(let failure, _) where failure.isPassing: .failed(code: code, text: text)
        case .refused(let answer, _) where answer.isPassing || answer == .assertionFailed:
            .failed(code: code, text: text)
        case .conflict(code: "not_verified", _): .unknown(code: code, text: text)
        case .failure, .refused, .conflict: .refused(code: code, text: text)
        }
    }
}
