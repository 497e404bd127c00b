package import WeirGates
package import WeirWorld

/// Keeps sends away from an endpoint that fails, and lets one through when it is time to try again.
///
/// Any failed send opens it: the endpoint rests for a back-off (first 2 s, at most 60 s, jitter), then one probe
/// decides. What was in flight when it opened neither lengthens the rest nor ends it.
package struct Breaker: Sendable {
    package enum State: Sendable, Hashable {
        /// All passes. Can become: `open`, when a send fails.
        case closed
        /// Nothing passes until the moment. Can become: `halfOpen`, when it is reached.
        case open(until: Moment, reason: Reason)
        /// One probe may pass, or is under way. Can become: `closed` when it goes well, `open` when it fails.
        case halfOpen(isProbing: Bool, reason: Reason)
    }

    package private(set) var state = State.closed
    package private(set) var backoff: Backoff
    /// Counts openings: a send belongs to the opening before it.
    package private(set) var generation = 0

    package init(backoff: Backoff = Backoff()) { self.backoff = backoff }

    package var isClosed: Bool { state == .closed }

    package var reason: Reason? {
        switch state {
        case .closed: nil
        case .open(_, let reason), .halfOpen(_, let reason): reason
        }
    }

    /// When the next attempt may be made; `nil` when one may be made now or is under way.
    // Not inlined: the optimiser of Swift 6.3.1 crashes on it (CopyPropagation) where it is read through an array.
    @inline(never)
    package var nextAttempt: Moment? { if case .open(let until, _) = state { until } else { nil } }

    /// Attempts that failed one after the other.
    package var failures: Int { backoff.failures }

    /// `closed`, `open` or `half_open`.
    package var word: String {
        switch state {
        case .closed: "closed"
        case .open: "open"
        case .halfOpen: "half_open"
        }
    }

    /// Lets time pass.
    package mutating func tick(at now: Moment) {
        if case .open(let until, let reason) = state, now >= until {
            state = .halfOpen(isProbing: false, reason: reason)
        }
    }

    /// True where a send may begin; in `halfOpen` only while no probe is under way.
    package mutating func mayPass(at now: Moment) -> Bool {
        tick(at: now)
        switch state {
        case .closed: return true
        case .open: return false
        case .halfOpen(let isProbing, _): return !isProbing
        }
    }

    /// A send begins.
    /// - Returns: its generation, to be handed back with its outcome.
    package mutating func begin() -> Int {
        if case .halfOpen(_, let reason) = state { state = .halfOpen(isProbing: true, reason: reason) }
        return generation
    }

    /// - Parameter wait: what the receiver asked for instead of the back-off.
    package mutating func failed(
        _ reason: Reason, generation sent: Int, wait: Duration? = nil, at now: Moment, random: any RandomSource
    ) {
        guard sent == generation else { return }
        let pause = backoff.failed(at: now, random: random)
        generation += 1
        state = .open(until: now + (wait ?? pause), reason: reason)
    }

    package mutating func succeeded(generation sent: Int, at now: Moment) {
        guard sent == generation else { return }
        backoff.succeeded(at: now)
        state = .closed
    }

    /// The send ended without saying anything about the endpoint (Weir stops).
    package mutating func abandoned(generation sent: Int) {
        guard sent == generation, case .halfOpen(_, let reason) = state else { return }
        state = .halfOpen(isProbing: false, reason: reason)
    }

    /// A person says: try now.
    package mutating func release() {
        if case .open(_, let reason) = state { state = .halfOpen(isProbing: false, reason: reason) }
    }
}
