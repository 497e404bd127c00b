import Synchronization
package import WeirWorld

/// Tables or queries of SQLite or PostgreSQL. All of it runs on one thread of its own with one connection, which is
/// made again when it was lost; a scan reads one state of the data, however long it takes.
///
/// A column that the schema calls a list holds a JSON array of texts.
package final class SQLSilo: SiloProvider {
    package struct Table: Sendable {
        /// Rules may write to it.
        package var table: String?
        /// Read only.
        package var query: String?
        package var key: String
        /// Grows with every change of a row.
        package var changed: String?
        /// All when empty.
        package var columns: [String] = []
        /// A condition in SQL.
        package var condition: String?
        package var lists: Set<String> = []

        package init(table: String? = nil, query: String? = nil, key: String, changed: String? = nil) {
            self.table = table
            self.query = query
            self.key = key
            self.changed = changed
        }
    }

    package enum Place: Sendable {
        case sqlite(path: String)
        case postgres(url: String, password: String?)
    }

    package let abilities: SiloAbilities
    private let place: Place
    private let tables: [String: Table]
    private let timeout: Duration
    private let isReadOnly: Bool
    private let lane: any BlockingLane
    private let link = Link()

    /// The connection; touched on the lane only.
    private final class Link: @unchecked Sendable {
        var connection: (any SQLConnection)?
    }

    /// - Parameter tables: by type.
    package init(
        _ place: Place, tables: [String: Table], isReadOnly: Bool = false, timeout: Duration = .seconds(30),
        world: World
    ) {
        self.place = place
        self.tables = tables
        self.timeout = timeout
        self.isReadOnly = isReadOnly
        abilities = SiloAbilities(
            delta: tables.values.contains { $0.changed != nil },
            writes: !isReadOnly && tables.values.contains { $0.table != nil })
        lane = world.blocking.lane("sql")
    }

    deinit { lane.close() }

    package func close() async {
        let link = link
        try? await lane.run {
            link.connection?.close()
            link.connection = nil
        }
    }

    package func schema(of kind: ObjectKind) async -> ObjectSchema {
        ObjectSchema(lists: tables[kind.type]?.lists ?? [])
    }

    package func scope(of kind: ObjectKind) -> String {
        guard let table = tables[kind.type] else { return "" }
        return "sql \(table.query ?? table.table ?? "") where \(table.condition ?? "") key \(table.key) "
            + "columns \(table.columns.joined(separator: ","))"
    }

    private var shown: String {
        switch place {
        case .sqlite(let path): path
        // Without what stands before the `@`: it may hold a password.
        case .postgres(let url, _): "postgresql://" + (url.split(separator: "@").last.map(String.init) ?? "")
        }
    }

    private func table(_ kind: ObjectKind) throws(ScanFailure) -> Table {
        guard let table = tables[kind.type] else {
            throw ScanFailure(code: "no_such_type", text: "the silo has no type '\(kind.type)'", isPassing: false)
        }
        return table
    }

    private func onLane<Value: Sendable>(
        _ body: @escaping @Sendable (any SQLConnection) throws -> Value
    ) async throws(ScanFailure) -> Value {
        let (link, place, timeout, isReadOnly, shown) = (link, place, timeout, isReadOnly, shown)
        do {
            return try await lane.run {
                do {
                    let connection = try link.connection ?? Self.connect(place, timeout, isReadOnly)
                    link.connection = connection
                    return try body(connection)
                } catch let failure as SQLFailure {
                    if failure.kind == .connection {
                        link.connection?.close()
                        link.connection = nil
                    }
                    throw failure.scanFailure(shown)
                }
            }
        } catch let failure as ScanFailure {
            throw failure
        } catch {
            throw ScanFailure(code: "sql", text: "\(shown): \(error)", isPassing: false)
        }
    }

    private static func connect(
        _ place: Place, _ timeout: Duration, _ isReadOnly: Bool
    ) throws -> any SQLConnection {
        switch place {
        case .sqlite(let path): try SQLiteConnection(path: path, isReadOnly: isReadOnly, timeout: timeout)
        case .postgres(let url, let password):
            try PostgresConnection(url: url, password: password, timeout: timeout)
        }
    }

    // MARK: Reading

    package func scan(
        _ request: ScanRequest, take: (RecordBatch) async throws -> Void
    ) async throws(ScanFailure) -> ScanEnd {
        let table = try table(request.kind)
        let sql = SQLText(table)
        let since = request.since
        let shown = shown
        let (columns, mark) = try await onLane { connection -> (SQLColumns, String?) in
            // The mark first: what changes while the scan runs is read again by the next delta.
            let mark = try sql.mark(connection)
            let names = try connection.open(
                sql.select(since == nil ? nil : connection.parameter(1)), since.map { [$0] } ?? [])
            return (try SQLColumns(names, table, shown), mark ?? since)
        }
        let reader = SQLReader(columns)
        do throws(ScanFailure) {
            while true {
                let (batch, isMore) = try await onLane { try reader.batch($0) }
                if !batch.isEmpty { try await hand(over: batch, take) }
                if !isMore { break }
            }
        } catch {
            try? await onLane { $0.closeCursor() }
            throw error
        }
        let refused = try await onLane { connection in
            connection.closeCursor()
            return reader.refused
        }
        return ScanEnd(mark: mark, refused: refused)
    }

    package func read(
        _ kind: ObjectKind, anchor: String?, name: String
    ) async throws(ScanFailure) -> SiloObject? {
        let table = try table(kind)
        let wanted = anchor ?? name
        let shown = shown
        return try await onLane {
            try SQLEdit(table: table, kind: kind, place: shown).read(wanted, $0, locked: false)?.object
        }
    }

    // MARK: Writing

    package func write(_ change: Change, secrets: [String: String]) async -> WriteAnswer {
        let shown = shown
        guard abilities.writes, let table = tables[change.target.type], table.table != nil else {
            return .refused(code: "read_only", text: "\(shown) is only read")
        }
        do throws(ScanFailure) {
            return try await onLane { connection in
                let edit = SQLEdit(table: table, kind: change.target, place: shown)
                do {
                    try connection.begin()
                } catch let failure as SQLFailure where failure.kind == .connection {
                    // A connection that died while nobody used it: nothing was sent on it that counts.
                    return .failed(code: failure.code, text: "\(shown): \(failure.text)")
                }
                let answer: WriteAnswer
                do {
                    answer = try edit.carryOut(change, secrets, connection)
                } catch {
                    connection.rollback()
                    throw error
                }
                do {
                    try connection.commit()
                } catch let failure as SQLFailure where failure.kind == .connection {
                    throw ScanFailure(code: "unknown", text: "\(shown): \(failure.text)", isPassing: true)
                }
                return answer
            }
        } catch {
            if error.code == "unknown" { return .unknown(code: "connection_lost", text: error.text) }
            return error.isPassing
                ? .failed(code: error.code, text: error.text) : .refused(code: error.code, text: error.text)
        }
    }
}
