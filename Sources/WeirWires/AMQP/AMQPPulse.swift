package import WeirWorld

/// The heartbeats of one side of a connection: when one is due, and when the other side counts as gone (section 4.2.7
/// of the specification).
package struct AMQPPulse: Sendable, Hashable {
    /// What both sides agreed on; `nil`: none.
    package var interval: Duration?
    private var lastReceived: Moment
    private var lastSent: Moment

    package init(at now: Moment) {
        lastReceived = now
        lastSent = now
    }

    /// - Parameter seconds: 0 is none.
    package mutating func agreed(_ seconds: UInt16) { interval = seconds == 0 ? nil : .seconds(Int(seconds)) }

    /// Something came, or nothing could have come, because this side does not read.
    package mutating func received(at now: Moment) { lastReceived = now }

    package mutating func sent(at now: Moment) { lastSent = now }

    package func silence(at now: Moment) -> Duration { now - lastReceived }

    package func isGone(at now: Moment) -> Bool { interval.map { silence(at: now) >= $0 * 2 } ?? false }

    /// At half the interval, so that one lost second does not count; RabbitMQ does the same.
    package func isDue(at now: Moment) -> Bool { interval.map { now - lastSent >= $0 / 2 } ?? false }
}
