import Synchronization

/// The bookkeeping as the two lanes and the callers share it.
final class SharedState: Sendable {
    private let state: Mutex<QueueState>

    init(_ state: QueueState) { self.state = Mutex(state) }

    func withLock<Result: Sendable>(_ body: (inout QueueState) -> Result) -> Result {
        state.withLock { body(&$0) }
    }
}
