internal import Crypto
internal import Foundation

/// What an operator carries to the machine of a new agent, once: `weir-enrol-1.…`, base64url of JSON.
///
/// It holds the hub's authority too, so that the agent knows its hub from the first byte on, without a file to copy and
/// without trusting whoever answers.
package struct EnrolmentToken: Sendable, Hashable, Codable {
    package var agent: String
    /// 32 random bytes, base64url. The hub keeps its hash only.
    package var secret: String
    /// The hub's authority, DER in base64; `nil` when the hub's certificate is a public one.
    package var authority: String?

    package static let prefix = "weir-enrol-1."

    package init(agent: String, authority: String?) {
        self.agent = agent
        self.authority = authority
        secret = SymmetricKey(size: .bits256).withUnsafeBytes { Base64URL.text($0) }
    }

    /// - Returns: `nil` when the text is no token.
    package init?(_ text: some StringProtocol) {
        let text = text.trimmingCharacters(in: .whitespacesAndNewlines)
        guard text.hasPrefix(Self.prefix), let bytes = Base64URL.bytes(text.dropFirst(Self.prefix.count)),
            let token = try? JSONDecoder().decode(EnrolmentToken.self, from: Data(bytes)),
            AgentIdentity.isName(token.agent)
        else { return nil }
        self = token
    }

    package var text: String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return Self.prefix + Base64URL.text((try? encoder.encode(self)) ?? Data())
    }

    /// By what the hub knows it.
    package var id: String { Self.id(of: secret) }

    package static func id(of secret: String) -> String { Hexadecimal.text(SHA256.hash(data: Data(secret.utf8))) }
}

/// RFC 4648 section 5, without padding.
enum Base64URL {
    static func text(_ bytes: some Sequence<UInt8>) -> String {
        Data(bytes).base64EncodedString().replacing("+", with: "-").replacing("/", with: "_").replacing("=", with: "")
    }

    static func bytes(_ text: some StringProtocol) -> [UInt8]? {
        let plain = String(text).replacing("-", with: "+").replacing("_", with: "/")
        let padded = plain + String(repeating: "=", count: (4 - plain.utf8.count % 4) % 4)
        return Data(base64Encoded: padded).map { [UInt8]($0) }
    }
}
