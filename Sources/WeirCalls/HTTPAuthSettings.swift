internal import Foundation
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
        if let basic { return "Basic " + Data("\(basic.user):\(basic.password.text)".utf8).base64EncodedString() }
        return bearer.map { "Bearer \($0.text)" }
    }

    /// What must never show in a sentence.
    package var secrets: [String] {
        [basic?.password.text, bearer?.text, header].compactMap { $0 }.filter { !$0.isEmpty }
    }
}
