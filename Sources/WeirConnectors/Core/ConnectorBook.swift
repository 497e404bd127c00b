import Logging
import Synchronization
import WeirGates
import WeirStore
import WeirWorld

/// Everything that is known of connectors, works and queues, under one lock, and its way into the ledger.
///
/// A connector's works and the marks of its queue are always written together, in the order in which they changed: a
/// commit is given to the ledger while the lock is held (that only puts it into a list).
final class ConnectorBook: Sendable {
    struct State: Sendable {
        var registry = Registry()
        var works = WorkBook()
        var slots: [ConnectorID: QueueSlot] = [:]
        /// Connectors with something that is not written.
        var dirty: Set<ConnectorID> = []
        /// Of these, those whose own record changed too.
        var changedRecords: Set<ConnectorID> = []
        var nextTicket: UInt64 = 0
        /// Connectors whose dead letters somebody pushes again or discards: one at a time.
        var handlingLetters: Set<ConnectorID> = []
    }

    let ledger: Ledger
    let world: World
    private let settings: ConnectorsSettings
    private let state = Mutex(State())
    /// Poked when something is to be written.
    let dirtied = Alarm()
    /// Who hears of what. In a structure, because a function that is itself what a `Mutex` guards gets another wrapper
    /// round it with each look, and after some ten thousand looks a call takes a millisecond.
    private struct Listeners {
        /// Called when a gate's state has changed, with the bytes in its queue (`nil`: unknown).
        var transition: @Sendable (ConnectorID, Int64?) -> Void = { _, _ in }
        /// Called when a person holds a connector (`true`) or lets it go.
        var hold: @Sendable (ConnectorID, Bool) -> Void = { _, _ in }
        /// Called on the ledger's thread when a queue's settled records are written down: it may forget them.
        var written: @Sendable (ConnectorID, QueueMarks) -> Void = { _, _ in }
    }
    private let listeners = Mutex(Listeners())

    init(ledger: Ledger, settings: ConnectorsSettings, world: World) {
        self.ledger = ledger
        self.settings = settings
        self.world = world
    }

    func whenWritten(_ body: @escaping @Sendable (ConnectorID, QueueMarks) -> Void) {
        listeners.withLock { $0.written = body }
    }

    /// - Parameter body: called when a gate changes, with the bytes in its queue, `nil` when that is unknown.
    func whenGateChanges(_ body: @escaping @Sendable (ConnectorID, Int64?) -> Void) {
        listeners.withLock { $0.transition = body }
    }

    /// - Parameter body: called before what is pushed is held, and after it is let in again.
    func whenHeld(_ body: @escaping @Sendable (ConnectorID, Bool) -> Void) { listeners.withLock { $0.hold = body } }

    func held(_ id: ConnectorID, _ isHeld: Bool) { listeners.withLock { $0.hold }(id, isHeld) }

    func restore(_ contents: ConnectorDocuments.Contents) {
        state.withLock { state in
            for entry in contents.entries {
                state.registry.restore(entry)
                state.withSlot(entry.record.id, settings, world) { _ = $0.follow(entry.record) }
            }
            for work in contents.openWorks { state.works.load(work) }
            for (id, marks) in contents.marks {
                state.withSlot(id, settings, world) { slot in
                    slot.marks = marks
                    if let person = marks.pausedBy { _ = slot.order(.hold(by: person), at: world.time.wall) }
                    _ = slot.measure(at: world.time.wall)
                }
            }
        }
    }

    /// Looks, or changes what need not be written.
    func with<Value: Sendable>(_ body: (inout State) -> Value) -> Value { state.withLock { body(&$0) } }

    /// Changes a queue's slot (made when missing), measures it and lets in whoever may.
    @discardableResult
    func withSlot<Value: Sendable>(_ id: ConnectorID, _ body: (inout QueueSlot, inout State) -> Value) -> Value {
        let now = world.time.now
        let wall = world.time.wall
        let (value, released, transition, isDirty) = state.withLock { state in
            // One that is new has not changed.
            let before = state.slots[id]?.gate.state ?? .open
            let (value, released, isDirty) = state.withSlot(id, settings, world) { slot, state in
                let before = slot.movement
                let value = body(&slot, &state)
                _ = slot.measure(at: wall)
                if slot.movement != before { slot.movedAt = wall }
                return (value, slot.release(now: now), slot.isDirty)
            }
            if isDirty { state.dirty.insert(id) }
            let gate = state.slots[id]?.gate
            return (value, released, gate?.state == before ? nil : gate, isDirty)
        }
        for continuation in released { continuation.resume(returning: .admitted) }
        if let transition {
            world.log.notice(
                "a connector's gate changed",
                metadata: [
                    "connector": "\(id)", "gate.state": "\(transition.state.rawValue)",
                    "gate.reason": "\(transition.reason.code)", "gate.level": "\(transition.level ?? -1)",
                ])
        }
        if isDirty { dirtied.poke() }
        if let transition { listeners.withLock { $0.transition }(id, transition.level) }
        return value
    }

    // MARK: Writing down

