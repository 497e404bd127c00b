package import WeirSettings

/// Who we are to an HTTP server.
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
    package var header: String? {
        if let basic { return "Basic " + Base64Text.encode("\(basic.user):\(basic.password.text)") }
        return bearer.map { "Bearer \($0.text)" }
    }

    /// What must never show in a sentence.
    package var secrets: [String] {
        [basic?.password.text, bearer?.text, header].compactMap { $0 }.filter { !$0.isEmpty }
    }
}

/// The base64 of RFC 4648 section 4, for credentials.
package enum Base64Text {
    private static let digits = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

    package static func encode(_ text: String) -> String {
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
