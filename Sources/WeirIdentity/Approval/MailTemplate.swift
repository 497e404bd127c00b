/// The words of approval mails, as HTML with placeholders: `{{approve}}`. What stands for a placeholder is escaped for
/// text and attributes alike, so that a name from an HR list can never become markup or a link.
package struct MailTemplate: Sendable, Hashable {
    package enum Part: String, Sendable, CaseIterable {
        case subject, header, row, footer

        /// What it must hold: without them nobody could decide.
        var needed: [String] {
            switch self {
            case .subject, .footer: []
            case .header: ["approve_all", "reject_all"]
            case .row: ["approve", "reject"]
            }
        }

        /// What it may hold beside.
        var known: [String] {
            switch self {
            case .subject: ["rule", "count", "vip"]
            case .header, .footer:
                ["rule", "count", "shown", "vip", "why", "expires", "on_expiry", "review", "approve_all", "reject_all"]
            case .row: ["who", "change", "reason", "vip", "approve", "reject"]
            }
        }
    }

    package var subject = MailTemplate.subjectText
    package var header = MailTemplate.headerText
    package var row = MailTemplate.rowText
    package var footer = MailTemplate.footerText

    package init() {}

    /// What is wrong with a text for a part, to follow the setting's name; nil when it will do.
    package static func complaint(_ text: String, _ part: Part) -> String? {
        if text.utf8.count > 32_768 { return "is longer than 32 KiB" }
        let names = placeholders(text)
        if let missing = part.needed.first(where: { !names.contains($0) }) {
            return "must hold `{{\(missing)}}`, so that people can decide"
        }
        if let strange = names.first(where: { !(part.known + part.needed).contains($0) }) {
            return "has `{{\(strange)}}`; known: \(part.known.map { "`{{\($0)}}`" }.joined(separator: ", "))"
        }
        if part == .subject, text.utf8.contains(where: { $0 < 0x20 }) { return "must be one line" }
        return nil
    }

    /// The names between double braces, in order.
    static func placeholders(_ text: String) -> [String] {
        var names: [String] = []
        var rest = Substring(text)
        while let open = rest.firstRange(of: "{{") {
            rest = rest[open.upperBound...]
            guard let close = rest.firstRange(of: "}}") else { break }
            names.append(String(rest[..<close.lowerBound]).trimmed)
            rest = rest[close.upperBound...]
        }
        return names
    }

    /// Puts values in the places of placeholders; those that are not known stay empty.
    static func fill(_ text: String, _ values: [String: String], escapes: Bool = true) -> String {
        var result = ""
        var rest = Substring(text)
        while let open = rest.firstRange(of: "{{") {
            result += rest[..<open.lowerBound]
            rest = rest[open.upperBound...]
            guard let close = rest.firstRange(of: "}}") else { break }
            let value = values[String(rest[..<close.lowerBound]).trimmed] ?? ""
            result += escapes ? escaped(value) : value
            rest = rest[close.upperBound...]
        }
        return result + rest
    }

    /// For HTML text and quoted attributes. Controls, and marks that turn text round, are replaced: a name could
    /// pretend to be another one.
    static func escaped(_ text: String) -> String {
        var result = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "&": result += "&amp;"
            case "<": result += "&lt;"
            case ">": result += "&gt;"
            case "\"": result += "&quot;"
            case "'": result += "&#39;"
            case "\n": result += "<br>"
            case "\u{0}"..."\u{1F}", "\u{7F}"..."\u{9F}", "\u{202A}"..."\u{202E}", "\u{2066}"..."\u{2069}":
                result += "\u{FFFD}"
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }

    static let subjectText = "Weir: {{count}} actions of {{rule}} wait for your decision"

    static let headerText = """
        <p><strong>{{count}}</strong> actions of the rule <strong>{{rule}}</strong> wait for a decision{{vip}}.</p>
        <p>{{why}}</p>
        <p>Undecided on {{expires}}, {{on_expiry}}. What is approved runs in the next sync, if the change is still \
        the same.</p>
        <p><a href="{{approve_all}}">Approve All</a> &nbsp; <a href="{{reject_all}}">Reject All</a> &nbsp; \
        <a href="{{review}}">Review page</a></p>
        <table border="1" cellpadding="6" cellspacing="0">
        <tr><th>Who</th><th>What would change</th><th>Why it waits</th><th>Your decision</th></tr>
        """

    static let rowText = """
        <tr><td>{{vip}}{{who}}</td><td>{{change}}</td><td>{{reason}}</td>\
        <td><a href="{{approve}}">Approve</a> &nbsp; <a href="{{reject}}">Reject</a></td></tr>
        """

    static let footerText = """
        </table>
        <p>{{shown}} of {{count}} are listed here; all are in the attached file and on the \
        <a href="{{review}}">review page</a>.</p>
        <p>These links are personal and open a page that asks once more: nothing is decided by opening one. Do not \
        forward this mail: whoever has a link can decide in your name.</p>
        """
}
