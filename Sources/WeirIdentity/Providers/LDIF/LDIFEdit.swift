import WeirDirectory
import WeirStore
import WeirWorld

/// Carries one change out on an LDIF file. Runs on the silo's thread.
struct LDIFEdit {
    let silo: LDIFSilo
    let part: LDIFSilo.Part

    /// What is to become of the file.
    private enum Step {
        case done(WriteAnswer)
        case write([UInt8], anchor: String)

        static func refused(_ code: String, _ text: String) -> Step { .done(.refused(code: code, text: text)) }
    }

    /// - Throws: `ScanFailure` or `LDIFReader.Trouble` where the file cannot be read.
    func carryOut(_ change: Change, _ secrets: [String: String]) throws -> WriteAnswer {
        for _ in 0..<5 {
            let directory = try LDIFDirectory(silo)
            switch step(change, secrets, directory) {
            case .done(let answer): return answer
            case .write(let bytes, let anchor):
                // Somebody else may have put another file there meanwhile: then the change is made on that one.
                guard try silo.file.status() == directory.status else { continue }
                do {
                    try AtomicFile(path: silo.path, files: silo.world.files).write(bytes)
                } catch {
                    return .failed(code: error.code, text: "\(error)")
                }
                return .written(anchor: anchor)
            }
        }
        return .failed(code: "torn", text: "\(silo.path) is written by somebody else all the time")
    }

    private func step(_ change: Change, _ secrets: [String: String], _ directory: LDIFDirectory) -> Step {
        let found = directory.entry(anchor: change.anchor, name: change.name)
        switch change.operation {
        case .create: return create(change, secrets, directory)
        case .modify, .rename:
            guard let found else { return .refused("no_such_object", "'\(change.name)' is not there") }
            return modify(found, change, secrets, directory)
        case .delete:
            guard let found, let name = try? DistinguishedName(found.name) else {
                return .done(.alreadySo(anchor: change.anchor))
            }
            guard directory.below(name).isEmpty else {
                return .refused("not_allowed_on_non_leaf", "'\(found.name)' has entries below it")
            }
            return .write(directory.replacing([(found.range, nil)]), anchor: LDIFRows.anchor(found))
        case .event: return .refused("not_supported", "a silo takes no events")
        }
    }

    private func create(_ change: Change, _ secrets: [String: String], _ directory: LDIFDirectory) -> Step {
        let name: DistinguishedName
        do { name = try DistinguishedName(change.name) } catch {
            return .refused("invalid_name", "'\(change.name)' is no name of an entry: \(error)")
        }
        var entry = LDIFEntry(name: change.name, lines: [])
        apply(change, secrets, to: &entry)
        for part in name.leaf?.parts ?? [] { add(part, to: &entry) }
        if let there = directory.entry(anchor: nil, name: change.name) {
            return holds(there, entry)
                ? .done(.alreadySo(anchor: LDIFRows.anchor(there)))
                : .refused("exists", "'\(change.name)' is there and is another entry")
        }
        guard let parent = name.parent, parent == part.base || directory.has(parent) else {
            return .refused("no_such_parent", "what '\(change.name)' shall stand below is not there")
        }
        guard LDIFRows.isObject(entry, of: part) else {
            return .refused(
                "not_of_type",
                "'\(change.name)' would not be one of \(change.target): that is below '\(part.base)'"
                    + (part.objectClass.map { " and has the object class '\($0)'" } ?? ""))
        }
        if let refusal = lastMember(entry) { return refusal }
        if entry.values("entryuuid").isEmpty {
            entry.lines.append(LDIFEntry.Line(attribute: "entryUUID", value: Array(freshID().utf8)))
        }
        return .write(directory.appending(entry), anchor: LDIFRows.anchor(entry))
    }

    private func modify(
        _ found: LDIFEntry, _ change: Change, _ secrets: [String: String], _ directory: LDIFDirectory
    ) -> Step {
        var entry = found
        apply(change, secrets, to: &entry)
        var moved: [(range: Range<Int>, entry: LDIFEntry?)] = []
        if let newName = change.newName {
            guard let old = try? DistinguishedName(found.name), let new = try? DistinguishedName(newName) else {
                return .refused("invalid_name", "'\(newName)' is no name of an entry")
            }
            if old != new {
                guard !directory.has(new) else {
                    return .refused("exists", "'\(newName)' is there and is another entry")
                }
                guard let parent = new.parent, parent == part.base || directory.has(parent), !new.isWithin(old) else {
                    return .refused("no_such_parent", "what '\(newName)' shall stand below is not there")
                }
                for part in old.leaf?.parts ?? [] { remove(part, from: &entry) }
                for below in directory.below(old) {
                    guard let name = try? DistinguishedName(below.name) else { continue }
                    var below = below
                    let own = name.relatives.dropLast(old.relatives.count)
                    below.name = DistinguishedName(Array(own) + new.relatives).description
                    moved.append((below.range, below))
                }
            }
            for part in new.leaf?.parts ?? [] { add(part, to: &entry) }
            entry.name = newName
        }
        if entry == found { return .done(.alreadySo(anchor: LDIFRows.anchor(found))) }
        if let refusal = lastMember(entry) { return refusal }
        return .write(directory.replacing([(found.range, entry)] + moved), anchor: LDIFRows.anchor(entry))
    }

