import WeirDirectory
import WeirWorld

/// The whole of an LDIF file in memory, for reading and changing single entries of it. Made on the silo's thread.
struct LDIFDirectory {
    let bytes: [UInt8]
    let status: FileStatus
    private(set) var entries: [LDIFEntry] = []
    /// Where in `entries`, by the key of the name.
    private var places: [String: Int] = [:]

    /// - Throws: `ScanFailure` or `LDIFReader.Trouble`.
    init(_ silo: LDIFSilo) throws {
        (bytes, status) = try silo.file.read()
        var reader = LDIFReader(bytes)
        while let entry = try reader.next() {
            places[DistinguishedName.key(of: entry.name)] = entries.count
            entries.append(entry)
        }
    }

    /// By anchor where there is one: an object may have been renamed since it was read.
    func entry(anchor: String?, name: String) -> LDIFEntry? {
        guard let anchor else { return places[DistinguishedName.key(of: name)].map { entries[$0] } }
        if let place = places[anchor], LDIFRows.anchor(entries[place]) == anchor { return entries[place] }
        return entries.first { LDIFRows.anchor($0) == anchor }
    }

    func has(_ name: DistinguishedName) -> Bool { places[name.key] != nil }

    /// Entries below it, at any depth.
    func below(_ name: DistinguishedName) -> [LDIFEntry] {
        let end = "," + name.key
        return places.filter { $0.key.hasSuffix(end) }.map { entries[$0.value] }.sorted { $0.line < $1.line }
    }

    /// The file with other entries in the place of some, byte for byte the same elsewhere.
    /// - Parameter replacements: by where the entry stands; nil takes it out.
    func replacing(_ replacements: [(range: Range<Int>, entry: LDIFEntry?)]) -> [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(bytes.count + 1_024)
        var at = 0
        for (range, entry) in replacements.sorted(by: { $0.range.lowerBound < $1.range.lowerBound }) {
            result += bytes[at..<range.lowerBound]
            at = range.upperBound
            if let entry {
                result += LDIFText.bytes(entry)
            } else {
                // With the blank line behind it.
                if bytes[at...].starts(with: [13, 10]) { at += 2 } else if bytes[at...].first == 10 { at += 1 }
            }
        }
        return result + bytes[at...]
    }

    func appending(_ entry: LDIFEntry) -> [UInt8] {
        var result = bytes
        if !result.isEmpty, !result.suffix(2).elementsEqual([10, 10]) { result.append(10) }
        return result + LDIFText.bytes(entry)
    }
}
