package import WeirGates
package import WeirWorld

/// Why a batch was not taken. The sender still has all of it; where it was cut because it is larger than a buffer, its
/// first parts may have been taken all the same, and arrive twice.
package enum IntakeRefusal: Error, Sendable, Hashable {
    /// There was no room before the deadline. `retryAfter` is computed from the drain rate of the fullest gate.
    case full(Reason, retryAfter: Duration?)
    /// Weir stops, or the task was cancelled.
    case stopped
}

/// Something that takes batches: the routes behind a source, the gate before a destination, a router, a fallback.
///
/// `accept` suspends while there is no room; that is the backpressure. When it returns, the batch is in Weir's hands
/// (in memory); the receipt tells when it is safe.
package protocol Intake: Sendable {
    var name: String { get }

    /// - Parameter deadline: give up at this moment; `nil` waits for ever. A moment that has passed means "now or
    ///   never" (UDP); `.distantPast` is an offer: the caller can wait if need be, and then nothing at all is kept.
    func accept(_ batch: Batch, deadline: Moment?) async throws(IntakeRefusal) -> Receipt
}

extension Intake {
    package func accept(_ batch: Batch) async throws(IntakeRefusal) -> Receipt {
        try await accept(batch, deadline: nil)
    }
}
