package import WeirGates

/// One connector as it is at this moment, all of it seen together.
package struct ConnectorLook: Sendable {
    package var record: ConnectorRecord
    /// `nil` when the queue cannot be read.
    package var level: WorkQueueLevel?
    /// Why, where it is not this node's own queue that cannot be read.
    package var unmeasured: Reason?
    package var marks: ConnectorGate.Marks
    package var pausedBy: String?
    /// Works that are not complete, the newest first.
    package var openWorks: [Work]
}

extension Connectors {
    /// Whoever puts runs off hears of it when a gate changes: then there may be room again.
    /// - Parameter body: called with the bytes in the queue, `nil` when that is unknown.
    package func whenGateChanges(_ body: @escaping @Sendable (ConnectorID, Int64?) -> Void) {
        book.whenGateChanges(body)
    }

    /// A run of a managed connector begins. A reset from now on counts for the run: its state is dropped at its end.
    package func runBegins(_ id: ConnectorID) { book.with { $0.registry.runBegins(id) } }

    /// Of all connectors, in no order.
    package var ids: [ConnectorID] { book.with { Array($0.registry.entries.keys) } }

    /// Each with the newest of its open works first; those that are not registered are left out.
    package func looks(of ids: some Collection<ConnectorID> & Sendable) -> [ConnectorLook] {
        let settings = settings
        let looks = book.with { state in
            ids.compactMap { id -> ConnectorLook? in
                guard let entry = state.registry[id] else { return nil }
                let slot = state.slots[id]
                // Without a slot nothing was ever pushed.
                return ConnectorLook(
                    record: entry.record, level: slot.map(\.level) ?? WorkQueueLevel(messages: 0, bytes: 0),
                    unmeasured: slot?.unmeasured,
                    marks: slot?.gate.marks ?? settings.marks(of: id), pausedBy: slot?.gate.pausedBy,
                    openWorks: state.works.works(of: id))
            }
        }
        return looks.map { look in
            var look = look
            look.openWorks.sort { $0.startedAt > $1.startedAt }
            return look
        }
    }
}
