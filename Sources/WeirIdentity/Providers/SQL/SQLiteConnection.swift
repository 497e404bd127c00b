import GRDBSQLite

/// A SQLite file, by the library itself.
final class SQLiteConnection: SQLConnection, @unchecked Sendable {
    // Used by one thread at a time: the silo's lane.
    private var connection: OpaquePointer?
    private var cursor: OpaquePointer?
    private var columnCount: Int32 = 0

    init(path: String, isReadOnly: Bool, timeout: Duration) throws {
        let flags = (isReadOnly ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE) | SQLITE_OPEN_NOMUTEX
        guard sqlite3_open_v2(path, &connection, flags, nil) == SQLITE_OK else {
            let text = connection.map { String(cString: sqlite3_errmsg($0)) } ?? "cannot be opened"
            sqlite3_close_v2(connection)
            connection = nil
            throw SQLFailure(kind: .connection, code: "cantopen", text: text)
        }
        sqlite3_busy_timeout(connection, Int32(clamping: timeout.components.seconds * 1_000))
    }

    deinit { close() }

    func close() {
        closeCursor()
        sqlite3_close_v2(connection)
        connection = nil
    }

    func parameter(_ number: Int) -> String { "?\(number)" }
    var lockClause: String { "" }

    private func failure(_ code: Int32) -> SQLFailure {
        let text = connection.map { String(cString: sqlite3_errmsg($0)) } ?? "closed"
        switch code & 0xFF {
        case SQLITE_BUSY, SQLITE_LOCKED, SQLITE_IOERR, SQLITE_FULL, SQLITE_SCHEMA:
            return SQLFailure(kind: .passing, code: "\(code)", text: text)
        case SQLITE_CANTOPEN, SQLITE_NOTADB: return SQLFailure(kind: .connection, code: "\(code)", text: text)
        default:
            return SQLFailure(
                kind: .lasting, code: code & 0xFF == SQLITE_CONSTRAINT ? "constraint" : "\(code)", text: text)
        }
    }

    private func prepare(_ sql: String, _ arguments: [String?]) throws -> OpaquePointer? {
        var statement: OpaquePointer?
        let code = sqlite3_prepare_v2(connection, sql, -1, &statement, nil)
        guard code == SQLITE_OK else { throw failure(code) }
        let transient = unsafeBitCast(-1, to: sqlite3_destructor_type.self)
        for (at, argument) in arguments.enumerated() {
            let place = Int32(at + 1)
            if let argument {
                sqlite3_bind_text(statement, place, argument, Int32(argument.utf8.count), transient)
            } else {
                sqlite3_bind_null(statement, place)
            }
        }
        return statement
    }

    private func columns(_ statement: OpaquePointer?) -> [String] {
        (0..<sqlite3_column_count(statement)).map { String(cString: sqlite3_column_name(statement, $0)) }
    }

    func query(_ sql: String, _ arguments: [String?], _ row: ([String?]) throws -> Void) throws -> [String] {
        let statement = try prepare(sql, arguments)
        defer { sqlite3_finalize(statement) }
        let names = columns(statement)
        while true {
            let code = sqlite3_step(statement)
            if code == SQLITE_DONE { return names }
            guard code == SQLITE_ROW else { throw failure(code) }
            try row(
                (0..<Int32(names.count)).map { column in
                    sqlite3_column_type(statement, column) == SQLITE_NULL
                        ? nil : String(decoding: Self.bytes(statement, column), as: UTF8.self)
                })
        }
    }

    private static func bytes(_ statement: OpaquePointer?, _ column: Int32) -> UnsafeRawBufferPointer {
        let base = sqlite3_column_text(statement, column)
        return UnsafeRawBufferPointer(start: base, count: Int(sqlite3_column_bytes(statement, column)))
    }

    func execute(_ sql: String, _ arguments: [String?]) throws -> Int {
        _ = try query(sql, arguments) { _ in }
        return Int(sqlite3_changes(connection))
    }

    func open(_ sql: String, _ arguments: [String?]) throws -> [String] {
        closeCursor()
        try begin()
        cursor = try prepare(sql, arguments)
        let names = columns(cursor)
        columnCount = Int32(names.count)
        return names
    }

    func fetch(most: Int, _ row: ([UnsafeRawBufferPointer?]) throws -> Void) throws -> Bool {
        for _ in 0..<most {
            let code = sqlite3_step(cursor)
            if code == SQLITE_DONE { return false }
            guard code == SQLITE_ROW else { throw failure(code) }
            try row(
                (0..<columnCount).map { column in
                    sqlite3_column_type(cursor, column) == SQLITE_NULL ? nil : Self.bytes(cursor, column)
                })
        }
        return true
    }

    func closeCursor() {
        guard cursor != nil else { return }
        sqlite3_finalize(cursor)
        cursor = nil
        rollback()
    }

    func begin() throws { _ = try execute("BEGIN", []) }
    func commit() throws { _ = try execute("COMMIT", []) }
    func rollback() { _ = try? execute("ROLLBACK", []) }
}
