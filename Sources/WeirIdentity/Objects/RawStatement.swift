import GRDB
import GRDBSQLite

/// One prepared statement, driven by hand: rows by the million go past GRDB's values, which cost a microsecond each.
/// Belongs to the connection that it was made of and to the block that it was made in.
final class RawStatement {
    private let connection: OpaquePointer
    private var statement: OpaquePointer?

    init(_ database: Database, _ sql: String) throws {
        guard let connection = database.sqliteConnection else { throw DatabaseError(resultCode: .SQLITE_MISUSE) }
        self.connection = connection
        let code = sqlite3_prepare_v2(connection, sql, -1, &statement, nil)
        guard code == SQLITE_OK else { throw failure(code) }
    }

    deinit { sqlite3_finalize(statement) }

    private func failure(_ code: Int32) -> DatabaseError {
        DatabaseError(
            resultCode: ResultCode(rawValue: code), message: String(cString: sqlite3_errmsg(connection)))
    }

    func bind(_ at: Int32, _ value: Int64) { sqlite3_bind_int64(statement, at, value) }
    func bindNull(_ at: Int32) { sqlite3_bind_null(statement, at) }

    /// The bytes must stay where they are until `step` or `run` has returned.
    func bindText(_ at: Int32, _ bytes: UnsafeRawBufferPointer) {
        let base = bytes.baseAddress?.assumingMemoryBound(to: CChar.self)
        if let base {
            sqlite3_bind_text(statement, at, base, Int32(truncatingIfNeeded: bytes.count), nil)
        } else {
            sqlite3_bind_zeroblob(statement, at, 0)
        }
    }

    /// As `bindText`.
    func bindBlob(_ at: Int32, _ bytes: UnsafeRawBufferPointer) {
        if let base = bytes.baseAddress {
            sqlite3_bind_blob64(statement, at, base, UInt64(bytes.count), nil)
        } else {
            sqlite3_bind_zeroblob(statement, at, 0)
        }
    }

    /// True while there is a row.
    func step() throws -> Bool {
        let code = sqlite3_step(statement)
        if code == SQLITE_ROW { return true }
        guard code == SQLITE_DONE else {
            sqlite3_reset(statement)
            throw failure(code)
        }
        sqlite3_reset(statement)
        return false
    }

    /// Carries it out, once, for what is bound now.
    func run() throws {
        while try step() {}
    }

    func int(_ column: Int32) -> Int64 { sqlite3_column_int64(statement, column) }
    func isNull(_ column: Int32) -> Bool { sqlite3_column_type(statement, column) == SQLITE_NULL }

    /// Good until the next `step`.
    func bytes(_ column: Int32) -> UnsafeRawBufferPointer {
        let base = sqlite3_column_blob(statement, column)
        return UnsafeRawBufferPointer(start: base, count: Int(sqlite3_column_bytes(statement, column)))
    }
}
