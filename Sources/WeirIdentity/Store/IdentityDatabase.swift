import Foundation
package import GRDB
import Synchronization
package import WeirStore
package import WeirWorld

/// The tables of one owner: steps that are run once each, in order, for ever. A step that was released is never edited.
package struct IdentityTables: Sendable {
    /// `objects`, `engine`, `approval`: what the migration's progress is kept under.
    package var owner: String
    package var steps: [String]

    package init(owner: String, steps: [String]) {
        self.owner = owner
        self.steps = steps
    }
}

/// `identity.db`: everything that identity keeps, in one SQLite file beside the ledger.
///
/// - WAL with synchronous=FULL: what was written is on disk when `write` returns. Bulk is written in few large
///   transactions, so that this costs nothing there.
/// - One thread writes, one other reads the last commit: a page is shown while a sync is sealed. A read that begins
///   after a write has returned sees it.
package final class IdentityDatabase: Sendable {
    private static let applicationID = 0x5765_6964
    private static let version = 1

    package let path: String
    private let pool: DatabasePool
    private let writing: any BlockingLane
    private let reading: any BlockingLane
    private let isClosed = Mutex(false)

    private init(path: String, pool: DatabasePool, writing: any BlockingLane, reading: any BlockingLane) {
        self.path = path
        self.pool = pool
        self.writing = writing
        self.reading = reading
    }

    /// Opens the file, made when missing, and brings the tables of all owners up to date.
    /// - Throws: `damaged`, `newerFormat` (nothing was touched), and what the file system says.
    package static func open(
        path: String, tables: [IdentityTables], world: World
    ) async throws(StoreFailure) -> IdentityDatabase {
        let writing = world.blocking.lane("identity.db")
        let reading = world.blocking.lane("identity.read")
        do {
            let pool = try await writing.run {
                try attempt(path) {
                    let pool = try openPool(path)
                    try check(pool, path)
                    try pool.write { try migrate($0, tables, path) }
                    return pool
                }
            }
            return IdentityDatabase(path: path, pool: pool, writing: writing, reading: reading)
        } catch {
            writing.close()
            reading.close()
            throw (error as? StoreFailure) ?? .broken("\(path): \(error)")
        }
    }

    /// Runs `body` in one transaction, after all writes given before; an error rolls it back.
    package func write<Value: Sendable>(
        _ body: @escaping @Sendable (Database) throws -> Value
    ) async throws(StoreFailure) -> Value {
        try await run(on: writing) { pool in try pool.write(body) }
    }

    /// Runs `body` on the last commit.
    package func read<Value: Sendable>(
        _ body: @escaping @Sendable (Database) throws -> Value
    ) async throws(StoreFailure) -> Value {
        try await run(on: reading) { pool in try pool.read(body) }
    }

    /// Ends what runs and lets the file go. What is given later fails with `closed`.
    package func close() async {
        let isFirst = isClosed.withLock { closed in
            defer { closed = true }
            return !closed
        }
        guard isFirst else { return }
        let pool = pool
        try? await reading.run {}
        try? await writing.run {
            _ = try? pool.writeWithoutTransaction { try $0.checkpoint(.truncate) }
            try? pool.close()
        }
    }

    // Not in `close`: a job given to a closed lane is never answered.
    deinit {
        writing.close()
        reading.close()
    }

    private func run<Value: Sendable>(
        on lane: any BlockingLane, _ body: @escaping @Sendable (DatabasePool) throws -> Value
    ) async throws(StoreFailure) -> Value {
        if isClosed.withLock({ $0 }) { throw .closed }
        let (pool, path) = (pool, path)
        do {
            return try await lane.run { try IdentityDatabase.attempt(path) { try body(pool) } }
        } catch {
            throw (error as? StoreFailure) ?? .broken("\(path): \(error)")
        }
    }
}

// MARK: The file

extension IdentityDatabase {
    private static func openPool(_ path: String) throws -> DatabasePool {
        if !FileManager.default.fileExists(atPath: path) {
            try FileManager.default.createDirectory(
                at: URL(fileURLWithPath: path).deletingLastPathComponent(), withIntermediateDirectories: true,
                attributes: [.posixPermissions: 0o700])
            guard FileManager.default.createFile(atPath: path, contents: nil, attributes: [.posixPermissions: 0o600])
            else { throw StoreFailure.notAllowed("cannot make \(path)") }
        }
        var configuration = Configuration()
        configuration.label = "identity"
        configuration.busyMode = .timeout(5)
        configuration.maximumReaderCount = 2
        configuration.prepareDatabase { database in
            try database.execute(sql: "PRAGMA synchronous = FULL; PRAGMA cache_size = -16000")
        }
        return try DatabasePool(path: path, configuration: configuration)
    }

    private static func check(_ pool: DatabasePool, _ path: String) throws {
        try pool.read { database in
            let found = try Int.fetchOne(database, sql: "PRAGMA user_version") ?? 0
            let application = try Int.fetchOne(database, sql: "PRAGMA application_id") ?? 0
            let tables = try Int.fetchOne(database, sql: "SELECT count(*) FROM sqlite_master") ?? 0
            if tables > 0, application != applicationID {
                throw StoreFailure.damaged("\(path) is a database of another program; it was left as it is")
            }
            if found > version {
                throw StoreFailure.newerFormat(
                    "\(path) was written by a newer Weir (format \(found), this one knows \(version)); it was left as "
                        + "it is: start the newer Weir, or restore an older copy")
            }
        }
    }

    private static func migrate(_ database: Database, _ tables: [IdentityTables], _ path: String) throws {
        try database.execute(
            sql: """
                CREATE TABLE IF NOT EXISTS migration (owner TEXT PRIMARY KEY, step INTEGER NOT NULL) WITHOUT ROWID;
                PRAGMA application_id = \(applicationID);
                PRAGMA user_version = \(version);
                """)
        for table in tables {
            let done =
                try Int.fetchOne(database, sql: "SELECT step FROM migration WHERE owner = ?", arguments: [table.owner])
                ?? 0
            if done > table.steps.count {
                throw StoreFailure.newerFormat(
                    "\(path): the tables of `\(table.owner)` were written by a newer Weir; start that one, or restore "
                        + "an older copy")
            }
            for step in table.steps[done...] { try database.execute(sql: step) }
            try database.execute(
                sql: "INSERT INTO migration VALUES (?1, ?2) ON CONFLICT DO UPDATE SET step = ?2",
                arguments: [table.owner, table.steps.count])
        }
    }

    /// Says what SQLite says in the store's words.
    private static func attempt<Value>(_ path: String, _ body: () throws -> Value) throws -> Value {
        do {
            return try body()
        } catch let error as DatabaseError {
            let text = "\(path): \(error.message ?? "error") (SQLite \(error.extendedResultCode.rawValue))"
            throw switch error.resultCode {
            case .SQLITE_CORRUPT, .SQLITE_NOTADB: StoreFailure.damaged(text)
            case .SQLITE_FULL: StoreFailure.noSpace(text)
            case .SQLITE_READONLY: StoreFailure.readOnly(text)
            case .SQLITE_PERM, .SQLITE_AUTH, .SQLITE_CANTOPEN: StoreFailure.notAllowed(text)
            case .SQLITE_BUSY, .SQLITE_LOCKED: StoreFailure.locked(text)
            case .SQLITE_MISUSE where error.message?.contains("closed") == true: StoreFailure.closed
            default: StoreFailure.broken(text)
            }
        }
    }
}
