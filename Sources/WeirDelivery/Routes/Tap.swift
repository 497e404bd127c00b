import Synchronization
package import WeirFlow
import WeirWorld

/// A place where a person may look at what passes (`weir tap`). Off, it costs one atomic load a batch; on, a batch that
/// finds the reader's buffer full is skipped and counted. It never holds anything back.
package final class Tap: Sendable {
    private struct Reader: Sendable {
        var id: Int
        var continuation: AsyncStream<Batch>.Continuation
    }

    private struct State: Sendable {
        var readers: [Reader] = []
        var nextID = 0
    }

    private let isOn = Atomic<Bool>(false)
    private let skipped = Atomic<Int>(0)
    private let state = Mutex(State())

    package init() {}

    package func saw(_ batch: Batch) {
        guard isOn.load(ordering: .relaxed) else { return }
        show(batch)
    }

    /// What passes from now on, in whole batches; ends when the stream is dropped.
    /// - Parameter capacity: batches kept for a slow reader, 16 unless told; each shares the memory of the flow.
    package func open(capacity: Int = 16) -> AsyncStream<Batch> {
        let (stream, continuation) = AsyncStream.makeStream(of: Batch.self, bufferingPolicy: .bufferingOldest(capacity))
        let id = state.withLock { state in
            state.nextID += 1
            state.readers.append(Reader(id: state.nextID, continuation: continuation))
            return state.nextID
        }
        isOn.store(true, ordering: .relaxed)
        continuation.onTermination = { [weak self] _ in self?.close(id) }
        return stream
    }

    /// Events that the readers were too slow for, since the last time this was asked.
    package func takeSkipped() -> Int { skipped.exchange(0, ordering: .relaxed) }

    private func show(_ batch: Batch) {
        for reader in state.withLock({ $0.readers }) {
            if case .dropped = reader.continuation.yield(batch) { skipped.wrappingAdd(batch.count, ordering: .relaxed) }
        }
    }

    private func close(_ id: Int) {
        let isEmpty = state.withLock { state in
            state.readers.removeAll { $0.id == id }
            return state.readers.isEmpty
        }
        if isEmpty { isOn.store(false, ordering: .relaxed) }
    }
}
