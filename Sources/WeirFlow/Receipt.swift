import Synchronization
package import WeirGates

/// What became of a batch, as far as its sender must know.
package enum Settlement: Sendable, Hashable {
    /// Weir or the receiver has it: delivered, fsynced in a queue, dead-lettered, or dropped because the operator said so (counted).
    /// The sender may forget it.
    case kept
    /// Nobody has it: the sender must send it again.
    case lost(Reason)
}

/// The promise that a batch will be settled. A source that can acknowledge waits for it before it answers; others let it go.
package final class Receipt: Sendable {
    private enum State {
        case open([CheckedContinuation<Settlement, Never>])
        case settled(Settlement)
    }

    private let state: Mutex<State>

    package init() { state = Mutex(.open([])) }

    private init(_ settlement: Settlement) { state = Mutex(.settled(settlement)) }

    /// For what is settled at once.
    package static let kept = Receipt(.kept)
    package static func lost(_ reason: Reason) -> Receipt { Receipt(.lost(reason)) }

    /// Settles the batch; only the first call counts.
    package func settle(_ settlement: Settlement) {
        let waiting = state.withLock { state -> [CheckedContinuation<Settlement, Never>] in
            guard case .open(let waiting) = state else { return [] }
            state = .settled(settlement)
            return waiting
        }
        for continuation in waiting { continuation.resume(returning: settlement) }
    }

    /// `nil` while it is open.
    package var settlement: Settlement? {
        state.withLock { if case .settled(let settlement) = $0 { settlement } else { nil } }
    }

    /// Waits until the batch is settled. Not cancelled with the task: the owner of the batch settles every receipt, at the
    /// latest when it stops.
    package func settled() async -> Settlement {
        await withCheckedContinuation { continuation in
            let settlement = state.withLock { state -> Settlement? in
                switch state {
                case .settled(let settlement): return settlement
                case .open(var waiting):
                    waiting.append(continuation)
                    state = .open(waiting)
                    return nil
                }
            }
            if let settlement { continuation.resume(returning: settlement) }
        }
    }

    /// Waits for all; the worst counts.
    package static func settled(_ receipts: [Receipt]) async -> Settlement {
        var worst = Settlement.kept
        for receipt in receipts {
            let settlement = await receipt.settled()
            if case .lost = settlement { worst = settlement }
        }
        return worst
    }
}
