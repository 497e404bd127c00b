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
/// same state behind. Thus a reset that was told is never undone by what the process had before, and it makes one
/// process begin again once. A run that goes on while its process is told may still end with a state of its own, which
/// counts, as in OpenCTI.
enum StateReset: Sendable, Hashable, Codable {
    /// Can become: `told`, with the next ping that brings a state.
    case untold
    /// Can become: `untold`, when the same comes again.
    case told(insteadOf: String)

    /// - Parameter state: what the process believes; `nil` when it says nothing of it, and reads the answer only.
    /// - Returns: `isDropped` when it must not be stored; the answer then says that there is no state.
    func pinged(with state: String?) -> (next: StateReset?, isDropped: Bool) {
        guard let state else { return (nil, true) }
        if state.isEmpty || state == "null" { return (nil, false) }
        switch self {
        case .untold: return (.told(insteadOf: state), true)
        case .told(let before): return state.isDifferent(from: before) ? (nil, false) : (.untold, true)
        }
    }
}
