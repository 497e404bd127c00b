internal import WeirGates
internal import WeirWires

/// Why there is nothing to be had from RabbitMQ, for people.
struct BrokerTrouble: Error, Sendable, Hashable {
    enum Code: String, Sendable {
        case unreachable = "broker_unreachable"
        /// It cannot be trusted, or it does not trust us.
        case tls = "broker_tls"
        /// User, password or permissions.
        case refused = "broker_refused"
        case `protocol` = "broker_protocol"
        /// Only this connector's queues or channel.
        case queue = "broker_queue"
        /// There are queues with other arguments than ours.
        case inequivalent = "broker_queue_differs"
        case unmeasured = "broker_unmeasured"
        case stopped
    }

    var code: Code
    var sentence: String
    /// The queue that was being declared.
    var queue: String?

    init(_ code: Code, _ sentence: String) {
        self.code = code
        self.sentence = sentence
    }

    /// What the broker says when it closes a connection or a channel.
    init(_ closing: AMQPClosing) {
        let text = "RabbitMQ says: \(closing.text)."
        switch AMQPCode(rawValue: closing.code) {
        case .accessRefused, .notAllowed:
            self.init(
                .refused, text + " Look at user, password and vhost of `opencti.broker`, and at the user's permissions."
            )
        case .preconditionFailed where closing.cause == AMQPMethodID(50, 10): self.init(.inequivalent, text)
        case .connectionForced: self.init(.unreachable, text)
        default: self.init(closing.cause.classID == 10 ? .protocol : .queue, text)
        }
    }

    /// What connecting and writing say.
    init(_ reason: Reason) {
        let isTLS = reason.code == "tls_failed"
        self.init(
            isTLS ? .tls : .unreachable, reason.sentence + (isTLS ? " Look at `opencti.broker.tls`." : ""))
    }

    /// Only a person can mend it, so nobody is kept waiting for the next attempt.
    var needsPerson: Bool { code == .refused || code == .tls }

    var reason: Reason { Reason(code.rawValue, sentence) }
}
