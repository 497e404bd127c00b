import NIOCore
package import WeirGates
import WeirStore
package import WeirWorld

extension Connectors {
    package func queueLevel(_ id: ConnectorID) async -> WorkQueueLevel? {
        book.with { state in
            guard let slot = state.slots[id] else { return WorkQueueLevel(messages: 0, bytes: 0) }
            // A person holds it: as good as full, so that a scheduled run is put off instead of waiting in its middle.
            guard slot.gate.pausedBy == nil else { return nil }
            return slot.level
        }
    }

    /// May a scheduled run start now?
    package func verdict(_ id: ConnectorID) async -> Verdict { book.with { $0.slots[id]?.gate.run ?? .pass } }

    package func push(_ bundle: BundlePush, deadline: Moment?) async throws(ConnectorFailure) {
        try await push(bundle, end: nil, deadline: deadline)
    }

    package func beginPush(
        _ head: BundleHead, deadline: Moment?
    ) async throws(ConnectorFailure) -> any BundleReception {
        try await receive(head, end: nil, deadline: deadline)
    }

    /// Ends a managed connector's run: state and times are durable together with its last bundle, if it has one.
    package func finishRun(
        _ id: ConnectorID, _ end: RunEnd, last: BundlePush?, deadline: Moment?
    ) async throws(ConnectorFailure) {
        if let last { return try await push(last, end: end, deadline: deadline) }
        guard book.with({ $0.registry[id] != nil }) else { throw .unknown(id) }
        if let work = end.work { await book.load(work) }
        let record = WorkRecord(body: .none, work: nil, bytes: 0, runEnd: end)
        try await door.persistently(id, until: deadline) { [queues] () throws(StoreFailure) in
            try await queues[id].append(record, reserved: 0)
        }
        workers.ready(id)
    }

    private func push(_ bundle: BundlePush, end: RunEnd?, deadline: Moment?) async throws(ConnectorFailure) {
        var head = bundle.head
        head.byteCount = bundle.bytes.readableBytes
        let reception = try await receive(head, end: end, deadline: deadline)
        do throws(ConnectorFailure) {
            try await reception.write(bundle.bytes)
        } catch {
            await reception.abandon()
            throw error
        }
        try await reception.finish()
    }

    private func receive(
        _ head: BundleHead, end: RunEnd?, deadline: Moment?
    ) async throws(ConnectorFailure) -> any BundleReception {
        let id = head.connector
        if isStopping { throw ConnectorFailure(.stopped, "Weir stops; nothing was taken.") }
        guard book.with({ $0.registry[id] != nil }) else { throw .unknown(id) }
        let reserved = Int64(max(0, head.byteCount ?? 0))
        try await door.admit(id, bytes: reserved, until: deadline)
        let queue = queues[id]
        do throws(ConnectorFailure) {
            _ = try await door.persistently(id, until: deadline) { () throws(StoreFailure) in try await queue.use() }
        } catch {
            book.withSlot(id) { slot, _ in slot.reserve(-reserved) }
            throw error
        }
        return BundleReceiver(
            head, reserved: reserved, queue: queue, door: door, deadline: deadline, runEnd: end,
            done: { [workers] in workers.ready(id) })
    }
}
