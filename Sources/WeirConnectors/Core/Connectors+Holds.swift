import Logging
package import WeirGates
import WeirStore
import WeirWorld

// A person holds a connector, and lets it go. Whether it is held is kept with the marks of its queue, so that a restart
// does not let it go; whoever starts runs follows.
extension Connectors {
    package func isHeld(_ id: ConnectorID) -> Bool { book.with { $0.slots[id]?.gate.pausedBy != nil } }

    /// Holds a connector or lets it go. Who wanted it and why is written in the same transaction, before anything
    /// follows from it.
    package func give(
        _ order: GateRegistry.Order, to id: ConnectorID, why: String
    ) async throws(ConnectorFailure) {
        let entry = audit(order, id, why)
        do throws(ConnectorFailure) {
            try await book.commit(id) { state throws(ConnectorFailure) in
                guard state.registry[id] != nil else { throw .unknown(id) }
                if case .hold(let person) = order {
                    state.slots[id]?.marks.pausedBy = person
                } else {
                    state.slots[id]?.marks.pausedBy = nil
                }
                return ((), [.audit(entry)])
            }
        } catch {
            // It was not written, so it is not done either.
            book.with { state in
                let person = state.slots[id]?.gate.pausedBy
                state.slots[id]?.marks.pausedBy = person
            }
            throw error
        }
        book.follow(order, id)
    }

    /// An order that came to the gate, which cannot wait: written before what follows from it all the same, because
    /// the ledger keeps the order of its commits.
    func take(_ order: GateRegistry.Order, _ id: ConnectorID) {
        book.ledger.commit([.audit(audit(order, id, ""))]) { [world] result in
            guard case .failure(let failure) = result else { return }
            world.log.error("the audit cannot be written", metadata: ["error.kind": "\(failure.code)"])
        }
        book.follow(order, id)
    }

    private func audit(_ order: GateRegistry.Order, _ id: ConnectorID, _ why: String) -> AuditEntry {
        let (who, action) =
            switch order {
            case .hold(let person): (person, "pause")
            case .release(let person): (person, "resume")
            }
        return AuditEntry(time: world.time.wall, who: who, action: action, subject: id, why: why)
    }
}

extension ConnectorBook {
    fileprivate func follow(_ order: GateRegistry.Order, _ id: ConnectorID) {
        let wall = world.time.wall
        // Paused first: a run that is just being measured must not take the held gate for a full queue.
        if case .hold = order { held(id, true) }
        withSlot(id) { slot, _ in
            _ = slot.order(order, at: wall)
            slot.isDirty = true
        }
        if case .release = order { held(id, false) }
    }
}
