import CPq

/// A connection to PostgreSQL by libpq. Everything is text: libpq's text format, dates in ISO order, times in UTC.
final class PostgresConnection: SQLConnection, @unchecked Sendable {
    // Used by one thread at a time: the silo's lane.
    private var connection: OpaquePointer?
    private var hasCursor = false
    private var isBool: [Bool] = []

    /// - Parameter url: `postgresql://user@host:port/database?sslmode=verify-full`.
    init(url: String, password: String?, timeout: Duration) throws {
        let seconds = max(timeout.components.seconds, 1)
        var parameters: [(String, String)] = [
            ("dbname", url), ("client_encoding", "UTF8"), ("connect_timeout", "\(max(seconds, 2))"),
            ("fallback_application_name", "weir"), ("tcp_user_timeout", "\(seconds * 1_000)"),
            ("keepalives_idle", "30"),
        ]
        if let password, !password.isEmpty { parameters.append(("password", password)) }
        connection = Self.withCStrings(parameters.map(\.0)) { keys in
            Self.withCStrings(parameters.map(\.1)) { values in PQconnectdbParams(keys, values, 1) }
        }
        guard PQstatus(connection) == CONNECTION_OK else {
            let text = Self.text(PQerrorMessage(connection))
            PQfinish(connection)
            connection = nil
            throw SQLFailure(kind: .connection, code: "connect_failed", text: text)
        }
        _ = try execute(
            "SELECT set_config('TimeZone', 'UTC', false), set_config('DateStyle', 'ISO, YMD', false), "
                + "set_config('bytea_output', 'hex', false), set_config('statement_timeout', $1, false)",
            ["\(seconds * 1_000)"])
    }

    deinit { close() }

    func close() {
        PQfinish(connection)
        connection = nil
    }

    func parameter(_ number: Int) -> String { "$\(number)" }
    var lockClause: String { " FOR UPDATE" }

    private static func withCStrings<R>(
        _ texts: [String?], _ body: ([UnsafePointer<CChar>?]) -> R
    ) -> R {
        let copies = texts.map { text in text.map { Array($0.utf8CString) } }
        var pointers: [UnsafePointer<CChar>?] = []
        func go(_ at: Int) -> R {
            guard at < copies.count else { return body(pointers + [nil]) }
            guard let copy = copies[at] else {
                pointers.append(nil)
                return go(at + 1)
            }
            return copy.withUnsafeBufferPointer { buffer in
                pointers.append(buffer.baseAddress)
                return go(at + 1)
            }
        }
        return go(0)
    }

    private static func text(_ pointer: UnsafePointer<CChar>?) -> String {
        pointer.map { String(cString: $0).trimmed } ?? ""
    }

    private func run(_ sql: String, _ arguments: [String?]) throws -> OpaquePointer {
        let result = Self.withCStrings(arguments) { values in
            PQexecParams(connection, sql, Int32(arguments.count), nil, values, nil, nil, 0)
        }
        guard let result else {
            throw SQLFailure(kind: .connection, code: "connection_lost", text: Self.text(PQerrorMessage(connection)))
        }
        let status = PQresultStatus(result)
        if status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK { return result }
        defer { PQclear(result) }
        let code = Self.text(PQresultErrorField(result, Int32(UInt8(ascii: "C"))))
        throw SQLFailure(kind: kind(code), code: code, text: Self.text(PQresultErrorMessage(result)))
    }

    /// By the class of the SQLSTATE (PostgreSQL, appendix A).
    private func kind(_ code: String) -> SQLFailure.Kind {
        if PQstatus(connection) != CONNECTION_OK { return .connection }
        switch code.prefix(2) {
        case "08": return .connection
        // Rollbacks, resources, intervention (also a timeout), system errors.
        case "40", "53", "55", "57", "58": return .passing
        default: return .lasting
        }
    }

    private func columns(_ result: OpaquePointer) -> [String] {
        let count = PQnfields(result)
        isBool = (0..<count).map { PQftype(result, $0) == 16 }
        return (0..<count).map { Self.text(PQfname(result, $0)) }
    }

    private static let yes = Array("true".utf8)
    private static let no = Array("false".utf8)

    func query(_ sql: String, _ arguments: [String?], _ row: ([String?]) throws -> Void) throws -> [String] {
        let result = try run(sql, arguments)
        defer { PQclear(result) }
        let names = columns(result)
        for at in 0..<PQntuples(result) {
            try row((0..<Int32(names.count)).map { column in value(result, at, column) })
        }
        return names
    }

    private func value(_ result: OpaquePointer, _ row: Int32, _ column: Int32) -> String? {
        guard PQgetisnull(result, row, column) == 0, let base = PQgetvalue(result, row, column) else { return nil }
        let bytes = UnsafeRawBufferPointer(start: base, count: Int(PQgetlength(result, row, column)))
        if isBool[Int(column)] { return bytes.first == UInt8(ascii: "t") ? "true" : "false" }
        return String(decoding: bytes, as: UTF8.self)
    }

    func execute(_ sql: String, _ arguments: [String?]) throws -> Int {
        let result = try run(sql, arguments)
        defer { PQclear(result) }
        return Int(Self.text(PQcmdTuples(result))) ?? 0
    }

    func open(_ sql: String, _ arguments: [String?]) throws -> [String] {
        closeCursor()
        _ = try execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", [])
        hasCursor = true
        _ = try execute("DECLARE weir NO SCROLL CURSOR FOR " + sql, arguments)
        let result = try run("FETCH 0 FROM weir", [])
        defer { PQclear(result) }
        return columns(result)
    }

    func fetch(most: Int, _ row: ([UnsafeRawBufferPointer?]) throws -> Void) throws -> Bool {
        let result = try run("FETCH \(most) FROM weir", [])
        defer { PQclear(result) }
        let count = PQntuples(result)
        let width = PQnfields(result)
        for at in 0..<count {
            let values = (0..<width).map { column -> UnsafeRawBufferPointer? in
                guard PQgetisnull(result, at, column) == 0, let base = PQgetvalue(result, at, column) else {
                    return nil
                }
                return UnsafeRawBufferPointer(start: base, count: Int(PQgetlength(result, at, column)))
            }
            try Self.yes.withUnsafeBytes { yes in
                try Self.no.withUnsafeBytes { no in
                    try row(
                        values.enumerated().map { column, bytes in
                            guard let bytes, isBool[column] else { return bytes }
                            return bytes.first == UInt8(ascii: "t") ? yes : no
                        })
                }
            }
        }
        return Int(count) == most
    }

    func closeCursor() {
        guard hasCursor else { return }
        hasCursor = false
        rollback()
    }

    func begin() throws { _ = try execute("BEGIN", []) }
    func commit() throws { _ = try execute("COMMIT", []) }
    func rollback() { _ = try? execute("ROLLBACK", []) }
}
