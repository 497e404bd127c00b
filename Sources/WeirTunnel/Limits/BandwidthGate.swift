internal import Synchronization
package import WeirWorld

/// A bandwidth limit that connections share, both directions together. It never drops: who has no leave yet waits, and
/// the sender behind it stops by credit. It can say that it holds back, and since when.
package final class BandwidthGate: Sendable {
    private struct State {
        var bucket: TokenBucket
        var hold = RateHold()
    }

    private let state: Mutex<State>
    /// In bytes a second.
    package let rate: Int64
    let pieceMost: Int

    package init(rate: Int64) {
        let bucket = TokenBucket(rate: rate)
        state = Mutex(State(bucket: bucket))
        self.rate = bucket.rate
        pieceMost = bucket.pieceMost
    }

    /// - Returns: when the bytes may go; `now` or earlier: at once.
    func reserve(_ bytes: Int, at now: Moment) -> Moment {
        state.withLock { state in
            let leave = state.bucket.reserve(bytes, at: now)
            if leave > now { state.hold.held(until: leave, at: now) }
            return leave
        }
    }

    /// Since when it holds back; `nil` while it does not.
    package func holdsSince(at now: Moment) -> Moment? { state.withLock { $0.hold.since(at: now) } }
}

/// Since when a limit holds back. Between two pieces nobody waits for a moment; only a second of rest ends it.
package struct RateHold: Sendable, Hashable {
    package static let rest = Duration.seconds(1)
    private var began: Moment?
    private var until = Moment.distantPast

    package init() {}

    package mutating func held(until leave: Moment, at now: Moment) {
        if since(at: now) == nil { began = now }
        until = max(until, leave)
    }

    package func since(at now: Moment) -> Moment? { now < until + Self.rest ? began : nil }
}
