import NIOCore
import Synchronization
package import WeirFlow

/// A destination that keeps what it is sent, and answers as a test tells it. It takes everything unless told.
package final class RecordingDestination: Destination {
    package enum Answer: Sendable {
        case take
        case report(DeliveryReport)
        case fail(DeliveryFailure)
        /// Waits until the task is cancelled or `letGo` is called; then takes it.
        case hang
    }

    private struct State {
        var batches: [[String]] = []
        var openings = 0
        var closings = 0
        var inFlight = 0
        var inFlightMost = 0
        var hanging: [Int: CheckedContinuation<Bool, Never>] = [:]
        var nextID = 0
        var openFailure: DeliveryFailure?
    }

    private let state = Mutex(State())
    private let answer: @Sendable (_ batch: Batch, _ attempt: Int) -> Answer
    private let attempts = Atomic<Int>(0)

    /// - Parameter answer: what to say to the batch of an attempt, counted from 1.
    package init(_ answer: @escaping @Sendable (_ batch: Batch, _ attempt: Int) -> Answer = { _, _ in .take }) {
        self.answer = answer
    }

    /// The events of each batch that was taken, in order.
    package var batches: [[String]] { state.withLock { $0.batches } }
    package var events: [String] { batches.flatMap { $0 } }
    package var attemptCount: Int { attempts.load(ordering: .relaxed) }
    package var openings: Int { state.withLock { $0.openings } }
    package var closings: Int { state.withLock { $0.closings } }
    package var inFlightMost: Int { state.withLock { $0.inFlightMost } }
    package var hangingCount: Int { state.withLock { $0.hanging.count } }

    /// What `open` throws from now on.
    package func setOpenFailure(_ failure: DeliveryFailure?) { state.withLock { $0.openFailure = failure } }

    /// Lets every hanging send go on.
    package func letGo() {
        let hanging = state.withLock { state in
            defer { state.hanging = [:] }
            return state.hanging.sorted { $0.key < $1.key }.map(\.value)
        }
        for continuation in hanging { continuation.resume(returning: true) }
    }

    package func open() async throws(DeliveryFailure) {
        let failure = state.withLock { state in
            state.openings += 1
            return state.openFailure
        }
        if let failure { throw failure }
    }

    package func close() async { state.withLock { $0.closings += 1 } }

    package func send(_ batch: Batch) async throws(DeliveryFailure) -> DeliveryReport {
        let attempt = attempts.wrappingAdd(1, ordering: .relaxed).newValue
        state.withLock { state in
            state.inFlight += 1
            state.inFlightMost = max(state.inFlightMost, state.inFlight)
        }
        defer { state.withLock { $0.inFlight -= 1 } }
        switch answer(batch, attempt) {
        case .take:
            keep(batch, without: [])
            return .delivered
        case .report(let report):
            keep(batch, without: Set(report.rejected.map(\.index) + report.postponed.map(\.index)))
            return report
        case .fail(let failure): throw failure
        case .hang:
            guard await hang() else { throw .cancelled }
            keep(batch, without: [])
            return .delivered
        }
    }

    private func keep(_ batch: Batch, without gone: Set<Int>) {
        let events = (0..<batch.count).filter { !gone.contains($0) }.map { String(buffer: batch.event(at: $0)) }
        state.withLock { $0.batches.append(events) }
    }

    private func hang() async -> Bool {
        let id = state.withLock { state in
            state.nextID += 1
            return state.nextID
        }
        return await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isCancelled = state.withLock { state in
                    if Task.isCancelled { return true }
                    state.hanging[id] = continuation
                    return false
                }
                if isCancelled { continuation.resume(returning: false) }
            }
        } onCancel: {
            state.withLock { $0.hanging.removeValue(forKey: id) }?.resume(returning: false)
        }
    }
}
