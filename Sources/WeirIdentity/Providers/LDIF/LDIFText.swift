import FoundationEssentials

/// How values stand in LDIF (RFC 2849), and how entries are written.
enum LDIFText {
    /// Longest line that is written, without its end; what is longer goes on in the next line behind a space.
    static let widthMost = 76

    /// What cannot be text is base64, as everywhere in records.
    static func text(_ value: [UInt8]) -> String {
        String(validating: value, as: UTF8.self) ?? Data(value).base64EncodedString()
    }

    static func decoded(base64 text: some Collection<UInt8>) -> [UInt8]? {
        Data(base64Encoded: Data(text)).map { Array($0) }
    }

    /// Whether a value may stand behind one colon (`SAFE-STRING`, RFC 2849; a space at its end is kept by base64).
    static func isSafe(_ value: [UInt8]) -> Bool {
        guard let first = value.first else { return true }
        let isStart = first != UInt8(ascii: " ") && first != UInt8(ascii: ":") && first != UInt8(ascii: "<")
        return isStart && value.last != UInt8(ascii: " ")
            && value.allSatisfy { $0 != 0 && $0 != 10 && $0 != 13 && $0 < 0x80 }
    }

    /// The entry's lines, each ended, without a blank line after them.
    static func bytes(_ entry: LDIFEntry) -> [UInt8] {
        var bytes: [UInt8] = []
        append("dn", Array(entry.name.utf8), &bytes)
        for line in entry.lines { append(line.attribute, line.value, &bytes) }
        return bytes
    }

    private static func append(_ attribute: String, _ value: [UInt8], _ bytes: inout [UInt8]) {
        var line = Array(attribute.utf8)
        if isSafe(value) {
            line += value.isEmpty ? Array(":".utf8) : Array(": ".utf8) + value
        } else {
            line += Array(":: ".utf8) + Array(Data(value).base64EncodedString().utf8)
        }
        var at = 0
        while true {
            // A continued line has one byte less, because it begins with a space.
            let width = at == 0 ? widthMost : widthMost - 1
            let end = min(line.count, at + width)
            bytes += line[at..<end]
            bytes.append(10)
            at = end
            if at == line.count { return }
            bytes.append(UInt8(ascii: " "))
        }
    }
}
