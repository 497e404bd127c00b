internal import WeirWires
internal import WeirWorld

extension Session {
    /// One stream's bookkeeping.
    struct Stream: Sendable {
        let isOurs: Bool
        var isAccepted = false
        /// It is the peer's and our acceptance was not sent yet.
        var owesAccept: Bool
        /// What we may send.
        var credit = YamuxHeader.windowFirst
        /// What the peer may send.
        var granted = YamuxHeader.windowFirst
        /// What the peer may have on its way and unread, in all.
        var window = YamuxHeader.windowFirst
        /// Received and not taken.
        var unread = 0
        /// We have sent FIN.
        var hasFinished = false
        /// The peer has sent FIN.
        var isFinished = false
        var grantedAt: Moment?
        /// The last frame in either direction.
        var touched: Moment

        init(isOurs: Bool, at now: Moment) {
            self.isOurs = isOurs
            owesAccept = !isOurs
            touched = now
        }
    }

    /// What one frame means, in the order in which it is to be acted on: opened, accepted, payload, credit, finished,
    /// reset.
    package struct Received: Sendable, Hashable {
        package var stream: UInt32
        /// The peer has opened it: `accept` or `reset` it.
        package var isOpened = false
        package var isAccepted = false
        /// Bytes that follow on the link.
        package var payload = 0
        /// The payload belongs to nobody any more: skip it.
        package var isDiscarded = false
        package var hasCredit = false
        /// After the payload the peer sends no more.
        package var isFinished = false
        package var reset: StreamReason?
        package var goAway: UInt32?

        package init(stream: UInt32) { self.stream = stream }
    }

    /// What leaves the rest of the link without meaning: the session ends with `goAway(protocolError)`.
    package enum SessionFault: Error, Sendable, Hashable, CustomStringConvertible {
        case streamZero
        case parity(UInt32)
        case openedTwice(UInt32)
        case frameTooLong(UInt32)
        /// The peer asks faster than it reads the answers.
        case flood

        package var description: String {
            switch self {
            case .streamZero: "a frame for stream 0, which carries no data"
            case .parity(let id): "stream \(id) was opened by the wrong side"
            case .openedTwice(let id): "stream \(id) was opened twice"
            case .frameTooLong(let length): "a frame of \(length) bytes; the longest is \(Session.frameMost)"
            case .flood: "more questions than answers can be sent"
            }
        }
    }
}
