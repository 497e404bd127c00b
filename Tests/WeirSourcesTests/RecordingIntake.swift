import NIOCore
import Synchronization
import WeirFlow
import WeirGates
import WeirWorld

/// Keeps what sources hand on; can be closed like a gate, and settles receipts when told.
final class RecordingIntake: Intake {
    let name = "recording"

    private struct State {
        var batches: [Batch] = []
        var receipts: [Receipt] = []
        var isClosed = false
        var waiting: [(id: Int, continuation: CheckedContinuation<Bool, Never>)] = []
        var nextID = 0
        var bytes = 0
        var refusal: IntakeRefusal?
        var isRefusedAfter = 0
        var settlement: Settlement? = .kept
        var delay: Duration?
    }

    private let state = Mutex(State())
    private let time: any TimeSource

    init(time: any TimeSource) { self.time = time }

    func accept(_ batch: Batch, deadline: Moment?) async throws(IntakeRefusal) -> Receipt {
        if let refusal = state.withLock({ $0.batches.count >= $0.isRefusedAfter ? $0.refusal : nil }) { throw refusal }
        if let delay = state.withLock({ $0.delay }) { try? await time.sleep(for: delay) }
        while state.withLock({ $0.isClosed }) {
            if Task.isCancelled { throw .stopped }
            if let deadline, deadline <= time.now { throw .full(Reason("full", "full"), retryAfter: .seconds(7)) }
            if let deadline {
                try? await time.sleep(until: min(deadline, time.now + .milliseconds(5)))
            } else {
                guard await opening() else { throw .stopped }
            }
        }
        return state.withLock { state in
            let receipt = Receipt()
            if let settlement = state.settlement { receipt.settle(settlement) }
            state.receipts.append(receipt)
            state.batches.append(batch)
            state.bytes += batch.byteCount
            return receipt
        }
    }

    private func opening() async -> Bool {
        let id = state.withLock { state in
            state.nextID += 1
            return state.nextID
        }
        return await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let now = state.withLock { state -> Bool? in
                    if Task.isCancelled { return false }
                    if !state.isClosed { return true }
                    state.waiting.append((id, continuation))
                    return nil
                }
                if let now { continuation.resume(returning: now) }
            }
        } onCancel: {
            let mine = state.withLock { state in
                let index = state.waiting.firstIndex { $0.id == id }
                return index.map { state.waiting.remove(at: $0).continuation }
            }
            mine?.resume(returning: false)
        }
    }

    func close() { state.withLock { $0.isClosed = true } }

    func open() {
        let waiting = state.withLock { state in
            state.isClosed = false
            defer { state.waiting = [] }
            return state.waiting
        }
        for each in waiting { each.continuation.resume(returning: true) }
    }

    /// - Parameter count: batches that are taken before.
    func refuse(_ refusal: IntakeRefusal?, after count: Int = 0) {
        state.withLock {
            $0.refusal = refusal
            $0.isRefusedAfter = count
        }
    }
    func settleAll(as settlement: Settlement?) { state.withLock { $0.settlement = settlement } }
    func slow(_ delay: Duration?) { state.withLock { $0.delay = delay } }
    func settleOpen(_ settlement: Settlement) {
        for receipt in state.withLock({ $0.receipts }) { receipt.settle(settlement) }
    }

    var batches: [Batch] { state.withLock { $0.batches } }
    var bytes: Int { state.withLock { $0.bytes } }
    var count: Int { batches.reduce(0) { $0 + $1.count } }
    var texts: [String] { batches.flatMap(\.texts) }
}

extension Batch {
    var texts: [String] { (0..<count).map { String(buffer: event(at: $0)) } }
}
