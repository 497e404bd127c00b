internal import WeirWorld

/// The passage of some bytes from one side of a stream's end to the other, timed in the two phases of NowConnect's
/// reliability document:
///
/// - `write`: until they were handed on, to the client's socket or to the link. High when the processor or the link is
///   the bottleneck.
/// - `drain`: while their receiver let them wait: until the kernel had them, or until the other end granted credit.
///   High when the receiver, or the network before it, is.
///
/// | towards | `write` | `drain` |
/// | --- | --- | --- |
/// | the socket | from the link's read to the socket's write | until the kernel has taken it all |
/// | the link | from the socket's read to the frame on the link | of that, what credit took longer than the way |
///
/// Credit that comes back within a round trip could not have come sooner: what that took is the link's, so a stream
/// that begins to wait has the link's way measured (`Session.probe`). What a bandwidth
/// limit takes is in neither. One passage at a time is timed, and one of those that go through at once each 100 ms, so
/// that the times are those of moments and not of frames: of a thousand frames and a second's wait, one in two samples
/// is the wait.
struct Passage: Sendable {
    /// Between two samples of what does not wait; 100 ms.
    static let every = Duration.milliseconds(100)

    struct Timed: Sendable, Hashable {
        var write: Duration
        var drain: Duration
    }

    private var began: Moment?
    private var left = 0
    /// Since when it waits now, and for what.
    private var waiting: (cause: ConnectorFigures.Cause, since: Moment)?
    private var held = Duration.zero
    private var limited = Duration.zero

    var isUnderWay: Bool { began != nil }

    /// - Parameter bytes: it is over when so many have passed.
    mutating func begin(_ bytes: Int, at now: Moment) {
        guard bytes > 0 else { return }
        (began, left) = (now, bytes)
        (waiting, held, limited) = (nil, .zero, .zero)
    }

    /// From now on it waits for credit or for leave; what else it waits for is part of `write`.
    mutating func waits(_ cause: ConnectorFigures.Cause, at now: Moment) {
        guard isUnderWay, waiting == nil, cause == .credit || cause == .rate else { return }
        waiting = (cause, now)
    }

    /// Bytes have passed, so it waits no longer.
    /// - Parameter way: what the link's way takes now, to the peer and back.
    /// - Returns: the times, when that was the last of them.
    mutating func passed(_ bytes: Int, at now: @autoclosure () -> Moment, way: (Moment) -> Duration) -> Timed? {
        guard let began else { return nil }
        if let (cause, since) = waiting {
            waiting = nil
            let now = now()
            if cause == .rate { limited += now - since } else { held += max(.zero, now - since - way(now)) }
        }
        left -= bytes
        guard left <= 0 else { return nil }
        self.began = nil
        return Timed(write: max(.zero, now() - began - held - limited), drain: held)
    }
}
