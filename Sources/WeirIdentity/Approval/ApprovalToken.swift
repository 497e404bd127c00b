internal import Crypto
internal import FoundationEssentials

/// What a mailed link carries: who it was sent to, what they may do to what, and until when. Signed, not kept: a
/// decision is single by the state of the action, not by a list of used tokens.
///
/// On the wire: `1.KEY.PAYLOAD.MAC`, the payload as base64url of JSON, the MAC (HMAC-SHA256) over all before the last
/// point, so that version and key are under it too.
package struct ApprovalToken: Sendable, Hashable, Codable {
    package var verb: ApprovalVerb
    package var action: String?
    package var run: String?
    package var rule: String?
    /// The recipient: the audit names them, whoever clicked.
    package var recipient: String
    /// Of what the mail showed: the action's fingerprint, or the hold's digest.
    package var fingerprint: String
    /// Seconds since 1970.
    package var expires: Int64

    enum CodingKeys: String, CodingKey {
        case verb = "aud"
        case action, run, rule
        case recipient = "to"
        case fingerprint = "fp"
        case expires = "exp"
    }

    package init(
        verb: ApprovalVerb, subject: ApprovalSubject, recipient: String, fingerprint: String, expires: Int64
    ) {
        self.verb = verb
        switch subject {
        case .action(let id): action = id
        case .hold(let run, let rule): (self.run, self.rule) = (run, rule)
        }
        self.recipient = recipient
        self.fingerprint = fingerprint
        self.expires = expires
    }

    package var subject: ApprovalSubject? {
        if let action { return .action(action) }
        if let run, let rule { return .hold(run: run, rule: rule) }
        return nil
    }

    static let version = "1"
    /// Longer ones are none.
    static let bytesMost = 4_096

    package func text(_ keys: ApprovalKeys) -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        let payload = (try? encoder.encode(self)) ?? Data()
        let key = keys.newest
        let head = "\(Self.version).\(key.id).\(URLSafe.text(payload))"
        return head + "." + URLSafe.text(Data(key.code(for: "token", head)))
    }

    /// - Returns: `nil` for whatever was not signed here.
    package init?(_ text: String, _ keys: ApprovalKeys) {
        guard text.utf8.count <= Self.bytesMost else { return nil }
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 4, parts[0] == Self.version, let key = keys[String(parts[1])],
            let code = URLSafe.bytes(parts[3]),
            key.isCode(code, for: "token", parts[..<3].joined(separator: ".")),
            let payload = URLSafe.bytes(parts[2]),
            let token = try? JSONDecoder().decode(ApprovalToken.self, from: payload)
        else { return nil }
        self = token
    }
}

/// Base64 as it may stand in a URL and a cookie, without padding (RFC 4648, 5).
enum URLSafe {
    static func text(_ bytes: some DataProtocol) -> String {
        Data(bytes).base64EncodedString().replacing("+", with: "-").replacing("/", with: "_").replacing("=", with: "")
    }

    static func bytes(_ text: Substring) -> Data? {
        // One text for one value: what a lenient decoder takes could not be compared.
        guard
            text.utf8.allSatisfy({ byte in
                (0x61...0x7A).contains(byte) || (0x41...0x5A).contains(byte) || (0x30...0x39).contains(byte)
                    || byte == 0x2D || byte == 0x5F
            })
        else { return nil }
        let plain = text.replacing("-", with: "+").replacing("_", with: "/")
        guard let data = Data(base64Encoded: plain + String(repeating: "=", count: (4 - plain.utf8.count % 4) % 4)),
            self.text(data) == text
        else { return nil }
        return data
    }
}
