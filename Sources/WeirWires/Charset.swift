/// The character sets that feeds come in. Everything inside of Weir is UTF-8.
package enum Charset: Sendable, Hashable {
    case utf8
    /// Also what calls itself Latin-1 or ASCII: the web has agreed to read all three so.
    case windows1252
    case utf16LittleEndian, utf16BigEndian

    /// By one of its names (WHATWG Encoding Standard, section 4.2), in any case.
    /// - Returns: `nil` for one that is not among them.
    package init?(label: some StringProtocol) {
        switch label.lowercased() {
        case "utf-8", "utf8", "unicode-1-1-utf-8": self = .utf8
        case "windows-1252", "cp1252", "x-cp1252", "iso-8859-1", "iso8859-1", "iso_8859-1", "latin1", "l1", "us-ascii",
            "ascii":
            self = .windows1252
        // Without a byte order mark the web reads it little-endian.
        case "utf-16", "utf-16le": self = .utf16LittleEndian
        case "utf-16be": self = .utf16BigEndian
        default: return nil
        }
    }

    /// The parameter of a `Content-Type`: `text/csv; charset="utf-8"`.
    /// - Returns: the label as it was written; `nil` where there is none.
    package static func label(inContentType value: String) -> String? {
        for parameter in value.split(separator: ";").dropFirst() {
            let halves = parameter.split(separator: "=", maxSplits: 1)
            guard halves.count == 2, halves[0].filter({ $0 != " " }).lowercased() == "charset" else { continue }
            let label = halves[1].filter { $0 != " " && $0 != "\"" && $0 != "'" }
            return label.isEmpty ? nil : label
        }
        return nil
    }

    /// The `encoding` of an XML declaration at the very beginning of a text.
    static func label(inXML bytes: UnsafeRawBufferPointer) -> String? {
        guard bytes.starts(with: "<?xml".utf8), let end = bytes.firstIndex(of: UInt8(ascii: ">")) else { return nil }
        let declaration = String(decoding: bytes[..<end], as: UTF8.self)
        guard let match = declaration.firstMatch(of: /\sencoding\s*=\s*["']([A-Za-z0-9._:-]+)["']/) else { return nil }
        return String(match.1)
    }
}
