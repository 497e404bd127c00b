/// How far the reset of a connector's state has come to its process.
///
/// The answer to a ping is the only way to tell a process. pycti's ping thread obeys the answer; its `force_ping` does
/// not: where the answer differs from what it sent, it sends the same once more, to win (6.4.11 and 7.261026.0). So a
/// state that comes back unchanged has not been heard, and everything else that comes after the telling has:
///
/// | ping brings | not told yet | told in answer to a ping with S |
/// | --- | --- | --- |
/// | no state (`null`, empty) | stored; done | stored; done |
/// | S, no work begun since | dropped; told | dropped; not told after all |
/// | anything else | dropped; told | stored; done |
///
/// A work that begins after the telling, and a new registration, end it too: a run that begins anew may leave the very
/// same state behind. Thus a reset is never undone by what the process had before.
///
/// A run that goes on while its process is told may end with a state made from the old one. Then nothing of the above
/// ends the reset: the process is told again, once.
struct StateReset: Sendable, Hashable, Codable {
    private struct Telling: Sendable, Hashable, Codable {
        /// What the ping brought that was answered.
        var insteadOf: String
        /// A run was going on.
        var isInRun: Bool
    }

    /// A second telling is the last that may come too early: a connector that never closes its works looks as if it
    /// were always in a run.
    private static let tellingsMost = 2

    private var telling: Telling?
    private var tellings = 0

    /// - Parameters:
    ///   - state: what the process believes; `nil` when it says nothing of it, and reads the answer only.
    ///   - isInRun: exactly one of its works has begun and not ended.
    /// - Returns: `isDropped` when it must not be stored; the answer then says that there is no state.
    func pinged(with state: String?, isInRun: Bool) -> (next: StateReset?, isDropped: Bool) {
        guard let state else { return (nil, true) }
        let mayComeAgain = telling?.isInRun == true && tellings < StateReset.tellingsMost
        if state.isEmpty || state == "null" { return (mayComeAgain && isInRun ? self : nil, false) }
        var next = self
        if let telling {
            guard state.isDifferent(from: telling.insteadOf) else {
                next.telling = nil
                next.tellings -= 1
                return (next, true)
            }
            if !mayComeAgain { return (nil, false) }
        }
        next.telling = Telling(insteadOf: state, isInRun: isInRun)
        next.tellings += 1
        return (next, true)
    }

    /// A work begins.
    func workBegins() -> StateReset? {
        guard let telling else { return self }
        guard telling.isInRun, tellings < StateReset.tellingsMost else { return nil }
        var next = self
        next.telling = nil
        return next
    }
}
