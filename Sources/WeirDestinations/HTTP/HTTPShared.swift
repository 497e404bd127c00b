import NIOHTTP1
import WeirFlow
import WeirGates
import WeirSettings
import WeirWorld

/// What the HTTP destinations share in checking their settings.
enum HTTPShared {
    /// Headers that the request itself needs and nobody else may write.
    private static let reserved: Set<String> = [
        "content-length", "transfer-encoding", "connection", "content-encoding", "host", "expect", "upgrade", "te",
        "trailer",
    ]

    static func check(headers: [String], values: [String], key: String, _ planning: inout DestinationPlanning) {
        for (name, value) in zip(headers, values) {
            if reserved.contains(name.lowercased()) {
                planning.mistake("\(key).\(name)", "`\(name)` belongs to the request itself", help: "take it out")
            } else if name.isEmpty || !name.utf8.allSatisfy(isToken) {
                planning.mistake(key, "a header name has only letters, digits and -_.!#$%&'*+^`|~")
            } else if let complaint = isHeaderValue(value) {
                planning.mistake("\(key).\(name)", "the value \(complaint)", help: "take it out")
            }
        }
    }

    /// For `check:` of a field: a line feed would begin another header.
    static let isHeaderValue: @Sendable (String) -> String? = { value in
        value.utf8.contains { ($0 < 0x20 && $0 != 0x09) || $0 == 0x7F } ? "must not hold control characters" : nil
    }

    static let isQueryValue: @Sendable (String) -> String? = { value in
        value.utf8.allSatisfy { isToken($0) && $0 != 0x26 && $0 != 0x23 && $0 != 0x25 && $0 != 0x2B }
            ? nil : "must not hold spaces, slashes or any of &#%+"
    }

    private static func isToken(_ byte: UInt8) -> Bool {
        (byte >= 0x30 && byte <= 0x39) || (byte | 0x20 >= 0x61 && byte | 0x20 <= 0x7A)
            || "-_.!#$%&'*+^`|~".utf8.contains(byte)
    }

    /// A secret that would break out of its header.
    static func check(secret: Secret?, key: String, _ planning: inout DestinationPlanning) {
        if let secret, secret.text.utf8.contains(where: { $0 < 0x20 || $0 == 0x7F }) {
            planning.mistake(
                key, "the secret holds a control character, perhaps a line feed at its end", help: "take it out")
        }
    }
}
