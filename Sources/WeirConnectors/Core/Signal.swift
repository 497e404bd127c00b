import Synchronization
import WeirWorld

/// A bell: one task waits for it, anybody rings. A ring while nobody waits is kept, once.
final class Signal: Sendable {
    private enum State {
        case quiet
        case rung
        case waiting(CheckedContinuation<Void, Never>)
    }

    private let state = Mutex(State.quiet)

    func poke() {
        let waiting = state.withLock { state -> CheckedContinuation<Void, Never>? in
            if case .waiting(let continuation) = state {
                state = .quiet
                return continuation
            }
            state = .rung
            return nil
        }
        waiting?.resume()
    }

    /// Returns when rung, or when the task is cancelled.
    func wait() async {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isDone = state.withLock { state -> Bool in
                    if case .rung = state {
                        state = .quiet
                        return true
                    }
                    if Task.isCancelled { return true }
                    state = .waiting(continuation)
                    return false
                }
                if isDone { continuation.resume() }
            }
        } onCancel: {
            let waiting = state.withLock { state -> CheckedContinuation<Void, Never>? in
                guard case .waiting(let continuation) = state else { return nil }
                state = .quiet
                return continuation
            }
            waiting?.resume()
        }
    }

    /// Returns when rung, at the moment, or when the task is cancelled.
    func wait(until moment: Moment, _ time: any TimeSource) async {
        await withTaskGroup(of: Void.self) { group in
            group.addTask { try? await time.sleep(until: moment) }
            group.addTask { await self.wait() }
            await group.next()
            group.cancelAll()
        }
    }
}
