/// The letters of names and filters: what is escaped, what is equal.
package enum NameText {
    /// A value as it stands in a name (RFC 4514 section 2.4).
    package static func escaped(_ value: String) -> String {
        let bytes = value.utf8
        if bytes.allSatisfy({ !needsCare($0) }) { return value }
        var text: [UInt8] = []
        text.reserveCapacity(bytes.count + 8)
        let last = bytes.count - 1
        for (place, byte) in bytes.enumerated() {
            switch byte {
            case UInt8(ascii: " ") where place != 0 && place != last, UInt8(ascii: "#") where place != 0,
                UInt8(ascii: "="):
                text.append(byte)
            case 0..<0x20, 0x7F: text += hexadecimal(byte)
            case _ where isSpecial(byte): text += [UInt8(ascii: "\\"), byte]
            default: text.append(byte)
            }
        }
        return String(decoding: text, as: UTF8.self)
    }

    static func isTypeByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."):
            true
        default: false
        }
    }

    /// What a backslash may stand before.
    static func isSpecial(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "\\"), UInt8(ascii: "\""), UInt8(ascii: "+"), UInt8(ascii: ","), UInt8(ascii: ";"),
            UInt8(ascii: "<"), UInt8(ascii: ">"), UInt8(ascii: " "), UInt8(ascii: "#"), UInt8(ascii: "="):
            true
        default: false
        }
    }

    private static func needsCare(_ byte: UInt8) -> Bool { byte < 0x20 || byte == 0x7F || isSpecial(byte) }

    static func nibble(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
        default: nil
        }
    }

    static func hexadecimal(_ byte: UInt8) -> [UInt8] {
        let digits = Array("0123456789abcdef".utf8)
        return [UInt8(ascii: "\\"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
    }

    // MARK: what is equal

    /// Long names and numbers of the types that name entries (RFC 4519, RFC 2985, RFC 4524).
    private static let aliases: [String: String] = [
        "2.5.4.3": "cn", "commonname": "cn", "2.5.4.4": "sn", "surname": "sn", "2.5.4.5": "serialnumber",
        "2.5.4.6": "c", "countryname": "c", "2.5.4.7": "l", "localityname": "l", "2.5.4.8": "st",
        "stateorprovincename": "st", "2.5.4.9": "street", "2.5.4.10": "o", "organizationname": "o", "2.5.4.11": "ou",
        "organizationalunitname": "ou", "2.5.4.12": "title", "2.5.4.42": "givenname", "gn": "givenname",
        "0.9.2342.19200300.100.1.1": "uid", "userid": "uid", "0.9.2342.19200300.100.1.3": "mail",
        "rfc822mailbox": "mail", "0.9.2342.19200300.100.1.25": "dc", "domaincomponent": "dc",
        "1.2.840.113549.1.9.1": "email", "emailaddress": "email", "e": "email",
    ]

    static func key(type: String) -> String {
        let lower = type.lowercased()
        return aliases[lower] ?? lower
    }

    /// Lower case, no spaces at the ends, one space between words. Canonically equivalent Unicode compares equal as a
    /// `String`; compatibility forms (full-width letters) do not, and are the server's to judge.
    package static func key(value: String) -> String {
        var folded = ""
        var isSpacePending = false
        for character in value.lowercased() {
            if character == " " {
                isSpacePending = !folded.isEmpty
            } else {
                if isSpacePending { folded.append(" ") }
                isSpacePending = false
                folded.append(character)
            }
        }
        return folded
    }

    /// The key of a name that needs no reading: ASCII without escapes, quotes or several parts in one relative name,
    /// and with short types. That is nearly every member of nearly every group; the rest takes the long way.
    static func plainKey(_ text: String) -> String? {
        var text = text
        return text.withUTF8 { bytes -> String? in
            var key: [UInt8] = []
            key.reserveCapacity(bytes.count)
            var typeStart: Int? = 0
            var spaces = 0
            for byte in bytes {
                switch byte {
                case UInt8(ascii: "=") where typeStart != nil:
                    guard let start = typeStart, key.count > start, key.count - start <= 3,
                        isPlainType(key[start...])
                    else { return nil }
                    key.append(byte)
                    typeStart = nil
                    spaces = 0
                case UInt8(ascii: ","):
                    guard typeStart == nil else { return nil }
                    key.append(byte)
                    typeStart = key.count
                    spaces = 0
                case UInt8(ascii: " "): spaces += 1
                case UInt8(ascii: "\\"), UInt8(ascii: "\""), UInt8(ascii: "+"), UInt8(ascii: ";"), UInt8(ascii: "#"),
                    UInt8(ascii: "<"), UInt8(ascii: ">"), UInt8(ascii: "="), 0..<0x20, 0x7F...:
                    return nil
                default:
                    let isWithinWords = key.last != UInt8(ascii: "=") && typeStart == nil
                    if spaces > 0, isWithinWords { key.append(UInt8(ascii: " ")) }
                    if spaces > 0, let start = typeStart, key.count > start { return nil }
                    spaces = 0
                    key.append(byte >= 65 && byte <= 90 ? byte + 32 : byte)
                }
            }
            guard typeStart == nil else { return nil }
            return String(decoding: key, as: UTF8.self)
        }
    }

    /// `cn`, `ou`, `dc`, `uid`, …: letters alone, and no alias.
    private static func isPlainType(_ type: ArraySlice<UInt8>) -> Bool {
        type.allSatisfy { $0 >= 97 && $0 <= 122 } && !(type.count == 1 && type.first == UInt8(ascii: "e"))
            && !type.elementsEqual("gn".utf8)
    }
}
