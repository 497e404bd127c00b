import Crypto

/// What an approval is bound to: SHA-256 over what would be done, by which rule, to whom.
///
/// A rule's text is not in it, only its name and kind: an edit that changes nothing of what would be done costs
/// nobody a second review. Secrets count by their HMAC, so that another password is another change and none can be
/// guessed from what is kept.
package struct Fingerprint: Sendable, Hashable, CustomStringConvertible {
    package static let length = 32
    package let bytes: [UInt8]

    package init(bytes: [UInt8]) { self.bytes = bytes }

    /// - Parameters:
    ///   - secrets: the values behind `Change.secretMark`, by attribute.
    ///   - key: of this instance, for the HMAC.
    package init(rule: Rule, identity: String, encoded: [UInt8], secrets: [String: String], key: [UInt8]) {
        var hash = SHA256()
        hash.update(data: Array("weir-change-1\0\(rule.kind.rawValue)\0\(rule.name)\0\(identity)\0".utf8))
        hash.update(data: encoded)
        if !secrets.isEmpty {
            let key = SymmetricKey(data: key)
            for (attribute, value) in secrets.sorted(by: { $0.key < $1.key }) {
                hash.update(data: Array("\0\(attribute)\0".utf8))
                hash.update(data: Array(HMAC<SHA256>.authenticationCode(for: Array(value.utf8), using: key)))
            }
        }
        bytes = Array(hash.finalize())
    }

    package init?(_ text: String) {
        guard text.utf8.count == Self.length * 2 else { return nil }
        var bytes: [UInt8] = []
        var rest = text[...]
        while let byte = UInt8(rest.prefix(2), radix: 16) {
            bytes.append(byte)
            rest = rest.dropFirst(2)
        }
        guard bytes.count == Self.length else { return nil }
        self.bytes = bytes
    }

    package var description: String { Hex.text(bytes) }
}

/// Lower-case hexadecimal digits.
enum Hex {
    private static let digits = Array("0123456789abcdef".utf8)

    static func text(_ bytes: some Sequence<UInt8>) -> String {
        var text: [UInt8] = []
        for byte in bytes {
            text.append(digits[Int(byte >> 4)])
            text.append(digits[Int(byte & 15)])
        }
        return String(decoding: text, as: UTF8.self)
    }
}
