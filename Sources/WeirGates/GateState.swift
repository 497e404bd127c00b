/// What a gate does right now, in the one word that code, console, metrics and docs share.
package enum GateState: String, Sendable, Hashable, CaseIterable {
    /// Everything passes. Can become: any other.
    case open
    /// Everything passes, but the level is at 75 % of the limit or above. Can become: `open` below 60 %, or a held
    /// state.
    case filling
    /// The sender waits. Can become: `filling` or `open` when there is room again.
    case blocking
    /// What comes in is dropped and counted (`on_backpressure: drop`). Can become: as `blocking`.
    case dropping
    /// What comes in goes to the disk queue. Can become: `open` once the queue is empty and the receiver accepts.
    case queueing
    /// A scheduled run is put off. Can become: `open` when the level is below the threshold.
    case buffering
    /// Waits for a person: the receiver says that the configuration is wrong, or a catch was tripped. Can become:
    /// `open` by a person.
    case suspended
    /// A person holds it. Can become: `open` by a person.
    case paused
    /// The level cannot be measured; treated as full. Can become: any other once it can.
    case unknown

    /// True where the sender's events do not go straight on to the receiver.
    package var isHeld: Bool { self != .open && self != .filling }

    /// How bad it is, for "most pressed first" and for the state of a whole: higher is worse.
    package var severity: Int {
        switch self {
        case .open: 0
        case .filling: 1
        case .buffering: 2
        case .queueing: 3
        case .paused: 4
        case .blocking: 5
        case .dropping: 6
        case .suspended: 7
        case .unknown: 8
        }
    }
}

/// Which flow a gate stands in.
package enum GateKind: String, Sendable, Hashable, CaseIterable {
    case stream, connector, tunnel, identity

    /// What the ids of connectors' gates begin with.
    package static let connectorPrefix = "connector/"
}

/// What a gate answers to one who wants to pass.
package enum Verdict: Sendable, Hashable {
    case pass, wait, drop, keep, postpone, suspend
}
