import Synchronization
package import WeirGates

/// What became of a batch, as far as its sender must know.
package enum Settlement: Sendable, Hashable {
    /// Weir or the receiver has it: delivered, fsynced in a queue, dead-lettered, or dropped because the operator said
    /// so (counted). The sender may forget it.
    case kept
    /// Nobody has it: the sender must send it again.
    case lost(Reason)
}

/// The promise that a batch will be settled. A source that can acknowledge waits for it before it answers; others let
/// it go.
package final class Receipt: Sendable {
    private enum State {
        case open([CheckedContinuation<Settlement, Never>], [@Sendable (Settlement) -> Void])
        case settled(Settlement)
    }

    private let state: Mutex<State>

    package init() { state = Mutex(.open([], [])) }

    private init(_ settlement: Settlement) { state = Mutex(.settled(settlement)) }

    /// For what is settled at once.
    package static let kept = Receipt(.kept)
    package static func lost(_ reason: Reason) -> Receipt { Receipt(.lost(reason)) }

    /// Settles the batch; only the first call counts.
    package func settle(_ settlement: Settlement) {
        let (waiting, bodies) = state.withLock {
            state -> ([CheckedContinuation<Settlement, Never>], [@Sendable (Settlement) -> Void]) in
            guard case .open(let waiting, let bodies) = state else { return ([], []) }
            state = .settled(settlement)
            return (waiting, bodies)
        }
        for continuation in waiting { continuation.resume(returning: settlement) }
        for body in bodies { body(settlement) }
    }

    /// Calls `body` once, when the batch is settled: at once if it is already, else on the thread that settles it. It
    /// must be quick.
    package func whenSettled(_ body: @escaping @Sendable (Settlement) -> Void) {
        let settlement = state.withLock { state -> Settlement? in
            switch state {
            case .settled(let settlement): return settlement
            case .open(let waiting, let bodies):
                state = .open(waiting, bodies + [body])
                return nil
            }
        }
        if let settlement { body(settlement) }
    }

    /// One receipt for several: settled when all are, and lost if one is.
    package static func joined(_ receipts: [Receipt]) -> Receipt {
        let open = receipts.filter { $0.settlement != .kept }
        if open.isEmpty { return .kept }
        if open.count == 1 { return open[0] }
        let joined = Receipt()
        let rest = Shared((left: open.count, worst: Settlement.kept))
        for receipt in open {
            receipt.whenSettled { settlement in
                let done = rest.value.withLock { rest -> Settlement? in
                    if case .lost = settlement { rest.worst = settlement }
                    rest.left -= 1
                    return rest.left == 0 ? rest.worst : nil
                }
                if let done { joined.settle(done) }
            }
        }
        return joined
    }

    /// `nil` while it is open.
    package var settlement: Settlement? {
        state.withLock { if case .settled(let settlement) = $0 { settlement } else { nil } }
    }

    /// Waits until the batch is settled. Not cancelled with the task: the owner of the batch settles every receipt, at
    /// the latest when it stops.
    package func settled() async -> Settlement {
        await withCheckedContinuation { continuation in
            let settlement = state.withLock { state -> Settlement? in
                switch state {
                case .settled(let settlement): return settlement
                case .open(let waiting, let bodies):
                    state = .open(waiting + [continuation], bodies)
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

/// A mutex that several closures share.
private final class Shared<Value>: Sendable {
    let value: Mutex<Value>
    init(_ value: sending Value) { self.value = Mutex(value) }
}
