import Synchronization
import WeirWorld

/// A sleep that can be cut short: one task waits, anybody pokes.
final class Alarm: Sendable {
    private enum State {
        case quiet
        case poked
        case waiting(CheckedContinuation<Void, Never>)
    }

    private let state = Mutex(State.quiet)

    func poke() {
        let waiting = state.withLock { state -> CheckedContinuation<Void, Never>? in
            if case .waiting(let continuation) = state {
                state = .quiet
                return continuation
            }
            state = .poked
            return nil
        }
        waiting?.resume()
    }

    /// Returns at the moment, when poked, or when the task is cancelled.
    func wait(until moment: Moment, _ time: any TimeSource) async {
        if moment == .distantFuture { return await untilPoked() }
        await withTaskGroup(of: Void.self) { group in
            group.addTask { try? await time.sleep(until: moment) }
            group.addTask { await self.untilPoked() }
            await group.next()
            group.cancelAll()
        }
    }

    private func untilPoked() async {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isDone = state.withLock { state -> Bool in
                    if case .poked = state {
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
}
