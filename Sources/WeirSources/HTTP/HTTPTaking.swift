internal import NIOCore
import Synchronization
internal import WeirFlow
internal import WeirGates
internal import WeirWorld

/// Hands the batches of one request to the routes and waits until they are safe.
struct HTTPTaking: Sendable {
    let intake: any Intake
    let meter: SourceMeter
    let world: World
    /// How long a request waits for room.
    let wait: Duration
    /// How long it waits after that until the events are safe.
    let settleWait: Duration

    enum Outcome: Sendable {
        case taken([Receipt])
        case refused(HTTPRefusal)
    }

    /// Hands all batches on, one after the other. What was taken before a refusal stays: the sender repeats the
    /// request, and those events arrive twice (at least once, never none).
    func take(_ batches: [Batch]) async -> Outcome {
        let deadline = world.time.now + wait
        var receipts: [Receipt] = []
        for batch in batches {
            for piece in batch.cuts(bytes: Handing.batchMost, events: .max).map(batch.slice) {
                do throws(IntakeRefusal) {
                    let receipt = try await meter.waiting(world.time) { () async throws(IntakeRefusal) in
                        try await intake.accept(piece, deadline: deadline)
                    }
                    receipts.append(receipt)
                    meter.took(events: piece.count, bytes: piece.byteCount)
                } catch {
                    switch error {
                    case .full(_, let retryAfter): return .refused(.busy(retryAfter: retryAfter))
                    case .stopped: return .refused(.stopping)
                    }
                }
            }
        }
        return .taken(receipts)
    }

    /// Hands all batches on and waits for their receipts; `nil` when all are safe.
    func keep(_ batches: [Batch]) async -> HTTPRefusal? {
        switch await take(batches) {
        case .refused(let refusal): return refusal
        case .taken(let receipts):
            let deadline = world.time.now + settleWait
            for receipt in receipts {
                switch await settlement(of: receipt, until: deadline) {
                case .kept: continue
                case .lost(let reason): return .notKept(reason.sentence)
                case nil: return .busy(retryAfter: nil)
                }
            }
            return nil
        }
    }

    /// `nil` when it is still open at the deadline.
    private func settlement(of receipt: Receipt, until deadline: Moment) async -> Settlement? {
        if let settlement = receipt.settlement { return settlement }
        let first = FirstAnswer()
        // Two tasks race, because waiting for a receipt cannot be cancelled: it ends when the receipt is settled, at
        // the latest when its owner stops. The clock's task is cancelled here.
        let clock = Task { [world] in
            try? await world.time.sleep(until: deadline)
            first.answer(nil)
        }
        Task { first.answer(await receipt.settled()) }
        let answer = await first.wait()
        clock.cancel()
        return answer
    }
}

/// Takes the first of several answers.
private final class FirstAnswer: Sendable {
    private enum State {
        case open
        case waiting(CheckedContinuation<Settlement?, Never>)
        case answered(Settlement?)
    }
    private let state = Mutex(State.open)

    func answer(_ settlement: Settlement?) {
        let waiting = state.withLock { state -> CheckedContinuation<Settlement?, Never>? in
            switch state {
            case .answered: return nil
            case .open:
                state = .answered(settlement)
                return nil
            case .waiting(let continuation):
                state = .answered(settlement)
                return continuation
            }
        }
        waiting?.resume(returning: settlement)
    }

    func wait() async -> Settlement? {
        await withCheckedContinuation { continuation in
            let answer = state.withLock { state -> Settlement?? in
                if case .answered(let settlement) = state { return .some(settlement) }
                state = .waiting(continuation)
                return nil
            }
            if let answer { continuation.resume(returning: answer) }
        }
    }
}
