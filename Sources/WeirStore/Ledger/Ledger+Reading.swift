import Foundation
import GRDB
import WeirWorld

extension Ledger {
    /// All documents of a collection, sorted by id.
    package func documents(in collection: String) async throws(StoreFailure) -> [LedgerDocument] {
        try await read { database in
            try LedgerDocument.fetch(
                database, "SELECT * FROM document WHERE collection = ? ORDER BY id", [collection])
        }
    }

    /// Documents of one owner, the newest first.
    package func documents(
        in collection: String, owner: String, most: Int
    ) async throws(StoreFailure) -> [LedgerDocument] {
        try await read { database in
            try LedgerDocument.fetch(
                database,
                "SELECT * FROM document WHERE collection = ? AND owner = ? ORDER BY time DESC, id DESC LIMIT ?",
                [collection, owner, most])
        }
    }

    /// Documents of all owners, the newest first.
    package func newestDocuments(in collection: String, most: Int) async throws(StoreFailure) -> [LedgerDocument] {
        try await read { database in
            try LedgerDocument.fetch(
                database, "SELECT * FROM document WHERE collection = ? ORDER BY time DESC, id DESC LIMIT ?",
                [collection, most])
        }
    }

    /// `nil` when there is none.
    package func document(_ collection: String, _ id: String) async throws(StoreFailure) -> LedgerDocument? {
        try await read { database in
            try LedgerDocument.fetch(
                database, "SELECT * FROM document WHERE collection = ? AND id = ?", [collection, id]
            ).first
        }
    }

    /// Those of these ids that there are.
    package func documents(_ collection: String, _ ids: [String]) async throws(StoreFailure) -> [LedgerDocument] {
        try await read { database in
            try ids.flatMap { id in
                try LedgerDocument.fetch(
                    database, "SELECT * FROM document WHERE collection = ? AND id = ?", [collection, id])
            }
        }
    }

    /// The newest entries first.
    /// - Parameter subject: only of this one.
    package func audit(subject: String? = nil, most: Int) async throws(StoreFailure) -> [AuditEntry] {
        try await read { database in
            let rows = try Row.fetchAll(
                database,
                sql: "SELECT * FROM audit WHERE ?1 IS NULL OR subject = ?1 ORDER BY id DESC LIMIT ?2",
                arguments: [subject, most])
            return rows.map { row in
                var entry = AuditEntry(
                    time: WallTime(nanoseconds: row["time"]), who: row["who"], action: row["action"],
                    subject: row["subject"], why: row["why"])
                entry.id = row["id"]
                return entry
            }
        }
    }
}

extension LedgerDocument {
    fileprivate static func fetch(
        _ database: Database, _ sql: String, _ arguments: StatementArguments
    ) throws -> [LedgerDocument] {
        try Row.fetchAll(database, sql: sql, arguments: arguments).map { row in
            LedgerDocument(
                collection: row["collection"], id: row["id"], owner: row["owner"],
                time: WallTime(nanoseconds: row["time"]), body: [UInt8](row["body"] as Data))
        }
    }
}
