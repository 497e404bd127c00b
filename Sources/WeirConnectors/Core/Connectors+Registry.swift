import NIOCore
import WeirGates
package import WeirStore
import WeirWorld

extension Connectors {
    package func register(_ registration: ConnectorRegistration) async throws(ConnectorFailure) -> ConnectorRecord {
        let wall = world.time.wall
        let userID = Self.userID(world.random)
        let record = try await book.commit(registration.id) { state throws(ConnectorFailure) in
            let record = try state.registry.register(registration, userID: userID, at: wall)
            state.changedRecords.insert(registration.id)
            return (record, [])
        }
        book.withSlot(record.id) { _, _ in }
        gates.publish(gateEntry(record.id))
        return record
    }

    package func ping(
        _ id: ConnectorID, state: String?, report: ConnectorReport
    ) async throws(ConnectorFailure) -> ConnectorRecord? {
        if let state, state.utf8.count > Registry.stateBytesMost {
            throw ConnectorFailure(
                .invalid, "The state has \(state.utf8.count) bytes; the most is \(Registry.stateBytesMost).")
        }
        let wall = world.time.wall
        let (answer, isThresholdNew) = book.with { book in
            let isInRun = book.works.running(of: id) != nil
            let answer = book.registry.ping(id, state: state, report: report, isInRun: isInRun, at: wall)
            guard let answer else { return (answer, false) }
            if answer.effect != .heartbeat { book.changedRecords.insert(id) }
            return (answer, book.slots[id]?.follow(answer.record) == true)
        }
        guard let answer else { return nil }
        // Measured anew, and whoever waits for its gate hears of it.
        if isThresholdNew { book.withSlot(id) { _, _ in } }
        if answer.effect == .heartbeat { return answer.record }
        do throws(StoreFailure) {
            try await book.write(id)
        } catch {
            // The process gets an error instead of the news, so it must hear of the reset another time.
            if answer.effect == .dropped { book.with { $0.registry.resetAgain(id) } }
            throw ConnectorFailure(error)
        }
        return answer.record
    }

    package func pingAgain(_ id: ConnectorID, state: String, report: ConnectorReport) -> Bool {
        let wall = world.time.wall
        return book.with { $0.registry.pingAgain(id, state: state, report: report, at: wall) }
    }

    package func connector(_ id: ConnectorID) async -> ConnectorRecord? { book.with { $0.registry[id]?.record } }

    /// Sorted by id.
    package func connectors() async -> [ConnectorRecord] {
        book.with { $0.registry.entries.values.map(\.record) }.sorted { $0.id < $1.id }
    }

    package func remove(_ id: ConnectorID) async throws(ConnectorFailure) {
        let waiting = book.with { $0.slots[id]?.marks.level.messages ?? 0 }
        if waiting > 0 {
            throw ConnectorFailure(
                .invalid,
                "\(waiting) bundles of this connector wait to be delivered; remove it when its queue is empty.")
        }
        try await book.commit(id) { state throws(ConnectorFailure) in
            guard state.registry[id] != nil else { throw .unknown(id) }
            state.registry.remove(id)
            state.works.removeAll(of: id)
            state.slots[id] = nil
            state.changedRecords.remove(id)
            return ((), ConnectorDocuments.remove(id))
        }
        gates.withdraw(Self.gateID(id))
        await queues.remove(id)?.close()
    }

    package func resetState(_ id: ConnectorID) async throws(ConnectorFailure) {
        try await resetState(id, by: "unknown", why: "")
    }

    /// Forgets the connector's state, and writes down who wanted it.
    package func resetState(_ id: ConnectorID, by who: String, why: String) async throws(ConnectorFailure) {
        let entry = AuditEntry(time: world.time.wall, who: who, action: "reset_state", subject: id, why: why)
        try await book.commit(id) { state throws(ConnectorFailure) in
            guard state.registry.resetState(id) else { throw .unknown(id) }
            state.changedRecords.insert(id)
            return ((), [.audit(entry)])
        }
    }

    /// Writes down that somebody did something to a connector: paused it, let it go, started a run.
    package func note(_ action: String, of id: ConnectorID, by who: String, why: String) async throws(ConnectorFailure)
    {
        let entry = AuditEntry(time: world.time.wall, who: who, action: action, subject: id, why: why)
        do throws(StoreFailure) { try await book.ledger.commit([.audit(entry)]) } catch {
            throw ConnectorFailure(error)
        }
    }

    /// Who did what to a connector (to all of them with `nil`), the newest first.
    package func audit(of id: ConnectorID?, most: Int) async throws(ConnectorFailure) -> [AuditEntry] {
        do throws(StoreFailure) {
            return try await book.ledger.audit(subject: id, most: most)
        } catch {
            throw ConnectorFailure(error)
        }
    }

    /// A random UUID (version 4), from the world's chance.
    private static func userID(_ random: any RandomSource) -> String {
        let high = random.next() & 0xFFFF_FFFF_FFFF_0FFF | 0x4000
        let low = random.next() & 0x3FFF_FFFF_FFFF_FFFF | 0x8000_0000_0000_0000
        let digits = [high, low].map { number in
            let text = String(number, radix: 16)
            return String(repeating: "0", count: 16 - text.count) + text
        }.joined()
        var text = ""
        for (index, digit) in digits.enumerated() {
            if [8, 12, 16, 20].contains(index) { text += "-" }
            text.append(digit)
        }
        return text
    }
}

extension ConnectorFailure {
    static func unknown(_ id: ConnectorID) -> ConnectorFailure {
        ConnectorFailure(.unknownConnector, "No connector is registered as \(id); register it first.")
    }

    static func unknownWork(_ id: WorkID) -> ConnectorFailure {
        ConnectorFailure(.unknownWork, "There is no work \(id) (any more).")
    }
}
