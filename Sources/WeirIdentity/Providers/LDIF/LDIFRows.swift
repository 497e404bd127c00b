import WeirDirectory

/// The entries of an LDIF file that are objects of one type, as records batch by batch. A value, so that it can be
/// handed to another thread between two batches.
struct LDIFRows: Sendable {
    private var reader: LDIFReader
    private let part: LDIFSilo.Part
    private let place: String
    private var builder = RecordBuilder()
    /// In which line each anchor and each name was.
    private var lines: [String: Int] = [:]
    private(set) var refused: [RefusedRow] = []

    init(_ reader: LDIFReader, _ part: LDIFSilo.Part, place: String) {
        self.reader = reader
        self.part = part
        self.place = place
    }

    /// What identifies it for ever: its entryUUID, or without one its name, in the spelling that equal names share.
    static func anchor(_ entry: LDIFEntry) -> String {
        entry.values("entryuuid").first?.lowercased() ?? DistinguishedName.key(of: entry.name)
    }

    static func isObject(_ entry: LDIFEntry, of part: LDIFSilo.Part) -> Bool {
        guard let name = try? DistinguishedName(entry.name), name.isWithin(part.base), name != part.base else {
            return false
        }
        guard let wanted = part.objectClass else { return true }
        return entry.values("objectclass").contains { $0.lowercased() == wanted }
    }

    /// The next objects; empty at the end.
    /// - Throws: `LDIFReader.Trouble` where the rest of the file cannot be trusted.
    mutating func batch() throws(LDIFReader.Trouble) -> RecordBatch {
        var batch = RecordBatch()
        while batch.bytes.count < RecordBatch.bytesWanted, let entry = try reader.next() { take(entry, &batch) }
        return batch
    }

    private mutating func take(_ entry: LDIFEntry, _ batch: inout RecordBatch) {
        do {
            _ = try DistinguishedName(entry.name)
        } catch {
            return refuse(entry, "its name is none: \(error)")
        }
        guard Self.isObject(entry, of: part) else { return }
        let anchor = Self.anchor(entry)
        for key in Set([anchor, DistinguishedName.key(of: entry.name)]).sorted() {
            if let line = lines[key] { return refuse(entry, "its name or entryUUID is that of line \(line)") }
        }
        lines[anchor] = entry.line
        lines[DistinguishedName.key(of: entry.name)] = entry.line
        builder.begin(anchor: anchor, name: entry.name)
        for line in entry.lines where !line.value.isEmpty { builder.add(line.attribute, line.text) }
        do {
            try builder.finish(into: &batch)
        } catch {
            refuse(entry, error.reason)
        }
    }

    private mutating func refuse(_ entry: LDIFEntry, _ reason: String) {
        if refused.count < 1_000 { refused.append(RefusedRow(place: "\(place):\(entry.line)", reason: reason)) }
    }
}
