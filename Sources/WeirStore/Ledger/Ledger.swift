import Foundation
import GRDB
import Synchronization
package import WeirWorld

/// What the control plane must not forget: documents by collection, and the audit. One SQLite file, one thread.
///
/// A commit that was answered with success is on disk. All commits that wait share one transaction and one sync, and
/// are written in the order in which they were given.
package final class Ledger: Sendable {
    private struct Waiting {
        var changes: [LedgerChange]
        var done: @Sendable (Result<Void, StoreFailure>) -> Void
    }

    private struct Shell {
        var waiting: [Waiting] = []
        var isWriting = false
        var isClosed = false
        var transactions = 0
    }

    /// Audit entries that are kept.
    private static let auditMost: Int64 = 100_000

    package let path: String
    private let database: DatabaseQueue
    private let lane: any BlockingLane
    private let shell = Mutex(Shell())

    private init(path: String, database: DatabaseQueue, lane: any BlockingLane) {
        self.path = path
        self.database = database
        self.lane = lane
    }

    /// Opens a ledger, made when missing.
    /// - Throws: `damaged`, `newerFormat` (nothing was touched), and what the file system says.
    package static func open(path: String, world: World) async throws(StoreFailure) -> Ledger {
        let lane = world.blocking.lane("ledger")
        let result: Result<DatabaseQueue, StoreFailure> = await lane.answer {
            Result { () throws(StoreFailure) in try LedgerFile.open(path) }
        }
        switch result {
        case .success(let database): return Ledger(path: path, database: database, lane: lane)
        case .failure(let failure):
            lane.close()
            throw failure
        }
    }

    // MARK: Writing

    /// Gives changes to the ledger and returns at once; `done` is called on the ledger's thread when they are durable
    /// (never on the caller's stack, so that a caller may hold a lock).
    package func commit(
        _ changes: [LedgerChange], done: @escaping @Sendable (Result<Void, StoreFailure>) -> Void
    ) {
        let (isClosed, mustStart) = shell.withLock { shell -> (Bool, Bool) in
            if shell.isClosed { return (true, false) }
            shell.waiting.append(Waiting(changes: changes, done: done))
            defer { shell.isWriting = true }
            return (false, !shell.isWriting)
        }
        if isClosed { return lane.enqueue { done(.failure(.closed)) } }
        if mustStart { lane.enqueue { [self] in write() } }
    }

    /// Returns when the changes are durable.
    package func commit(_ changes: [LedgerChange]) async throws(StoreFailure) {
        let result: Result<Void, StoreFailure> = await withCheckedContinuation { continuation in
            commit(changes) { continuation.resume(returning: $0) }
        }
        try result.get()
    }

    /// Transactions so far: fewer than commits, because those that wait share one.
    package var transactions: Int { shell.withLock { $0.transactions } }

    /// On the lane: everything that waits, until nothing does.
    private func write() {
        while true {
            let waiting = shell.withLock { shell -> [Waiting] in
                defer { shell.waiting = [] }
                if shell.waiting.isEmpty { shell.isWriting = false } else { shell.transactions += 1 }
                return shell.waiting
            }
            if waiting.isEmpty { return }
            let result = Result { () throws(StoreFailure) in
                try LedgerFile.attempt(path) {
                    try database.write { database in
                        for commit in waiting {
                            for change in commit.changes { try Ledger.write(change, to: database) }
                        }
                    }
                }
            }
            for commit in waiting { commit.done(result) }
        }
    }

    private static func write(_ change: LedgerChange, to database: Database) throws {
        switch change {
        case .put(let make):
            let document = try make()
            try database.cachedStatement(
                sql: """
                    INSERT INTO document (collection, id, owner, time, body) VALUES (?, ?, ?, ?, ?)
                    ON CONFLICT DO UPDATE SET owner = excluded.owner, time = excluded.time, body = excluded.body
                    """
            ).execute(arguments: [
                document.collection, document.id, document.owner, document.time.nanoseconds,
                document.body.withUnsafeBytes { Data($0) },
            ])
        case .remove(let collection, let id):
            try database.cachedStatement(sql: "DELETE FROM document WHERE collection = ? AND id = ?")
                .execute(arguments: [collection, id])
        case .removeAll(let collection, let owner):
            try database.cachedStatement(sql: "DELETE FROM document WHERE collection = ? AND owner = ?")
                .execute(arguments: [collection, owner])
        case .keepNewest(let most, let collection, let owner):
            try database.cachedStatement(
                sql: """
                    DELETE FROM document WHERE collection = ?1 AND id IN (
                        SELECT id FROM document WHERE collection = ?1 AND owner = ?2
                        ORDER BY time DESC, id DESC LIMIT -1 OFFSET ?3)
                    """
            ).execute(arguments: [collection, owner, most])
        case .audit(let entry):
            try database.cachedStatement(
                sql: "INSERT INTO audit (time, who, action, subject, why) VALUES (?, ?, ?, ?, ?)"
            ).execute(arguments: [entry.time.nanoseconds, entry.who, entry.action, entry.subject, entry.why])
            try database.cachedStatement(sql: "DELETE FROM audit WHERE id <= ?")
                .execute(arguments: [database.lastInsertedRowID - auditMost])
        }
    }

    /// Writes what waits and lets the file go. What is given later fails with `closed`.
    package func close() async {
        let isFirst = shell.withLock { shell in
            defer { shell.isClosed = true }
            return !shell.isClosed
        }
        guard isFirst else { return }
        await lane.answer { [self] in
            write()
            // An empty log makes the file whole in itself: a copy of it is enough.
            _ = try? database.writeWithoutTransaction { try $0.checkpoint(.truncate) }
            try? database.close()
        }
    }

    // Not in `close`: a job given to a closed lane is never answered.
    deinit { lane.close() }

    /// Runs a read after everything that was committed before.
    func read<Value: Sendable>(
        _ body: @escaping @Sendable (Database) throws -> Value
    ) async throws(StoreFailure) -> Value {
        if shell.withLock({ $0.isClosed }) { throw .closed }
        let result: Result<Value, StoreFailure> = await lane.answer { [self] in
            Result { () throws(StoreFailure) in try LedgerFile.attempt(path) { try database.read(body) } }
        }
        return try result.get()
    }
}
