package import WeirSettings

/// What may stand in a header that an operator gives us to send.
package enum HeaderRules {
    /// Headers that the request itself needs and nobody else may write.
    private static let reserved: Set<String> = [
        "content-length", "transfer-encoding", "connection", "content-encoding", "host", "expect", "upgrade", "te",
        "trailer",
    ]

    /// - Parameter key: where the headers stand in the settings, such as `headers`.
    package static func mistake(_ name: String, _ value: String, key: String) -> SettingMistake? {
        if reserved.contains(name.lowercased()) {
            return SettingMistake("\(key).\(name)", "`\(name)` belongs to the request itself", help: "take it out")
        }
        if name.isEmpty || !name.utf8.allSatisfy(isToken) {
            return SettingMistake(key, "a header name has only letters, digits and -_.!#$%&'*+^`|~")
        }
        return isValue(value).map { SettingMistake("\(key).\(name)", "the value \($0)", help: "take it out") }
    }

    /// For `check:` of a field: a line feed would begin another header.
    package static let isValue: @Sendable (String) -> String? = { value in
        value.utf8.contains { ($0 < 0x20 && $0 != 0x09) || $0 == 0x7F } ? "must not hold control characters" : nil
    }

    /// A secret that would break out of its header.
    package static func mistake(secret: Secret?, key: String) -> SettingMistake? {
        guard let secret, secret.text.utf8.contains(where: { $0 < 0x20 || $0 == 0x7F }) else { return nil }
        return SettingMistake(
            key, "the secret holds a control character, perhaps a line feed at its end", help: "take it out")
    }

    /// A byte of a token (RFC 9110 section 5.6.2).
    package static func isToken(_ byte: UInt8) -> Bool {
        (byte >= 0x30 && byte <= 0x39) || (byte | 0x20 >= 0x61 && byte | 0x20 <= 0x7A)
            || "-_.!#$%&'*+^`|~".utf8.contains(byte)
    }
}
