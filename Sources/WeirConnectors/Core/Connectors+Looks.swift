package import WeirGates
package import WeirWorld

/// One connector as it is at this moment, all of it seen together.
package struct ConnectorLook: Sendable {
    package var record: ConnectorRecord
    /// `nil` when the queue cannot be read.
    package var level: WorkQueueLevel?
    /// Why, where it is not this node's own queue that cannot be read.
    package var unmeasured: Reason?
    package var marks: ConnectorGate.Marks
    package var pausedBy: String?
    package var gate = GateState.open
    /// Pushes that wait at the gate.
    package var pushesWaiting = 0
    /// The gate holds pushes back: over the hard limit, or the disk takes nothing.
    package var isBlocked = false
    /// Of pushes that are in and not durable yet.
    package var bytesUnderWay: Int64 = 0
    /// When anything came into its queue or left it last, since Weir started.
    package var movedAt: WallTime?
    package var runs = RunTally()
    /// Its bundles that lie as dead letters now.
    package var deadLetters = 0
    /// Works that are not complete, the newest first.
    package var openWorks: [Work]
}

extension Connectors {
    /// Of all connectors, in no order.
    package var ids: [ConnectorID] { book.with { Array($0.registry.entries.keys) } }

    package var count: Int { book.with { $0.registry.entries.count } }

    /// Each with the newest of its open works first; those that are not registered are left out.
    package func looks(of ids: some Collection<ConnectorID> & Sendable) -> [ConnectorLook] {
        let settings = settings
        let letters = workers.deadLetters.counts
        let looks = book.with { state in
            ids.compactMap { id -> ConnectorLook? in
                guard let entry = state.registry[id] else { return nil }
                let slot = state.slots[id]
                // Without a slot nothing was ever pushed.
                var look = ConnectorLook(
                    record: entry.record, level: slot.map(\.level) ?? WorkQueueLevel(messages: 0, bytes: 0),
                    unmeasured: slot?.unmeasured,
                    marks: slot?.gate.marks ?? settings.marks(of: id), pausedBy: slot?.gate.pausedBy,
                    openWorks: state.works.works(of: id))
                look.runs = entry.runs
                look.deadLetters = letters[id] ?? 0
                if let slot { look.add(slot) }
                return look
            }
        }
        return looks.map { look in
            var look = look
            look.openWorks.sort { $0.startedAt > $1.startedAt }
            return look
        }
    }
}

extension ConnectorLook {
    fileprivate mutating func add(_ slot: QueueSlot) {
        pushesWaiting = slot.waiting.count
        gate = slot.gate.state
        isBlocked = gate == .blocking
        bytesUnderWay = slot.reserved
        movedAt = slot.movedAt
    }
}
