internal import Crypto
internal import FoundationEssentials
package import WeirWorld

/// A mail as bytes (RFC 5322, MIME): text and HTML as alternatives, and a file beside where there is one. Everything
/// is base64, so that no value can end a part or a header.
package struct MailMessage: Sendable {
    package var from: String
    package var to: String
    package var subject: String
    package var text: String
    package var html: String
    package var attachment: (name: String, content: String)?
    /// Without angle brackets; the same for a mail that is sent again.
    package var id: String
    /// The first mail of the thread; nil for that one.
    package var inReplyTo: String?
    package var at: WallTime

    package init(
        from: String, to: String, subject: String, text: String, html: String,
        attachment: (name: String, content: String)? = nil, id: String, inReplyTo: String? = nil, at: WallTime
    ) {
        self.from = from
        self.to = to
        self.subject = subject
        self.text = text
        self.html = html
        self.attachment = attachment
        self.id = id
        self.inReplyTo = inReplyTo
        self.at = at
    }

    package func bytes(boundary: String) -> [UInt8] {
        var lines = [
            "From: \(from)", "To: \(to)", "Subject: \(Self.encoded(subject))", "Date: \(Self.date(at))",
            "Message-ID: <\(id)>",
        ]
        if let inReplyTo { lines += ["In-Reply-To: <\(inReplyTo)>", "References: <\(inReplyTo)>"] }
        lines += ["MIME-Version: 1.0", "Auto-Submitted: auto-generated", "X-Auto-Response-Suppress: All"]
        let outer = "\(boundary)m"
        let inner = "\(boundary)a"
        if attachment != nil {
            lines += ["Content-Type: multipart/mixed; boundary=\"\(outer)\"", "", "--\(outer)"]
        }
        lines += ["Content-Type: multipart/alternative; boundary=\"\(inner)\"", ""]
        lines += part("text/plain", text, inner) + part("text/html", html, inner) + ["--\(inner)--"]
        if let attachment {
            lines += ["--\(outer)", "Content-Type: text/csv; charset=utf-8", "Content-Transfer-Encoding: base64"]
            lines += ["Content-Disposition: attachment; filename=\"\(attachment.name)\"", ""]
            lines += [Self.base64(attachment.content), "--\(outer)--"]
        }
        return Array((lines.joined(separator: "\r\n") + "\r\n").utf8)
    }

    private func part(_ type: String, _ content: String, _ boundary: String) -> [String] {
        [
            "--\(boundary)", "Content-Type: \(type); charset=utf-8", "Content-Transfer-Encoding: base64", "",
            Self.base64(content),
        ]
    }

    private static func base64(_ text: String) -> String {
        Data(text.utf8).base64EncodedString(
            options: [.lineLength76Characters, .endLineWithCarriageReturn, .endLineWithLineFeed])
    }

    /// Tells recipients apart in ids without naming them.
    static func mark(_ recipient: String) -> String {
        SHA256.hash(data: Data(recipient.utf8)).prefix(8).map { String($0, radix: 36) }.joined()
    }

    /// As encoded words (RFC 2047) of at most 45 bytes each, cut between characters. Controls are left out, so that no
    /// value becomes a header.
    static func encoded(_ text: String) -> String {
        let clean = String(
            String.UnicodeScalarView(text.unicodeScalars.filter { $0.value >= 0x20 && $0.value != 0x7F }))
        if clean.utf8.count <= 60, clean.utf8.allSatisfy({ $0 < 0x7F && $0 != 0x3D }) { return clean }
        var words: [String] = []
        var word = ""
        for character in clean.prefix(250) {
            if word.utf8.count + character.utf8.count > 45, !word.isEmpty {
                words.append(word)
                word = ""
            }
            word.append(character)
        }
        if !word.isEmpty { words.append(word) }
        return words.map { "=?utf-8?B?\(Data($0.utf8).base64EncodedString())?=" }.joined(separator: "\r\n ")
    }

    /// `Sun, 22 Nov 2026 05:36:36 +0000`.
    static func date(_ time: WallTime) -> String {
        let date = CivilDate(time)
        let days = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]
        let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
        return "\(days[date.weekday]), \(date.day) \(months[date.month - 1]) \(date.year) \(date.clockText) +0000"
    }
}
