package import WeirWorld

/// The one idea of the product as a value: a level is compared with a limit, what holds is given a state and a reason,
/// and it lets go by itself with hysteresis, so that a receiver at its limit does not make the gate flap.
///
/// Marks, in parts of the limit: `filling` is entered at 75 % and left below 60 %; a gate that is full (100 %) is full
/// until the level is below 75 %.
package struct Gate: Sendable {
    /// What was seen of the receiver and of the people around it. The newest observation replaces the one before.
    package struct Observation: Sendable, Hashable {
        /// In the limit's unit; `nil` when it cannot be measured.
        package var level: Int64?
        /// Why the receiver takes nothing now, whatever the level is (an error, a pause it asked for).
        package var trouble: Reason?
        /// The state while the gate is full or in trouble: `.blocking`, `.dropping`, `.queueing` or `.buffering`.
        package var held: GateState
        /// What to say while the gate is full, when the owner knows more than that the limit is reached.
        package var full: Reason?
        /// True while a disk queue stands between sender and receiver, also when the receiver is well and it drains.
        package var isQueueing: Bool
        package var paused: Reason?
        package var suspended: Reason?

        package init(
            level: Int64?, trouble: Reason? = nil, held: GateState = .blocking, full: Reason? = nil,
            isQueueing: Bool = false,
            paused: Reason? = nil, suspended: Reason? = nil
        ) {
            self.level = level
            self.trouble = trouble
            self.held = held
            self.full = full
            self.isQueueing = isQueueing
            self.paused = paused
            self.suspended = suspended
        }
    }

    /// A change of state, to be logged once and counted.
    package struct Transition: Sendable, Hashable {
        package var from: GateState
        package var to: GateState
        package var reason: Reason
        package var at: WallTime
    }

    package let limit: Limit
    package private(set) var level: Int64? = 0
    package private(set) var state: GateState = .open
    package private(set) var reason = Reason("open", "The receiver accepts.")
    package private(set) var since: WallTime
    private var isFull = false
    private var isFilling = false

    package init(limit: Limit, at wall: WallTime) {
        self.limit = limit
        since = wall
    }

    /// Takes what was seen and says whether the state changed.
    package mutating func observe(_ seen: Observation, at wall: WallTime) -> Transition? {
        level = seen.level
        if let level = seen.level { mark(level) }
        let (next, why) = decide(seen)
        reason = why
        guard next != state else { return nil }
        let transition = Transition(from: state, to: next, reason: why, at: wall)
        state = next
        since = wall
        return transition
    }

    /// True from 100 % of the limit on, until the level is below 75 %.
    package var isAtLimit: Bool { isFull }

    private mutating func mark(_ level: Int64) {
        let part = Double(level) / Double(limit.amount)
        isFull = part >= 1 || (isFull && part >= 0.75)
        isFilling = part >= 0.75 || (isFilling && part >= 0.6)
    }

    // People come before receivers, and what a person must mend comes before what passes by itself.
    private func decide(_ seen: Observation) -> (GateState, Reason) {
        if let paused = seen.paused { return (.paused, paused) }
        if let suspended = seen.suspended { return (.suspended, suspended) }
        guard let level = seen.level else {
            return (.unknown, Reason("unmeasured", "The level cannot be measured, so the gate counts as full."))
        }
        if let trouble = seen.trouble { return (seen.held, trouble) }
        if isFull {
            let standard = { Reason("\(limit.unit.rawValue)_limit", "\(limit.text(level)) are held.") }
            return (seen.held, seen.full ?? standard())
        }
        if seen.isQueueing { return (.queueing, Reason("draining", "The receiver accepts; the queue drains first.")) }
        if isFilling {
            return (.filling, Reason("filling", "\(limit.text(level)) are held; all passes."))
        }
        return (.open, Reason("open", "The receiver accepts."))
    }
}
