package import WeirCalls
package import WeirSettings

/// Who a connector is to the server.
package struct FeedAuthSettings: Settings, Hashable {
    package struct Header: Settings, Hashable {
        package var name = ""
        package var value = Secret()
        package init() {}
        package static let fields: [Field<Self>] = [
            field("name", \.name, required: true, examples: ["X-API-Key"], "Name of the header."),
            field("value", \.value, "Its value."),
        ]
    }

    /// Client credentials (RFC 6749 section 4.4).
    package struct OAuth2: Settings, Hashable {
        package var tokenURL = ""
        package var clientID = ""
        package var clientSecret = Secret()
        package var scope = ""
        package var audience = ""

        package init() {}

        package static let fields: [Field<Self>] = [
            field(
                "token_url", \.tokenURL, required: true, check: { FeedAddress.urlComplaint($0) },
                examples: ["https://login.example.com/oauth2/token"], "Where tokens are issued."),
            field("client_id", \.clientID, required: true, "Our id there."),
            field("client_secret", \.clientSecret, "The secret that belongs to it."),
            field("scope", \.scope, examples: ["feeds.read"], "What the token shall be good for, if it must be said."),
            field("audience", \.audience, "The API that the token is for, where the server wants it."),
        ]
    }

    package var plain = HTTPAuthSettings()
    package var header: Header?
    package var oauth2: OAuth2?

    package init() {}

    package static let fields: [Field<Self>] =
        HTTPAuthSettings.fields.map { $0.within(\.plain) } + [
            field("header", \.header, "A header with a secret, for keys of an API."),
            field(
                "oauth2", \.oauth2,
                "A token that is fetched with client credentials (RFC 6749 section 4.4), kept while it is good, and "
                    + "fetched anew when the server refuses it."),
        ]

    package func mistakes() -> [SettingMistake] {
        var mistakes = plain.mistakes()
        if oauth2 != nil, plain.basic != nil || plain.bearer != nil {
            mistakes.append(
                SettingMistake(
                    "oauth2", "`oauth2` excludes `basic` and `bearer`: it brings the token", help: "keep one"))
        }
        mistakes += [
            HeaderRules.mistake(secret: plain.bearer, key: "bearer"),
            HeaderRules.mistake(secret: header?.value, key: "header.value"),
            header.flatMap { HeaderRules.mistake($0.name, "", key: "header.name") },
        ].compactMap { $0 }
        return mistakes
    }

    /// What must never show in a sentence.
    var secrets: [String] {
        (plain.secrets + [header?.value.text, oauth2?.clientSecret.text].compactMap { $0 }).filter { !$0.isEmpty }
    }
}
