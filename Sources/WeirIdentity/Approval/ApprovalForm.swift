internal import Crypto
internal import FoundationEssentials
internal import WeirWorld

/// What ties a form to the page it stood on: who was shown it, what it decides, and what exactly was to be seen. A POST
/// without it decides nothing, so that no other site can send one (CSRF), and nobody decides what they have not seen.
struct ApprovalForm: Sendable, Hashable {
    var verb: ApprovalVerb
    var subject: ApprovalSubject
    /// `operator`, or the token that let them in.
    var session: String
    /// Of what was shown: an action's fingerprint, a hold's digest.
    var fingerprint: String
    /// Actions that were shown to be decided.
    var count: Int

    /// How long a page may stay open.
    static let life: Int64 = 3_600

    /// `SECONDS.COUNT.FINGERPRINT.KEY.CODE`.
    func text(_ keys: ApprovalKeys, at now: WallTime) -> String {
        let seconds = now.nanoseconds / 1_000_000_000
        let key = keys.newest
        return "\(seconds).\(count).\(URLSafe.text(Data(fingerprint.utf8))).\(key.id)."
            + URLSafe.text(Data(key.code(for: "form", signed(seconds))))
    }

    private func signed(_ seconds: Int64) -> String {
        [verb.rawValue, subject.query, session, fingerprint, "\(count)", "\(seconds)"].joined(separator: "\n")
    }

    /// - Returns: what the page showed; `nil` for a form that was not on a page of this session, or is too old.
    static func read(
        _ text: String, verb: ApprovalVerb, subject: ApprovalSubject, session: String, _ keys: ApprovalKeys,
        at now: WallTime
    ) -> ApprovalForm? {
        guard text.utf8.count <= 1_024 else { return nil }
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 5, let seconds = Int64(parts[0]), let count = Int(parts[1]),
            let shown = URLSafe.bytes(parts[2]), let key = keys[String(parts[3])], let code = URLSafe.bytes(parts[4])
        else { return nil }
        let form = ApprovalForm(
            verb: verb, subject: subject, session: session, fingerprint: String(decoding: shown, as: UTF8.self),
            count: count)
        let age = now.nanoseconds / 1_000_000_000 &- seconds
        guard key.isCode(code, for: "form", form.signed(seconds)), age >= -60, age <= life else { return nil }
        return form
    }
}
