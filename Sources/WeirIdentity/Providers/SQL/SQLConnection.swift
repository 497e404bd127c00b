/// One connection to a database, blocking: whoever uses it does so on one thread at a time.
protocol SQLConnection: AnyObject, Sendable {
    /// How the n-th parameter is written: `$1`, `?1`.
    func parameter(_ number: Int) -> String
    /// Rows are handed over one by one, values as text, NULL as nil.
    func query(_ sql: String, _ arguments: [String?], _ row: ([String?]) throws -> Void) throws -> [String]
    /// - Returns: how many rows were touched.
    func execute(_ sql: String, _ arguments: [String?]) throws -> Int
    /// Begins to read; rows come by `fetch`. One cursor at a time, in a transaction that sees one state of the data.
    func open(_ sql: String, _ arguments: [String?]) throws -> [String]
    /// - Parameter row: its values, good until it returns.
    /// - Returns: false when there are no more.
    func fetch(most: Int, _ row: ([UnsafeRawBufferPointer?]) throws -> Void) throws -> Bool
    func closeCursor()
    /// Begins a transaction, or ends it.
    func begin() throws
    func commit() throws
    func rollback()
    /// Makes a lock of the row that a SELECT finds, where the database has such locks.
    var lockClause: String { get }
    func close()
}

/// What a database said.
struct SQLFailure: Error, Sendable {
    enum Kind: Sendable {
        /// There is no connection (any more).
        case connection
        /// Busy, deadlock, shutting down, timeout: may work later.
        case passing
        /// It will not be so by trying again: a constraint, no such table, no rights.
        case lasting
    }

    var kind: Kind
    /// `23505`, `constraint`.
    var code: String
    var text: String

    func scanFailure(_ place: String) -> ScanFailure {
        ScanFailure(
            code: kind == .connection ? "connect_failed" : "sql_" + code, text: "\(place): \(text)",
            isPassing: kind != .lasting)
    }
}
