package import WeirGates

/// What a receiver said of a batch that it answered. Events that are named nowhere were taken.
package struct DeliveryReport: Sendable {
    /// Refused for good, by index in the batch: dead-lettered.
    package var rejected: [(index: Int, reason: Reason)]
    /// Not taken this time, by index: only these are sent again.
    package var postponed: [(index: Int, reason: Reason)]
    /// The receiver asks for a pause before anything more is sent.
    package var pause: Duration?

    package static let delivered = DeliveryReport()

    package init(
        rejected: [(index: Int, reason: Reason)] = [], postponed: [(index: Int, reason: Reason)] = [],
        pause: Duration? = nil
    ) {
        self.rejected = rejected
        self.postponed = postponed
        self.pause = pause
    }
}

/// Why a batch was not delivered, sorted by what happens next. Only one table per family of destinations maps codes to
/// these.
package enum DeliveryFailure: Error, Sendable, Hashable {
    /// The receiver cannot be reached, or the connection broke: the endpoint rests, the batch goes to the next one or
    /// again later.
    case unreachable(Reason)
    /// It was reached and is busy or ill (5xx, 408, 425, 429, disk full). `retryAfter` pauses the whole destination.
    case busy(Reason, retryAfter: Duration? = nil)
    /// No answer in time; it may have taken the batch.
    case timedOut(Reason)
    /// The destination itself is wrong (401, 403, 404, 405, 407, bad credentials): suspended until a person mends it.
    case misconfigured(Reason)
    /// The content is refused (other 4xx): the batch is split to find the bad events, a single event is dead-lettered.
    case rejected(Reason)
    /// The task was cancelled: Weir stops, the batch stays where it was.
    case cancelled

    package var reason: Reason {
        switch self {
        case .unreachable(let reason), .busy(let reason, _), .timedOut(let reason), .misconfigured(let reason),
            .rejected(let reason):
            reason
        case .cancelled: Reason("cancelled", "Weir stops.")
        }
    }

    /// True where the same batch may be sent again.
    package var isTransient: Bool {
        switch self {
        case .unreachable, .busy, .timedOut: true
        case .misconfigured, .rejected, .cancelled: false
        }
    }
}
