import NIOCore
import Synchronization
package import WeirFlow
import WeirGates
package import WeirWorld

/// An intake that keeps what it is given, and lets a test decide when there is room.
package final class RecordingIntake: Intake {
    package let name: String

    private struct State {
        var batches: [Batch] = []
        var isOpen = true
        var refusal: IntakeRefusal?
        var settlement: Settlement? = .kept
        var receipts: [Receipt] = []
        var waiters: [Int: CheckedContinuation<Bool, Never>] = [:]
        var nextID = 0
    }

    private let state = Mutex(State())

    package init(name: String = "recording") { self.name = name }

    package var batches: [Batch] { state.withLock { $0.batches } }
    package var events: [String] {
        batches.flatMap { batch in (0..<batch.count).map { String(buffer: batch.event(at: $0)) } }
    }
    package var eventCount: Int { batches.reduce(0) { $0 + $1.count } }
    package var byteCount: Int { batches.reduce(0) { $0 + $1.byteCount } }
    /// Senders that wait for room.
    package var waiting: Int { state.withLock { $0.waiters.count } }

    /// Closed: `accept` waits (or refuses, when its deadline has passed).
    package func close() { state.withLock { $0.isOpen = false } }

    package func open() {
        let waiters = state.withLock { state in
            state.isOpen = true
            defer { state.waiters = [:] }
            return state.waiters.sorted { $0.key < $1.key }.map(\.value)
        }
        for waiter in waiters { waiter.resume(returning: true) }
    }

    /// What every `accept` throws from now on; `nil` for none.
    package func refuse(_ refusal: IntakeRefusal?) { state.withLock { $0.refusal = refusal } }

    /// What receipts say: `.kept` at once unless told; `nil` leaves them open until `settle`.
    package func setSettlement(_ settlement: Settlement?) { state.withLock { $0.settlement = settlement } }

    package func settle(_ settlement: Settlement) {
        let receipts = state.withLock { state in
            defer { state.receipts = [] }
            return state.receipts
        }
        for receipt in receipts { receipt.settle(settlement) }
    }

    /// Closed, it refuses at once what has a deadline: the real gate waits until then, with its own clock.
    package func accept(_ batch: Batch, deadline: Moment?) async throws(IntakeRefusal) -> Receipt {
        while true {
            let (isOpen, refusal) = state.withLock { ($0.isOpen, $0.refusal) }
            if let refusal { throw refusal }
            if isOpen { break }
            if deadline != nil { throw .full(.init("buffer_full", "The intake is closed."), retryAfter: .seconds(7)) }
            guard await waitForRoom() else { throw .stopped }
        }
        return state.withLock { state in
            state.batches.append(batch)
            let receipt = Receipt()
            if let settlement = state.settlement { receipt.settle(settlement) } else { state.receipts.append(receipt) }
            return receipt
        }
    }

    private func waitForRoom() async -> Bool {
        let id = state.withLock { state in
            state.nextID += 1
            return state.nextID
        }
        return await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let answer = state.withLock { state -> Bool? in
                    if Task.isCancelled { return false }
                    if state.isOpen { return true }
                    state.waiters[id] = continuation
                    return nil
                }
                if let answer { continuation.resume(returning: answer) }
            }
        } onCancel: {
            state.withLock { $0.waiters.removeValue(forKey: id) }?.resume(returning: false)
        }
    }
}
