import Foundation

/// Names of people as other systems want them.
enum Naming {
    /// Letters that do not fall apart into a letter and a mark, and what they are written as where only ASCII may stand
    /// (the customary German, Nordic and Polish spellings).
    private static let spelled: [Unicode.Scalar: String] = [
        "ß": "ss", "ẞ": "SS", "æ": "ae", "Æ": "AE", "œ": "oe", "Œ": "OE", "ø": "o", "Ø": "O", "ł": "l", "Ł": "L",
        "đ": "d", "Đ": "D", "ð": "d", "Ð": "D", "þ": "th", "Þ": "Th", "ı": "i", "ħ": "h", "Ħ": "H", "ŋ": "n",
    ]

    /// Without marks: `José` is `Jose`, `Müller` is `Muller`.
    static func plain(_ text: String) -> String {
        var result = String.UnicodeScalarView()
        for scalar in text.decomposedStringWithCanonicalMapping.unicodeScalars {
            if let spelling = spelled[scalar] {
                result.append(contentsOf: spelling.unicodeScalars)
            } else if scalar.properties.generalCategory != .nonspacingMark {
                result.append(scalar)
            }
        }
        return String(result).precomposedStringWithCanonicalMapping
    }

    /// As `plain`, and without what ASCII has no letter for.
    static func ascii(_ text: String) -> String {
        Text.string(plain(text).unicodeScalars.filter { $0.value < 0x80 })
    }

    /// For account names: ASCII, lower case, letters and digits only.
    static func simple(_ text: String) -> String {
        Text.string(
            ascii(text).lowercased().unicodeScalars.filter {
                (97...122).contains($0.value) || (48...57).contains($0.value)
            })
    }

    /// The first letter of every word in upper case, all others in lower case; a hyphen and an apostrophe begin a word.
    static func title(_ text: String) -> String {
        var result = ""
        var isStart = true
        for character in text {
            result += isStart ? character.uppercased() : character.lowercased()
            isStart = !(character.isLetter || character.isNumber)
        }
        return result
    }

    /// The first letter of every word, in upper case.
    static func initials(_ text: String) -> String {
        text.split { $0.isWhitespace || $0 == "-" }.compactMap(\.first).filter(\.isLetter)
            .map { $0.uppercased() }.joined()
    }
}
