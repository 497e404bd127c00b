internal import WeirGates

/// Why there is no answer. An answer that says no is a `DirectoryAnswer`, not this.
package enum DirectoryFailure: Error, Sendable, Equatable, CustomStringConvertible {
    /// No connection, no TLS, or the bind failed for the moment. Nothing of the request was sent.
    case unreachable(code: String, text: String)
    /// The server does not take our name and password, or not in this way (49, 48, 7, 8, 13). Trying again is no help
    /// and may lock the account.
    case refused(code: ResultCode, text: String)
    /// What is asked for is never done: an empty password, a bind in the clear, a NUL in a name.
    case misuse(code: String, text: String)
    /// The connection went while the request was out: nobody knows whether it was carried out.
    case lost(text: String)
    /// No answer in time; the request was abandoned, and may have been carried out.
    case timedOut(after: Duration)
    case cancelled
    /// An answer of more bytes than `limit`.
    case tooLarge(limit: Int)

    /// Whether the same request may succeed later without anybody doing anything.
    package var isPassing: Bool {
        switch self {
        case .unreachable, .lost, .timedOut: true
        case .refused, .misuse, .cancelled, .tooLarge: false
        }
    }

    /// For machines.
    package var code: String {
        switch self {
        case .unreachable(let code, _), .misuse(let code, _): code
        case .refused(let code, _): "ldap_\(code.number)"
        case .lost: "connection_lost"
        case .timedOut: "timeout"
        case .cancelled: "cancelled"
        case .tooLarge: "answer_too_large"
        }
    }

    package var description: String {
        switch self {
        case .unreachable(_, let text), .misuse(_, let text), .lost(let text): text
        case .refused(let code, let text): text.isEmpty ? "\(code)" : "\(code): \(text)"
        case .timedOut(let limit): "no answer within \(limit.exactText)"
        case .cancelled: "cancelled"
        case .tooLarge(let limit): "an answer of more than \(limit) bytes"
        }
    }
}
