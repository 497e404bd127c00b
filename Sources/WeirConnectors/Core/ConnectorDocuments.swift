import Foundation
import WeirStore
import WeirWorld

/// How connectors lie in the ledger: four collections, JSON bodies.
///
/// | collection | id | what |
/// | --- | --- | --- |
/// | `connectors` | connector | registration, state, schedule, user, time, a reset that is not yet told |
/// | `connector_reports` | connector | the last ping, and whether runs bring something: written in batches |
/// | `works` | work | the work, owned by its connector |
/// | `work_queues` | connector | how far its queue is counted |
enum ConnectorDocuments {
    struct Identity: Codable {
        var registration: ConnectorRegistration
        var state: String?
        var userID: String
        var registeredAt: WallTime
        var reset: StateReset?
        var schedule: ScheduleMemory?
    }

    struct Heartbeat: Codable {
        var report: ConnectorReport?
        var lastPing: WallTime?
        var runs: RunTally?
    }

    static let connectors = "connectors"
    static let reports = "connector_reports"
    static let works = "works"
    static let queues = "work_queues"

    static func put(_ entry: Registry.Entry) -> LedgerChange {
        .put {
            let record = entry.record
            return LedgerDocument(
                collection: connectors, id: record.id, time: record.registeredAt,
                body: try encode(
                    Identity(
                        registration: record.registration, state: record.state, userID: record.userID,
                        registeredAt: record.registeredAt, reset: entry.reset, schedule: entry.schedule)))
        }
    }

    static func putReport(_ entry: Registry.Entry) -> LedgerChange {
        .put {
            let record = entry.record
            return LedgerDocument(
                collection: reports, id: record.id, time: record.lastPing ?? record.registeredAt,
                body: try encode(Heartbeat(report: record.report, lastPing: record.lastPing, runs: entry.runs)))
        }
    }

    static func put(_ work: Work) -> LedgerChange {
        .put {
            LedgerDocument(
                collection: works, id: work.id, owner: work.connector, time: work.startedAt, body: try encode(work))
        }
    }

    static func put(_ marks: QueueMarks, of connector: ConnectorID) -> LedgerChange {
        .put {
            LedgerDocument(
                collection: queues, id: connector, time: WallTime(nanoseconds: 0), body: try encode(marks))
        }
    }

    static func remove(_ id: ConnectorID) -> [LedgerChange] {
        [
            .remove(collection: connectors, id: id), .remove(collection: reports, id: id),
            .remove(collection: queues, id: id), .removeAll(collection: works, owner: id),
        ]
    }

    static func work(_ document: LedgerDocument) throws(ConnectorFailure) -> Work { try decode(Work.self, document) }

    /// Everything but the works that are done.
    struct Contents {
        var entries: [Registry.Entry] = []
        var openWorks: [Work] = []
        var marks: [ConnectorID: QueueMarks] = [:]
    }

    static func read(_ ledger: Ledger) async throws -> Contents {
        var contents = Contents()
        var heartbeats: [ConnectorID: Heartbeat] = [:]
        for document in try await ledger.documents(in: reports) {
            heartbeats[document.id] = try decode(Heartbeat.self, document)
        }
        for document in try await ledger.documents(in: connectors) {
            let identity = try decode(Identity.self, document)
            var record = ConnectorRecord(
                registration: identity.registration, userID: identity.userID, registeredAt: identity.registeredAt)
            record.state = identity.state
            record.report = heartbeats[document.id]?.report
            record.lastPing = heartbeats[document.id]?.lastPing
            contents.entries.append(
                Registry.Entry(
                    record: record, reset: identity.reset, schedule: identity.schedule,
                    runs: heartbeats[document.id]?.runs ?? RunTally(), writtenPing: record.lastPing))
        }
        for document in try await ledger.documents(in: queues) {
            contents.marks[document.id] = try decode(QueueMarks.self, document)
        }
        let open = contents.marks.values.flatMap(\.openWorks).sorted()
        for document in try await ledger.documents(works, open) {
            contents.openWorks.append(try decode(Work.self, document))
        }
        return contents
    }

    private static func encode(_ value: some Encodable) throws -> [UInt8] {
        [UInt8](try JSONEncoder().encode(value))
    }

    private static func decode<Value: Decodable>(
        _ type: Value.Type, _ document: LedgerDocument
    ) throws(ConnectorFailure) -> Value {
        do {
            return try document.body.withUnsafeBytes { try JSONDecoder().decode(type, from: Data($0)) }
        } catch {
            throw ConnectorFailure(
                .storage, "The ledger's entry \(document.collection)/\(document.id) cannot be read: \(error)")
        }
    }
}
