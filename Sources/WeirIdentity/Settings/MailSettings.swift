package import WeirSettings

/// How approvers are told.
package struct MailSettings: Settings {
    package var server = ""
    package var startTLS = false
    package var caFile: String?
    package var user: String?
    package var password = WeirSettings.Secret()
    package var from = ""
    package var url = ""
    package var to: [String] = []
    package var timeout = Duration.seconds(30)
    package var rowsMost = 200
    package var templates = MailTemplateSettings()

    package init() {}

    package static let fields: [Field<Self>] = [
        field(
            "server", \.server, required: true,
            check: { url in
                ["smtp://", "smtps://"].contains { url.hasPrefix($0) && url.count > $0.count }
                    ? nil : "must begin with `smtp://` or `smtps://`"
            }, examples: ["smtp://127.0.0.1:25", "smtps://mail.example.org"], "The mail server."),
        field("start_tls", \.startTLS, "No mail leaves without TLS. With `smtp://` alone nothing is encrypted."),
        field("ca_file", \.caFile, "PEM file with the authorities of its certificate; the system's unless set."),
        field("user", \.user, "Whom to sign in as."),
        field("password", \.password, examples: ["{ file: mail.pass }"], "With which password."),
        field("from", \.from, required: true, check: MailAddress.check, examples: ["weir@example.org"], "From whom."),
        field(
            "url", \.url, required: true, check: base, examples: ["https://weir.example.org"],
            "Under which approvers reach the approval pages, for the links. Its name is let in for these pages only."),
        field(
            "to", \.to, check: { $0.lazy.compactMap(MailAddress.check).first },
            "Who is asked where a rule names no approvers."),
        field("timeout", \.timeout, range: .seconds(1)...(.seconds(600)), "For one mail."),
        field("rows", \.rowsMost, range: 1...1_000, "Actions in one mail; then a link and a CSV file with all."),
        field("templates", \.templates, "Other words in mails; the links stay."),
    ]

    static let base: @Sendable (String) -> String? = { url in
        guard ["http://", "https://"].contains(where: { url.hasPrefix($0) && url.count > $0.count }) else {
            return "must begin with `http://` or `https://`"
        }
        return url.contains("?") || url.contains("#") || url.utf8.contains { $0 <= 0x20 || $0 == 0x22 || $0 >= 0x7F }
            ? "must be a plain address without a query" : nil
    }

    package func mistakes() -> [SettingMistake] {
        var mistakes: [SettingMistake] = []
        if user != nil, !password.isSet {
            mistakes.append(SettingMistake("user", "there is no password for it", help: "add `password`"))
        }
        let host = server.drop { $0 != ":" }.dropFirst(3)
        let isHere = ["127.", "localhost", "[::1]"].contains { host.hasPrefix($0) }
        if user != nil, server.hasPrefix("smtp://"), !startTLS, !isHere {
            mistakes.append(
                SettingMistake(
                    "server", "the password would cross the network unencrypted",
                    help: "write `smtps://`, or add `start_tls: true`"))
        }
        if startTLS, server.hasPrefix("smtps://") {
            mistakes.append(
                SettingMistake("start_tls", "`smtps://` is TLS from the start", help: "leave `start_tls` out"))
        }
        return mistakes
    }
}

/// Other words in mails. Each must keep the links that it must have.
package struct MailTemplateSettings: Settings {
    package var subject: String?
    package var header: String?
    package var row: String?
    package var footer: String?

    package init() {}

    package static let fields: [Field<Self>] = [
        field(
            "subject", \.subject, check: { check($0, .subject) },
            "The subject. Placeholders: `{{rule}}`, `{{count}}`."),
        field(
            "header", \.header, check: { check($0, .header) },
            "HTML before the rows, up to the table's start. Must hold `{{approve_all}}` and `{{reject_all}}`; may hold "
                + "`{{rule}}`, `{{count}}`, `{{vip}}`, `{{why}}`, `{{expires}}`, `{{review}}`."),
        field(
            "row", \.row, check: { check($0, .row) },
            "HTML of one action. Must hold `{{approve}}` and `{{reject}}`; may hold `{{who}}`, `{{change}}`, "
                + "`{{reason}}`, `{{vip}}`."),
        field(
            "footer", \.footer, check: { check($0, .footer) },
            "HTML after the rows; may hold what the header may. `{{review}}` leads to the page with all."),
    ]

    private static func check(_ text: String?, _ part: MailTemplate.Part) -> String? {
        text.flatMap { MailTemplate.complaint($0, part) }
    }
}

/// Told the same as the mails, as JSON.
package struct ApprovalWebhookSettings: Settings {
    package var url = ""
    package var token = WeirSettings.Secret()
    package var timeout = Duration.seconds(10)

    package init() {}

    package static let fields: [Field<Self>] = [
        field("url", \.url, required: true, check: { address($0) }, "Is sent a POST with JSON."),
        field("token", \.token, "Sent along as a bearer token."),
        field("timeout", \.timeout, range: .milliseconds(100)...(.seconds(120)), "For one answer."),
    ]

    static let address: @Sendable (String?) -> String? = { url in
        guard let url else { return nil }
        return ["http://", "https://"].contains { url.hasPrefix($0) && url.count > $0.count }
            ? nil : "must be an `http://` or `https://` address"
    }
}

/// A mail address as it may stand in an envelope and in a header.
enum MailAddress {
    static let check: @Sendable (String) -> String? = { text in
        let parts = text.split(separator: "@", omittingEmptySubsequences: false)
        // No quoting, no comments, no control characters: nothing that could become a second header or recipient.
        let isPlain = text.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F && !"<>()[]\\,;:\"".utf8.contains($0) }
        return parts.count == 2 && !parts[0].isEmpty && !parts[1].isEmpty && isPlain && text.utf8.count <= 254
            ? nil : "has `\(text)`, which is no mail address"
    }
}