    /// Changes something and returns when that is durable.
    /// - Parameter body: returns its answer and what is to be written besides the connector's works and marks.
    func commit<Value: Sendable>(
        _ id: ConnectorID, _ body: (inout State) throws(ConnectorFailure) -> (Value, [LedgerChange])
    ) async throws(ConnectorFailure) -> Value {
        let outcome = Mutex<Result<Value, ConnectorFailure>>(.failure(ConnectorFailure(.stopped, "Weir stops.")))
        let written: Result<Void, StoreFailure> = await withCheckedContinuation { continuation in
            let given = state.withLock { state -> Bool in
                do throws(ConnectorFailure) {
                    let (value, changes) = try body(&state)
                    outcome.withLock { $0 = .success(value) }
                    write(id, changes, &state) { continuation.resume(returning: $0) }
                    return true
                } catch {
                    outcome.withLock { $0 = .failure(error) }
                    return false
                }
            }
            if !given { continuation.resume(returning: .success(())) }
        }
        let value = try outcome.withLock { $0 }.get()
        if case .failure(let failure) = written { throw ConnectorFailure(failure) }
        return value
    }

    /// Writes what changed of one connector, also when nothing did.
    func write(_ id: ConnectorID) async throws(StoreFailure) {
        let result: Result<Void, StoreFailure> = await withCheckedContinuation { continuation in
            state.withLock { write(id, [], &$0) { continuation.resume(returning: $0) } }
        }
        try result.get()
    }

    /// Takes a work back from the ledger, when it is there and not in memory.
    @discardableResult
    func load(_ id: WorkID) async -> Work? {
        if let work = state.withLock({ $0.works[id] }) { return work }
        guard let document = try? await ledger.document(ConnectorDocuments.works, id),
            let work = try? ConnectorDocuments.work(document)
        else { return nil }
        return state.withLock { state in
            state.works.load(work)
            return state.works[id]
        }
    }

    /// Under the lock: gives the connector's changed works and its marks to the ledger, with what else is given.
    private func write(
        _ id: ConnectorID, _ changes: [LedgerChange], _ state: inout State,
        done: @escaping @Sendable (Result<Void, StoreFailure>) -> Void
    ) {
        var changes = changes
        let works = state.works.takeChanged(of: id)
        changes += works.map { ConnectorDocuments.put($0) }
        if state.changedRecords.remove(id) != nil, let entry = state.registry[id] {
            changes.append(ConnectorDocuments.put(entry))
        }
        state.slots[id]?.marks.openWorks = state.works.openIDs(of: id)
        let marks = state.slots[id]?.marks
        if let marks { changes.append(ConnectorDocuments.put(marks, of: id)) }
        state.slots[id]?.isDirty = false
        state.dirty.remove(id)
        ledger.commit(changes) { [self] result in
            switch result {
            case .success: if let marks { listeners.withLock { $0.written }(id, marks) }
            case .failure: wereNotWritten(id, works)
            }
            done(result)
        }
    }

    private func wereNotWritten(_ id: ConnectorID, _ works: [Work]) {
        state.withLock { state in
            state.works.wereNotWritten(works)
            if state.registry[id] != nil { state.changedRecords.insert(id) }
            if state.slots[id] != nil {
                state.slots[id]?.isDirty = true
                state.dirty.insert(id)
            }
        }
    }

    /// Writes what is not written of any queue and its works.
    func flush() async throws(StoreFailure) {
        let failures = Mutex<StoreFailure?>(nil)
        let ids = state.withLock { $0.dirty.sorted() }
        if ids.isEmpty { return }
        let left = Mutex(ids.count)
        await withCheckedContinuation { (continuation: CheckedContinuation<Void, Never>) in
            for id in ids {
                state.withLock { state in
                    write(id, [], &state) { result in
                        if case .failure(let failure) = result { failures.withLock { $0 = failure } }
                        let isLast = left.withLock { left in
                            left -= 1
                            return left == 0
                        }
                        if isLast { continuation.resume() }
                    }
                }
            }
        }
        if let failure = failures.withLock({ $0 }) { throw failure }
    }

    /// Writes the reports and heartbeats that are to be written.
    /// - Parameter isLast: with each heartbeat that is newer than what is written.
    func flushReports(isLast: Bool = false) async throws(StoreFailure) {
        let entries = state.withLock { $0.registry.takeUnwritten(isLast: isLast) }
        if entries.isEmpty { return }
        do throws(StoreFailure) {
            try await ledger.commit(entries.map { ConnectorDocuments.putReport($0) })
        } catch {
            state.withLock { $0.registry.wereNotWritten(entries.map(\.record.id)) }
            throw error
        }
    }
}

extension ConnectorBook.State {
    fileprivate mutating func withSlot<Value>(
        _ id: ConnectorID, _ settings: ConnectorsSettings, _ world: World,
        _ body: (inout QueueSlot, inout ConnectorBook.State) -> Value
    ) -> Value {
        var slot =
            slots.removeValue(forKey: id)
            ?? QueueSlot(gate: ConnectorGate(marks: settings.marks(of: id), at: world.time.wall))
        defer { slots[id] = slot }
        return body(&slot, &self)
    }

    fileprivate mutating func withSlot(
        _ id: ConnectorID, _ settings: ConnectorsSettings, _ world: World, _ body: (inout QueueSlot) -> Void
    ) {
        withSlot(id, settings, world) { slot, _ in body(&slot) }
    }
}

extension ConnectorFailure {
    init(_ failure: StoreFailure) {
        switch failure {
        case .closed, .cancelled: self.init(.stopped, "Weir stops.")
        default: self.init(.storage, "Weir could not write it down: \(failure). Nothing was taken; try again.")
        }
    }
}
