internal import WeirWires

/// Why publishing stopped.
enum QueueFailure: Error {
    /// No connection, or it broke: again over a new one.
    case lost(String)
    /// The broker said no to this connection: again after a new registration.
    case closed(code: UInt16, text: String)
    /// Messages were not taken; `hasNoQueue` when they led to nobody.
    case refused(hasNoQueue: Bool)
    /// The same would happen again.
    case final(String)

    /// What a broker closes a connection or a channel with, by what helps.
    init(_ closing: AMQPClosing) {
        switch AMQPCode(rawValue: closing.code) {
        case .preconditionFailed, .contentTooLarge, .notImplemented, .notAllowed:
            self = .final("The broker closed the connection: \(closing.text) (\(closing.code)).")
        default: self = .closed(code: closing.code, text: closing.text)
        }
    }
}
