internal import CWeirMail
internal import Crypto
internal import FoundationEssentials
internal import WeirSettings
package import WeirWorld

/// Takes mails to a server.
package protocol MailCarrier: Sendable {
    /// - Throws: when the server did not take it.
    func carry(_ message: MailMessage) async throws(MailFailure)
}

/// Why a mail was not taken, in words, with the server's code where it gave one.
package struct MailFailure: Error, Sendable, Hashable {
    package var text: String

    package init(_ text: String) { self.text = text }
}

/// SMTP by libcurl: TLS with verification, authentication, time limits. Its calls block, so they have a thread of their
/// own, one mail after the other.
package final class SMTPCarrier: MailCarrier {
    private let settings: MailSettings
    private let lane: any BlockingLane

    package init(_ settings: MailSettings, world: World) {
        self.settings = settings
        lane = world.blocking.lane("mail")
    }

    deinit { lane.close() }

    package func carry(_ message: MailMessage) async throws(MailFailure) {
        let settings = settings
        // Random, so that no value can hold it.
        let boundary = "weir-" + SymmetricKey(size: .bits128).withUnsafeBytes { URLSafe.text(Data($0)) }
        let bytes = message.bytes(boundary: boundary)
        let failure: String?
        do {
            failure = try await lane.run { Self.send(bytes, from: message.from, to: message.to, settings) }
        } catch {
            failure = "\(error)"
        }
        if let failure { throw MailFailure(failure) }
    }

    private static func send(_ bytes: [UInt8], from: String, to: String, _ settings: MailSettings) -> String? {
        var code = 0
        var text = [CChar](repeating: 0, count: 512)
        let result = bytes.withUnsafeBufferPointer { bytes in
            withTexts([
                settings.server, settings.caFile, settings.user, settings.user == nil ? nil : settings.password.text,
                from, to,
            ]) { texts in
                var mail = weir_mail()
                mail.server = texts[0]
                mail.starttls = settings.startTLS ? 1 : 0
                mail.ca_file = texts[1]
                mail.user = texts[2]
                mail.password = texts[3]
                mail.from = texts[4]
                mail.to = texts[5]
                mail.bytes = bytes.baseAddress
                mail.length = bytes.count
                mail.timeout = Int(settings.timeout.nanoseconds / 1_000_000)
                return weir_mail_send(&mail, &code, &text, text.count)
            }
        }
        guard result != 0 else { return nil }
        let said = text.withUnsafeBufferPointer { $0.baseAddress.map { String(cString: $0) } ?? "" }
        let answer = code > 0 ? " (it answered \(code))" : ""
        return "The mail server \(settings.server) did not take the mail: \(said)\(answer)."
    }

    private static func withTexts<Value>(
        _ texts: [String?], _ body: ([UnsafePointer<CChar>?]) -> Value
    ) -> Value {
        func next(_ index: Int, _ found: [UnsafePointer<CChar>?]) -> Value {
            guard index < texts.count else { return body(found) }
            guard let text = texts[index] else { return next(index + 1, found + [nil]) }
            return text.withCString { next(index + 1, found + [$0]) }
        }
        return next(0, [])
    }
}
