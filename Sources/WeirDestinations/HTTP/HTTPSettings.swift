import NIOCore
package import WeirSettings

/// One entry of a list of URLs: where, and its share of the load.
package struct WeightedURL: Settings, Hashable {
    package var url = ""
    package var weight = 1

    package init() {}

    package static let fields: [Field<Self>] = [
        field(
            "url", \.url, required: true, check: HTTPAddress.isURL, examples: ["http://10.0.0.5/in"],
            "Where requests go."),
        field("weight", \.weight, range: 0...1_000, "Share of the load, relative to the others; 0 is never used."),
    ]
}

/// Who we are to an HTTP receiver.
package struct HTTPAuthSettings: Settings, Hashable {
    package struct Basic: Settings, Hashable {
        package var user = ""
        package var password = Secret()
        package init() {}
        package static let fields: [Field<Self>] = [
            field(
                "user", \.user, required: true, check: { $0.contains(":") ? "must not hold a colon" : nil },
                "User name."),
            field("password", \.password, "Password."),
        ]
    }

    package var basic: Basic?
    package var bearer: Secret?

    package init() {}

    package static let fields: [Field<Self>] = [
        field("basic", \.basic, "User and password (RFC 7617)."),
        field("bearer", \.bearer, "A token (RFC 6750)."),
    ]

    package func mistakes() -> [SettingMistake] {
        basic != nil && bearer != nil
            ? [SettingMistake("bearer", "`basic` and `bearer` exclude each other", help: "keep one")] : []
    }

    /// The value of `Authorization`, if any.
    var header: String? {
        if let basic { return "Basic " + Base64Text.encode("\(basic.user):\(basic.password.text)") }
        return bearer.map { "Bearer \($0.text)" }
    }

    var secrets: [String] { [basic?.password.text, bearer?.text, header].compactMap { $0 }.filter { !$0.isEmpty } }
}

package enum HTTPCompression: String, SettingChoice, Sendable {
    case none, gzip, zstd

    package var help: String {
        switch self {
        case .none: "Bodies as they are."
        case .gzip: "`Content-Encoding: gzip`, fast level."
        case .zstd: "`Content-Encoding: zstd`, fast level; the receiver must know it."
        }
    }
}

/// The base64 of RFC 4648 section 4, for credentials.
enum Base64Text {
    private static let digits = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

    static func encode(_ text: String) -> String {
        let bytes = Array(text.utf8)
        var result: [UInt8] = []
        for start in stride(from: 0, to: bytes.count, by: 3) {
            let group = bytes[start..<min(start + 3, bytes.count)]
            var bits: UInt32 = 0
            for byte in group { bits = bits << 8 | UInt32(byte) }
            bits <<= UInt32(8 * (3 - group.count))
            for place in 0..<4 {
                result.append(
                    place <= group.count ? digits[Int(bits >> UInt32(18 - 6 * place) & 63)] : UInt8(ascii: "="))
            }
        }
        return String(decoding: result, as: UTF8.self)
    }
}