    // MARK: Values

    /// Names of other entries are one and the same in any spelling; everything else is compared as it stands.
    private func key(_ attribute: String, _ text: String) -> String {
        ObjectSchema.directory.references.contains(attribute) ? DistinguishedName.key(of: text) : text
    }

    private func apply(_ change: Change, _ secrets: [String: String], to entry: inout LDIFEntry) {
        for edit in change.edits {
            let adds = secrets[edit.attribute].map { [$0] } ?? edit.adds
            let wanted = Set(adds.map { key(edit.attribute, $0) })
            let unwanted = Set(edit.removes.map { key(edit.attribute, $0) })
            // New values stand where the old ones stood: who compares two versions of the file sees the change alone.
            let first = entry.lines.firstIndex { $0.attribute.lowercased() == edit.attribute }
            let written = first.map { entry.lines[$0].attribute } ?? Self.spelling[edit.attribute] ?? edit.attribute
            var kept: Set<String> = []
            entry.lines.removeAll { line in
                guard line.attribute.lowercased() == edit.attribute else { return false }
                let value = key(edit.attribute, line.text)
                let stays = wanted.contains(value) || (!edit.isReplaced && !unwanted.contains(value))
                if stays { kept.insert(value) }
                return !stays
            }
            let last = entry.lines.lastIndex { $0.attribute.lowercased() == edit.attribute }
            let new = adds.filter { kept.insert(key(edit.attribute, $0)).inserted }
            entry.lines.insert(
                contentsOf: new.map { LDIFEntry.Line(attribute: written, value: Array($0.utf8)) },
                at: last.map { $0 + 1 } ?? first ?? entry.lines.count)
        }
    }

    private func add(_ part: DistinguishedName.Part, to entry: inout LDIFEntry) {
        guard !entry.values(part.type.lowercased()).contains(where: { $0.lowercased() == part.value.lowercased() })
        else { return }
        entry.lines.append(LDIFEntry.Line(attribute: part.type, value: Array(part.value.utf8)))
    }

    private func remove(_ part: DistinguishedName.Part, from entry: inout LDIFEntry) {
        entry.lines.removeAll {
            $0.attribute.lowercased() == part.type.lowercased() && $0.text.lowercased() == part.value.lowercased()
        }
    }

    /// Whether an entry that is there has all that was wanted.
    private func holds(_ there: LDIFEntry, _ wanted: LDIFEntry) -> Bool {
        wanted.attributes.allSatisfy { attribute, values in
            Set(values.map { key(attribute, $0) }).isSubset(of: there.values(attribute).map { key(attribute, $0) })
        }
    }

    /// `groupOfNames` and `groupOfUniqueNames` must have a member (RFC 4519): a file that breaks this is loaded by no
    /// directory.
    private func lastMember(_ entry: LDIFEntry) -> Step? {
        let classes = Set(entry.values("objectclass").map { $0.lowercased() })
        for (name, attribute) in [("groupofnames", "member"), ("groupofuniquenames", "uniquemember")]
        where classes.contains(name) && entry.values(attribute).isEmpty {
            return .refused("last_member", "'\(entry.name)' would lose its last member, and \(name) must have one")
        }
        return nil
    }

    /// Version 4 of RFC 9562.
    private func freshID() -> String {
        let (high, low) = (silo.world.random.next(), silo.world.random.next())
        var hex = Array(Self.hex(high) + Self.hex(low))
        hex[12] = "4"
        hex[16] = ["8", "9", "a", "b"][Int(low >> 62)]
        for place in [20, 16, 12, 8] { hex.insert("-", at: place) }
        return String(hex)
    }

    private static func hex(_ number: UInt64) -> String {
        let digits = String(number, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }

    /// How the usual attributes are written; others in lower case.
    private static let spelling: [String: String] = [
        "objectclass": "objectClass", "givenname": "givenName", "employeenumber": "employeeNumber",
        "employeetype": "employeeType", "displayname": "displayName", "telephonenumber": "telephoneNumber",
        "departmentnumber": "departmentNumber", "userpassword": "userPassword", "uniquemember": "uniqueMember",
        "uidnumber": "uidNumber", "gidnumber": "gidNumber", "homedirectory": "homeDirectory",
        "loginshell": "loginShell", "businesscategory": "businessCategory", "roomnumber": "roomNumber",
        "preferredlanguage": "preferredLanguage", "postaladdress": "postalAddress", "postalcode": "postalCode",
        "seealso": "seeAlso", "memberuid": "memberUid",
    ]
}
