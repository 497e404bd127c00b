import NIOCore
import Synchronization
package import WeirFlow
import WeirGates
package import WeirWorld

/// An intake that keeps what it is given, and lets a test decide when there is room, how long it takes and how it ends.
package final class RecordingIntake: Intake {
    package let name: String

    private struct State {
        var batches: [Batch] = []
        var isOpen = true
        var waiting = 0
        var refusal: IntakeRefusal?
        var refusalAfter = 0
        var settlement: Settlement? = .kept
        var receipts: [Receipt] = []
        var delay: Duration?
    }

    private let time: (any TimeSource)?
    private let state = Mutex(State())
    private let opened = Alarm()

    /// - Parameter time: with a clock it waits until a deadline while it is closed, as the real gate does; without one
    ///   it refuses what has a deadline at once.
    package init(name: String = "recording", time: (any TimeSource)? = nil) {
        self.name = name
        self.time = time
    }

    package var batches: [Batch] { state.withLock { $0.batches } }
    package var events: [String] { batches.flatMap(\.texts) }
    package var eventCount: Int { batches.reduce(0) { $0 + $1.count } }
    package var byteCount: Int { batches.reduce(0) { $0 + $1.byteCount } }
    /// Senders that wait for room.
    package var waiting: Int { state.withLock { $0.waiting } }

    /// Closed: `accept` waits.
    package func close() { state.withLock { $0.isOpen = false } }

    package func open() {
        state.withLock { $0.isOpen = true }
        opened.poke()
    }

    /// What every `accept` throws from now on; `nil` for none.
    /// - Parameter count: batches that are taken before.
    package func refuse(_ refusal: IntakeRefusal?, after count: Int = 0) {
        state.withLock {
            $0.refusal = refusal
            $0.refusalAfter = count
        }
    }

    /// How long every `accept` takes; needs a clock.
    package func slow(_ delay: Duration?) { state.withLock { $0.delay = delay } }

    /// What receipts say: `.kept` at once unless told; `nil` leaves them open until `settle`.
    package func setSettlement(_ settlement: Settlement?) { state.withLock { $0.settlement = settlement } }

    package func settle(_ settlement: Settlement) {
        let receipts = state.withLock { state in
            defer { state.receipts = [] }
            return state.receipts
        }
        for receipt in receipts { receipt.settle(settlement) }
    }

    package func accept(_ batch: Batch, deadline: Moment?) async throws(IntakeRefusal) -> Receipt {
        try refuse()
        if let delay = state.withLock({ $0.delay }) { try? await time?.sleep(for: delay) }
        while !state.withLock({ $0.isOpen }) {
            if let deadline, deadline <= time?.now ?? .distantFuture {
                throw .full(Reason("buffer_full", "The intake is closed."), retryAfter: .seconds(7))
            }
            state.withLock { $0.waiting += 1 }
            if let time { await opened.wait(until: deadline ?? .distantFuture, time) } else { await opened.wait() }
            state.withLock { $0.waiting -= 1 }
            if Task.isCancelled { throw .stopped }
            try refuse()
        }
        return state.withLock { state in
            state.batches.append(batch)
            let receipt = Receipt()
            if let settlement = state.settlement { receipt.settle(settlement) } else { state.receipts.append(receipt) }
            return receipt
        }
    }

    private func refuse() throws(IntakeRefusal) {
        if let refusal = state.withLock({ $0.batches.count >= $0.refusalAfter ? $0.refusal : nil }) { throw refusal }
    }
}

extension Batch {
    /// Its events as text.
    package var texts: [String] { (0..<count).map { String(buffer: event(at: $0)) } }
}
