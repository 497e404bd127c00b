import Foundation
package import WeirStore
import WeirWorld

/// What is remembered of schedules, in the ledger. The times of the last run are in the connector's own record, written
/// with the run's last events; here is what goes beyond them.
package struct LedgerSchedules: Sendable {
    private static let collection = "connector_schedules"

    private let ledger: Ledger

    package init(ledger: Ledger) { self.ledger = ledger }

    /// Returns when it is durable.
    package func write(_ memory: ScheduleMemory, of id: ConnectorID) async throws(ConnectorFailure) {
        do throws(StoreFailure) {
            try await ledger.commit([Self.put(memory, id)])
        } catch {
            throw ConnectorFailure(error)
        }
    }

    /// Writes it soon; that it is lost does no harm.
    package func keep(_ memory: ScheduleMemory, of id: ConnectorID) {
        ledger.commit([Self.put(memory, id)]) { _ in }
    }

    private static func put(_ memory: ScheduleMemory, _ id: ConnectorID) -> LedgerChange {
        .put {
            LedgerDocument(
                collection: collection, id: id, time: memory.lastRun ?? WallTime(nanoseconds: 0),
                body: [UInt8](try JSONEncoder().encode(memory)))
        }
    }

    /// - Parameter report: of the connector's record: newer than what is here when Weir was killed between the two.
    package func read(_ id: ConnectorID, report: ConnectorReport?) async -> ScheduleMemory {
        var memory = ScheduleMemory()
        if let document = try? await ledger.document(Self.collection, id) {
            memory = (try? JSONDecoder().decode(ScheduleMemory.self, from: Data(document.body))) ?? memory
        }
        guard let report, let lastRun = report.lastRun, lastRun != memory.lastRun else { return memory }
        memory.lastRun = lastRun
        memory.nextRun = report.nextRun
        memory.hasBegun = true
        memory.timing = nil
        return memory
    }
}
