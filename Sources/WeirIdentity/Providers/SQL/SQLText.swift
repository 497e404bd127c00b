/// The statements of one table.
struct SQLText: Sendable {
    private let table: SQLSilo.Table

    init(_ table: SQLSilo.Table) { self.table = table }

    /// A name as SQL wants it, whatever is in it; `schema.table` is two.
    static func quoted(_ name: String) -> String {
        name.split(separator: ".", omittingEmptySubsequences: false)
            .map { "\"" + $0.split(separator: "\"", omittingEmptySubsequences: false).joined(separator: "\"\"") + "\"" }
            .joined(separator: ".")
    }

    static func column(_ name: String) -> String {
        "\"" + name.split(separator: "\"", omittingEmptySubsequences: false).joined(separator: "\"\"") + "\""
    }

    private var source: String {
        table.query.map { "(\($0)) AS weir_rows" } ?? Self.quoted(table.table ?? "")
    }

    private func conditions(_ more: [String]) -> String {
        let all = (table.condition.map { ["(\($0))"] } ?? []) + more
        return all.isEmpty ? "" : " WHERE " + all.joined(separator: " AND ")
    }

    private var columns: String {
        guard !table.columns.isEmpty else { return "*" }
        var names = table.columns
        for name in [table.key, table.changed].compactMap({ $0 }) where !names.contains(name) { names.append(name) }
        return names.map(Self.column).joined(separator: ", ")
    }

    /// - Parameter since: the parameter with the mark of a delta scan. Rows that are as new as the mark come again: two
    ///   that changed in the same moment may not have been committed in the same moment.
    func select(_ since: String?) -> String {
        var more: [String] = []
        if let since, let changed = table.changed { more.append("\(Self.column(changed)) >= \(since)") }
        return "SELECT \(columns) FROM \(source)\(conditions(more))"
    }

    func select(key: String) -> String {
        "SELECT \(columns) FROM \(source)\(conditions(["\(Self.column(table.key)) = \(key)"]))"
    }

    func mark(_ connection: any SQLConnection) throws -> String? {
        guard let changed = table.changed else { return nil }
        var mark: String?
        _ = try connection.query("SELECT max(\(Self.column(changed))) FROM \(source)\(conditions([]))", []) { row in
            mark = row.first ?? nil
        }
        return mark
    }
}

/// The columns of an answer, and what each of them is.
struct SQLColumns: Sendable {
    /// In lower case.
    let names: [[UInt8]]
    let written: [String]
    let isList: [Bool]
    let key: Int

    init(_ names: [String], _ table: SQLSilo.Table, _ place: String) throws {
        let lower = names.map { $0.lowercased() }
        guard let key = lower.firstIndex(of: table.key.lowercased()) else {
            throw ScanFailure(
                code: "no_key_column",
                text: "\(place): there is no column '\(table.key)'; there are \(names.joined(separator: ", "))",
                isPassing: false)
        }
        self.names = lower.map { Array($0.utf8) }
        written = names
        isList = lower.map { table.lists.contains($0) }
        self.key = key
    }
}

/// Makes records of a cursor's rows. Used on the silo's thread.
final class SQLReader: @unchecked Sendable {
    // Handed from the scan to the lane and back, never used by two at once.
    private let columns: SQLColumns
    private var builder = RecordBuilder()
    private(set) var refused: [RefusedRow] = []
    private var rows = 0

    init(_ columns: SQLColumns) { self.columns = columns }

    func batch(_ connection: any SQLConnection) throws -> (RecordBatch, Bool) {
        var batch = RecordBatch()
        let isMore = try connection.fetch(most: 1_000) { row in
            rows += 1
            guard columns.key < row.count, let key = row[columns.key], !key.isEmpty else {
                return refuse("row \(rows)", "its key is empty")
            }
            builder.begin(anchor: key, name: UnsafeRawBufferPointer(start: nil, count: 0))
            for (column, value) in row.enumerated() {
                guard let value else { continue }
                if columns.isList[column] {
                    guard let list = SQLColumns.list(value) else {
                        return refuse(
                            String(decoding: key, as: UTF8.self),
                            "'\(columns.written[column])' is a list and does not hold a JSON array of texts")
                    }
                    for text in list { builder.add(columns.names[column], text.utf8) }
                } else {
                    builder.add(columns.names[column], value)
                }
            }
            do throws(RecordRefusal) {
                try builder.finish(into: &batch)
            } catch {
                refuse(String(decoding: key, as: UTF8.self), error.reason)
            }
        }
        return (batch, isMore)
    }

    private func refuse(_ place: String, _ reason: String) {
        if refused.count < 1_000 { refused.append(RefusedRow(place: place, reason: reason)) }
    }
}
