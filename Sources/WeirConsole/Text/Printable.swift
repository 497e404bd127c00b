/// Makes foreign text fit to be seen on a terminal: an event or a name may carry sequences that move the cursor,
/// change the title or hide what stands there.
package enum Printable {
    /// Controls, marks that turn text round and line separators become `\n`, `\x1b`, `\u{202e}`; all else stays.
    package static func line(_ text: String) -> String {
        guard text.unicodeScalars.contains(where: isUnfit) else { return text }
        var result = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\n": result += "\\n"
            case "\r": result += "\\r"
            case "\t": result += "\\t"
            case _ where !isUnfit(scalar): result.unicodeScalars.append(scalar)
            case _ where scalar.value < 0x100:
                let hex = String(scalar.value, radix: 16)
                result += "\\x" + (hex.count < 2 ? "0" : "") + hex
            default: result += "\\u{" + String(scalar.value, radix: 16) + "}"
            }
        }
        return result
    }

    private static func isUnfit(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0..<0x20, 0x7F...0x9F, 0x200E, 0x200F, 0x2028...0x202E, 0x2066...0x2069: true
        default: false
        }
    }
}
