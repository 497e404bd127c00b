/// What stays with an entry though it is renamed, as text: entryUUID as it is, objectGUID in the same form.
package enum EntryAnchor {
    /// objectGUID holds its first three groups with the least byte first (MS-DTYP 2.3.4.2).
    private static let order = [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15]

    /// - Returns: nil where the entry shows no anchor.
    package static func text(of entry: EntryPage.Entry, _ root: RootEntry) -> String? {
        guard let bytes = entry.first(root.anchorAttribute) else { return nil }
        return root.kind == .activeDirectory ? text(guid: bytes) : String(decoding: bytes, as: UTF8.self)
    }

    /// `f81d4fae-7dec-11d0-a765-00a0c91e6bf6`; nil for what has not 16 bytes.
    package static func text(guid bytes: ArraySlice<UInt8>) -> String? {
        guard bytes.count == 16 else { return nil }
        let digits = Array("0123456789abcdef".utf8)
        var text: [UInt8] = []
        for (place, from) in order.enumerated() {
            if [4, 6, 8, 10].contains(place) { text.append(UInt8(ascii: "-")) }
            let byte = bytes[bytes.startIndex + from]
            text += [digits[Int(byte >> 4)], digits[Int(byte & 15)]]
        }
        return String(decoding: text, as: UTF8.self)
    }

    /// Finds the entry, wherever it is.
    package static func filter(_ anchor: String, _ root: RootEntry) -> DirectoryFilter {
        guard root.kind == .activeDirectory, let guid = guid(anchor) else {
            return .equal(root.anchorAttribute, anchor)
        }
        // Every byte escaped: what is a letter may be part of a number.
        let hexadecimal = guid.flatMap { NameText.hexadecimal($0) }
        return DirectoryFilter(written: "(\(root.anchorAttribute)=\(String(decoding: hexadecimal, as: UTF8.self)))")
    }

    private static func guid(_ text: String) -> [UInt8]? {
        let nibbles = text.utf8.filter { $0 != UInt8(ascii: "-") }.map { NameText.nibble($0) }
        guard nibbles.count == 32 else { return nil }
        var bytes = [UInt8](repeating: 0, count: 16)
        for place in 0..<16 {
            guard let high = nibbles[2 * place], let low = nibbles[2 * place + 1] else { return nil }
            bytes[order[place]] = high << 4 | low
        }
        return bytes
    }
}
