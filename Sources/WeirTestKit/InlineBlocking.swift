import Synchronization
package import WeirWorld

/// Runs blocking jobs at once on the caller's stack, in order: for the simulation and for tests without threads.
package struct InlineBlocking: BlockingExecutor {
    package init() {}

    package func lane(_ name: String) -> any BlockingLane { InlineLane() }
}

private final class InlineLane: BlockingLane {
    private struct State {
        var jobs: [@Sendable () -> Void] = []
        var isRunning = false
        var isClosed = false
    }

    private let state = Mutex(State())

    func enqueue(_ job: @escaping @Sendable () -> Void) {
        let isMine = state.withLock { state in
            guard !state.isClosed else { return false }
            state.jobs.append(job)
            defer { state.isRunning = true }
            return !state.isRunning
        }
        // A job that enqueues another one is finished first: a lane runs its jobs one after the other.
        guard isMine else { return }
        while let job = next() { job() }
    }

    func close() { state.withLock { $0.isClosed = true } }

    private func next() -> (@Sendable () -> Void)? {
        state.withLock { state in
            if state.jobs.isEmpty {
                state.isRunning = false
                return nil
            }
            return state.jobs.removeFirst()
        }
    }
}
