import Foundation
import GRDB

/// The SQLite file of a ledger: opening with all checks, its tables, and SQLite's errors as ours.
///
/// - `application_id` is "Weir": another program's database is refused.
/// - `user_version` is the version of the tables: a newer one is refused.
/// - WAL with synchronous=FULL: a commit is on disk when it returns, and a kill or power cut leaves the last commit.
/// Nothing is written before all checks have passed.
enum LedgerFile {
    static let version = 1
    private static let applicationID = 0x5765_6972

    static func open(_ path: String) throws(StoreFailure) -> DatabaseQueue {
        try attempt(path) {
            if FileManager.default.fileExists(atPath: path) {
                try check(path)
            } else {
                try FileManager.default.createDirectory(
                    at: URL(fileURLWithPath: path).deletingLastPathComponent(), withIntermediateDirectories: true,
                    attributes: [.posixPermissions: 0o700])
                guard
                    FileManager.default.createFile(atPath: path, contents: nil, attributes: [.posixPermissions: 0o600])
                else { throw StoreFailure.notAllowed("cannot make the ledger \(path)") }
            }
            var configuration = Configuration()
            configuration.label = "ledger"
            configuration.journalMode = .wal
            configuration.busyMode = .timeout(5)
            configuration.prepareDatabase { try $0.execute(sql: "PRAGMA synchronous = FULL") }
            let database = try DatabaseQueue(path: path, configuration: configuration)
            try database.write { try makeTables($0) }
            return database
        }
    }

    private static func check(_ path: String) throws {
        var configuration = Configuration()
        configuration.readonly = true
        configuration.busyMode = .timeout(5)
        let database = try DatabaseQueue(path: path, configuration: configuration)
        defer { try? database.close() }
        try database.read { database in
            let found = try Int.fetchOne(database, sql: "PRAGMA user_version") ?? 0
            let application = try Int.fetchOne(database, sql: "PRAGMA application_id") ?? 0
            let tables = try Int.fetchOne(database, sql: "SELECT count(*) FROM sqlite_master") ?? 0
            if tables > 0, application != applicationID {
                throw StoreFailure.damaged(
                    "\(path) is a database of another program, not a ledger of Weir; it was left as it is")
            }
            if found > version {
                throw StoreFailure.newerFormat(
                    "the ledger \(path) was written by a newer Weir (format \(found), this one knows \(version)); "
                        + "it was left as it is: start the newer Weir, or restore an older copy")
            }
            let finding = try String.fetchOne(database, sql: "PRAGMA quick_check(1)") ?? "ok"
            if finding != "ok" { throw StoreFailure.damaged(damageText(path, finding)) }
        }
    }

    private static func makeTables(_ database: Database) throws {
        guard try Int.fetchOne(database, sql: "PRAGMA user_version") == 0 else { return }
        try database.execute(
            sql: """
                CREATE TABLE document (
                    collection TEXT NOT NULL, id TEXT NOT NULL, owner TEXT NOT NULL, time INTEGER NOT NULL,
                    body BLOB NOT NULL, PRIMARY KEY (collection, id)
                ) WITHOUT ROWID;
                CREATE INDEX document_owner ON document (collection, owner, time);
                CREATE INDEX document_time ON document (collection, time);
                CREATE TABLE audit (
                    id INTEGER PRIMARY KEY AUTOINCREMENT, time INTEGER NOT NULL, who TEXT NOT NULL,
                    action TEXT NOT NULL, subject TEXT NOT NULL, why TEXT NOT NULL
                );
                PRAGMA application_id = \(applicationID);
                PRAGMA user_version = \(version);
                """)
    }

    /// Runs `body` and says what SQLite says in the store's words.
    static func attempt<Value>(_ path: String, _ body: () throws -> Value) throws(StoreFailure) -> Value {
        do {
            return try body()
        } catch let failure as StoreFailure {
            throw failure
        } catch let error as DatabaseError {
            throw failure(error, path)
        } catch {
            throw .broken("the ledger \(path): \(error)")
        }
    }

    private static func failure(_ error: DatabaseError, _ path: String) -> StoreFailure {
        let text = "the ledger \(path): \(error.message ?? "error") (SQLite \(error.extendedResultCode.rawValue))"
        return switch error.resultCode {
        case .SQLITE_CORRUPT, .SQLITE_NOTADB: .damaged(damageText(path, error.message ?? "damaged"))
        case .SQLITE_FULL: .noSpace(text)
        case .SQLITE_READONLY: .readOnly(text)
        case .SQLITE_PERM, .SQLITE_AUTH, .SQLITE_CANTOPEN: .notAllowed(text)
        case .SQLITE_BUSY, .SQLITE_LOCKED: .locked(text)
        default: .broken(text)
        }
    }

    private static func damageText(_ path: String, _ finding: String) -> String {
        "the ledger \(path) is damaged (\(finding)); it was left as it is: restore a copy of it, or move it away with "
            + "its -wal and -shm files and start without registrations"
    }
}
