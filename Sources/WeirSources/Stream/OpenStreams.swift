import Synchronization

/// The connections of a source that are open or still have something to hand on.
final class OpenStreams: Sendable {
    struct Entry: Sendable {
        /// Stops reading; what was read is still handed on.
        var stop: @Sendable () -> Void
        /// Gives up what was not handed on yet.
        var cancel: @Sendable () -> Void
    }

    private struct State {
        var entries: [ObjectIdentifier: Entry] = [:]
        var isStopping = false
        var waiting: [CheckedContinuation<Void, Never>] = []

        mutating func finished() -> [CheckedContinuation<Void, Never>] {
            guard isStopping, entries.isEmpty else { return [] }
            defer { waiting = [] }
            return waiting
        }
    }

    private let state = Mutex(State())
    let limit: Int

    init(limit: Int) { self.limit = limit }

    enum Entrance { case welcome, full, stopping }

    func enter(_ id: ObjectIdentifier, _ entry: Entry) -> Entrance {
        state.withLock { state in
            if state.isStopping { return .stopping }
            if state.entries.count >= limit { return .full }
            state.entries[id] = entry
            return .welcome
        }
    }

    func leave(_ id: ObjectIdentifier) {
        let done = state.withLock { state in
            state.entries[id] = nil
            return state.finished()
        }
        for continuation in done { continuation.resume() }
    }

    /// No newcomers; everybody stops reading. Idempotent.
    func stop() {
        let (entries, done) = state.withLock { state in
            let isFirst = !state.isStopping
            state.isStopping = true
            return (isFirst ? Array(state.entries.values) : [], state.finished())
        }
        for entry in entries { entry.stop() }
        for continuation in done { continuation.resume() }
    }

    /// Stops and gives up what is not handed on.
    func cancel() {
        stop()
        let entries = state.withLock { Array($0.entries.values) }
        for entry in entries { entry.cancel() }
    }

    /// Waits until it was stopped and all have left.
    func finished() async {
        await withCheckedContinuation { continuation in
            let isDone = state.withLock { state in
                if state.isStopping && state.entries.isEmpty { return true }
                state.waiting.append(continuation)
                return false
            }
            if isDone { continuation.resume() }
        }
    }
}
