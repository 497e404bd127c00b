internal import Foundation
import WeirDirectory

/// Makes records of entries: bytes stay bytes, attribute by attribute, without a `String` in between.
struct LDAPRecordMaker {
    private enum Treatment {
        case text
        /// What is not UTF-8 becomes base64.
        case leaveOut
        case guid
        case sid
    }

    /// AD: change with every login or on each server by itself, and mean nothing to a rule.
    private static let restless: Set<String> = [
        "usnchanged", "usncreated", "whenchanged", "lastlogon", "lastlogoff", "logoncount", "badpwdcount",
        "badpasswordtime", "dscorepropagationdata",
    ]

    private let root: RootEntry
    private let wanted: Set<String>
    private let anchor: String
    private let mark: String
    /// By the name as the server writes it.
    private var treatments: [ArraySlice<UInt8>: Treatment] = [:]
    private var builder = RecordBuilder()
    /// The highest value of the attribute that says when an entry changed.
    private(set) var newest: [UInt8] = []

    init(_ layout: LDAPProvider.Layout, _ root: RootEntry) {
        self.root = root
        wanted = Set(layout.attributes)
        anchor = root.anchorAttribute.lowercased()
        mark = DirectoryMark.attribute(of: root).lowercased()
    }

    private mutating func treatment(of name: ArraySlice<UInt8>) -> Treatment {
        if let known = treatments[name] { return known }
        let text = String(decoding: name, as: UTF8.self).lowercased()
        let isWanted = wanted.contains(text)
        let treatment: Treatment
        if !isWanted, text == anchor || text == mark || Self.restless.contains(text) {
            treatment = .leaveOut
        } else if text == "objectguid" || text == "ms-ds-consistencyguid" {
            treatment = .guid
        } else if text == "objectsid" {
            treatment = .sid
        } else {
            treatment = .text
        }
        // The key must not hold on to the page that the name came in.
        treatments[ArraySlice(Array(name))] = treatment
        return treatment
    }

    /// - Returns: why the entry cannot be a record; nil when it is one.
    mutating func append(_ entry: EntryPage.Entry, to batch: inout RecordBatch) -> String? {
        guard let bytes = entry.first(root.anchorAttribute) else {
            return "it has no \(root.anchorAttribute), or the account may not read it"
        }
        if root.kind == .activeDirectory {
            guard let guid = EntryAnchor.text(guid: bytes) else { return "its objectGUID has not 16 bytes" }
            builder.begin(anchor: guid.utf8, name: entry.nameBytes)
        } else {
            builder.begin(anchor: bytes, name: entry.nameBytes)
        }
        for place in 0..<entry.attributeCount {
            let attribute = entry.attribute(place)
            let name = attribute.nameBytes
            if attribute.isNamed(mark), attribute.count > 0 { see(attribute.value(0)) }
            switch treatment(of: name) {
            case .leaveOut: break
            case .text:
                for at in 0..<attribute.count {
                    let value = attribute.value(at)
                    if Self.isText(value) {
                        builder.add(name, value)
                    } else {
                        builder.add(name, Self.base64(value).utf8)
                    }
                }
            case .guid:
                for at in 0..<attribute.count {
                    builder.add(name, (EntryAnchor.text(guid: attribute.value(at)) ?? "").utf8)
                }
            case .sid:
                for at in 0..<attribute.count { builder.add(name, Self.sid(attribute.value(at)).utf8) }
            }
        }
        do throws(RecordRefusal) {
            try builder.finish(into: &batch)
            return nil
        } catch {
            return error.reason
        }
    }

    mutating func object(_ entry: EntryPage.Entry, _ kind: ObjectKind) -> SiloObject? {
        var batch = RecordBatch()
        guard append(entry, to: &batch) == nil else { return nil }
        return batch.object(0, kind: kind)
    }

    private mutating func see(_ value: ArraySlice<UInt8>) {
        if newest.lexicographicallyPrecedes(value) { newest = Array(value) }
    }

    private static func isText(_ value: ArraySlice<UInt8>) -> Bool {
        value.withUnsafeBytes { bytes in
            bytes.allSatisfy { $0 < 0x80 && $0 != 0 }
                || (!bytes.contains(0) && String(validating: bytes, as: UTF8.self) != nil)
        }
    }

    private static func base64(_ value: ArraySlice<UInt8>) -> String { Data(value).base64EncodedString() }

    /// `S-1-5-21-…` (MS-DTYP 2.4.2.1).
    private static func sid(_ value: ArraySlice<UInt8>) -> String {
        let bytes = Array(value)
        guard bytes.count >= 8, bytes.count == 8 + 4 * Int(bytes[1]) else { return base64(value) }
        let authority = bytes[2..<8].reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        let parts = (0..<Int(bytes[1])).map { part in
            (0..<4).reduce(UInt32(0)) { $0 | UInt32(bytes[8 + 4 * part + $1]) << (8 * UInt32($1)) }
        }
        return "S-\(bytes[0])-\(authority)" + parts.map { "-\($0)" }.joined()
    }
}
