internal import FoundationEssentials
internal import WeirWorld

/// What one recipient is told of what a rule holds: the same for mail and webhook. A value; sending it decides nothing.
package struct HoldNotice: Sendable {
    package var rule: Rule
    /// All that the rule holds now, the newest run first.
    package var holds: [HoldView]
    /// The rows that are listed, VIPs first.
    package var rows: [ActionView]
    /// All of them, for the file; `rows` again where there are no more.
    package var all: [ActionView]
    package var recipient: String
    /// Where the approval pages are: `https://weir.example.org`.
    package var base: String
    package var isReminder: Bool

    package var count: Int { holds.reduce(0) { $0 + $1.suspended } }
    private var vips: Int { holds.reduce(0) { $0 + $1.vip } }
    private var expires: WallTime? { holds.map(\.expires).min() }

    // MARK: Links

    /// Signed for this recipient and for nothing else.
    func link(
        _ verb: ApprovalVerb, _ subject: ApprovalSubject, _ fingerprint: String, until: WallTime, _ keys: ApprovalKeys
    ) -> String {
        let token = ApprovalToken(
            verb: verb, subject: subject, recipient: recipient, fingerprint: fingerprint,
            expires: until.nanoseconds / 1_000_000_000)
        return base + ApprovalLink.path(verb, subject) + "&t=" + token.text(keys)
    }

    private func link(_ verb: ApprovalVerb, of hold: HoldView, _ keys: ApprovalKeys) -> String {
        link(verb, .hold(run: hold.sync, rule: hold.rule), hold.digest, until: hold.expires, keys)
    }

    private func link(_ verb: ApprovalVerb, of action: ActionView, _ keys: ApprovalKeys) -> String {
        link(verb, .action(action.id), action.fingerprint, until: action.expires, keys)
    }

    private var review: String { "\(base)/reviews?rule=\(rule.name)" }

    // MARK: HTML

    func html(_ template: MailTemplate, _ keys: ApprovalKeys) -> String {
        var parts: [String] = []
        // Each run is decided by itself: a link names one.
        for hold in holds {
            let own = rows.filter { $0.sync == hold.sync }
            var values = common
            values["count"] = "\(hold.suspended)"
            values["shown"] = "\(own.count)"
            values["vip"] = hold.vip == 0 ? "" : ", \(hold.vip) of them on VIPs"
            values["why"] = Self.why(hold)
            values["expires"] = hold.expires.description
            values["approve_all"] = link(.approve, of: hold, keys)
            values["reject_all"] = link(.reject, of: hold, keys)
            parts.append(MailTemplate.fill(template.header, values))
            for action in own {
                parts.append(
                    MailTemplate.fill(
                        template.row,
                        [
                            "who": action.label, "change": ChangeText(action.changes).text,
                            "reason": action.reason.text, "vip": action.isVIP ? "VIP " : "",
                            "approve": link(.approve, of: action, keys), "reject": link(.reject, of: action, keys),
                        ]))
            }
            parts.append(MailTemplate.fill(template.footer, values))
        }
        return "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"></head><body>\n"
            + parts.joined(separator: "\n") + "\n</body></html>\n"
    }

    private var common: [String: String] {
        [
            "rule": rule.name, "review": review,
            "on_expiry": rule.review.onExpiry == .clear ? "they are cleared" : "they count as approved",
        ]
    }

    func subject(_ template: MailTemplate) -> String {
        let text = MailTemplate.fill(
            template.subject,
            ["rule": rule.name, "count": "\(count)", "vip": vips == 0 ? "" : "\(vips) VIPs"], escapes: false)
        return isReminder ? "Reminder: \(text)" : text
    }

    // MARK: Text

    func text(_ keys: ApprovalKeys) -> String {
        var lines: [String] = []
        for hold in holds {
            lines.append("\(hold.suspended) actions of the rule \(rule.name) wait for a decision.")
            if hold.vip > 0 { lines.append("\(hold.vip) of them are on VIPs.") }
            lines += [Self.why(hold), ""]
            lines.append("Approve all: \(link(.approve, of: hold, keys))")
            lines.append("Reject all:  \(link(.reject, of: hold, keys))")
            lines.append("")
            for action in rows where action.sync == hold.sync {
                lines.append("\(action.isVIP ? "VIP " : "")\(Self.line(action.label)): \(action.reason.text)")
                lines += ChangeText(action.changes).lines.map {
                    "  \($0.what): \(Self.line($0.before)) -> \(Self.line($0.after))"
                }
                lines.append("  Approve: \(link(.approve, of: action, keys))")
                lines.append("  Reject:  \(link(.reject, of: action, keys))")
            }
            lines.append("")
        }
        if rows.count < count { lines.append("\(rows.count) of \(count) are listed; the attached file has all.") }
        lines.append("All of them: \(review)")
        if let expires {
            lines.append(
                "Undecided on \(expires), "
                    + (rule.review.onExpiry == .clear ? "they are cleared." : "they count as approved."))
        }
        lines += ["", "These links are personal and open a page that asks once more. Do not forward this mail."]
        return lines.joined(separator: "\n") + "\n"
    }

    /// One line, without controls: a value must not look like a line of ours.
    private static func line(_ text: String) -> String {
        String(
            String.UnicodeScalarView(
                text.unicodeScalars.map { scalar in
                    switch scalar {
                    case "\u{0}"..."\u{1F}", "\u{7F}"..."\u{9F}", "\u{202A}"..."\u{202E}", "\u{2066}"..."\u{2069}":
                        "\u{FFFD}"
                    default: scalar
                    }
                }))
    }

    package static func why(_ hold: HoldView) -> String {
        switch hold.reason {
        case .volume, .volumeLookback, .clamped:
            var text = "Up to and including \(hold.limit ?? 0) pass by themselves"
            if hold.base > 0 { text += " (the target has \(hold.base) objects)" }
            text += "; this run has \(hold.suspended)"
            if hold.lookback > 0 { text += ", and \(hold.lookback) ran in the time before" }
            return text + "."
        default: return "Why: \(hold.reason.text)."
        }
    }

    // MARK: The file

    /// All of them as CSV (RFC 4180). A value that a spreadsheet would take for a formula gets a quote before it.
    package var csv: String {
        var lines = ["action,run,rule,who,identity,vip,reason,change,expires"]
        for action in all {
            lines.append(
                [
                    action.id, action.sync, action.rule, action.label, action.identity, action.isVIP ? "yes" : "no",
                    action.reason.rawValue, ChangeText(action.changes).text, action.expires.description,
                ].map(Self.cell).joined(separator: ","))
        }
        return lines.joined(separator: "\r\n") + "\r\n"
    }

    static func cell(_ value: String) -> String {
        var text = value
        if let first = text.unicodeScalars.first, "=+-@\t\r".unicodeScalars.contains(first) { text = "'" + text }
        guard text.contains(where: { $0 == "\"" || $0 == "," || $0.isNewline }) else { return text }
        return "\"" + text.replacing("\"", with: "\"\"") + "\""
    }

    // MARK: The webhook

    private struct Payload: Encodable {
        struct Hold: Encodable {
            var run: String
            var suspended: Int
            var vip: Int
            var limit: Int?
            var base: Int
            var lookback: Int
            var reason: String
            var expires: String
            var approve: String
            var reject: String
        }
        struct Action: Encodable {
            var id: String
            var run: String
            var who: String
            var identity: String
            var vip: Bool
            var reason: String
            var changes: [Change]
            var approve: String
            var reject: String
        }
        var event = "review_needed"
        var rule: String
        var count: Int
        var reminder: Bool
        var review: String
        var holds: [Hold]
        var actions: [Action]
    }

    /// The same as JSON; links carry no tokens, because a chat has many readers.
    package var json: String {
        let payload = Payload(
            rule: rule.name, count: count, reminder: isReminder, review: review,
            holds: holds.map { hold in
                let subject = ApprovalSubject.hold(run: hold.sync, rule: hold.rule)
                return Payload.Hold(
                    run: hold.sync, suspended: hold.suspended, vip: hold.vip, limit: hold.limit, base: hold.base,
                    lookback: hold.lookback, reason: hold.reason.rawValue, expires: hold.expires.description,
                    approve: base + ApprovalLink.path(.approve, subject),
                    reject: base + ApprovalLink.path(.reject, subject))
            },
            actions: rows.map { action in
                Payload.Action(
                    id: action.id, run: action.sync, who: action.label, identity: action.identity, vip: action.isVIP,
                    reason: action.reason.rawValue, changes: action.changes,
                    approve: base + ApprovalLink.path(.approve, .action(action.id)),
                    reject: base + ApprovalLink.path(.reject, .action(action.id)))
            })
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return String(decoding: (try? encoder.encode(payload)) ?? Data(), as: UTF8.self)
    }
}
