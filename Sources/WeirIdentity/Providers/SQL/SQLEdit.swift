import Foundation

extension SQLColumns {
    /// The texts of a JSON array.
    static func list(_ bytes: UnsafeRawBufferPointer) -> [String]? {
        try? JSONDecoder().decode([String].self, from: Data(bytes))
    }
}

/// Carries one change out on a table, in a transaction that somebody else began and ends.
struct SQLEdit {
    let table: SQLSilo.Table
    let kind: ObjectKind
    let place: String

    /// A row as it stands.
    struct Found {
        var object: SiloObject
        /// Columns as the database writes them, by the attribute's name.
        var columns: [String: String]
    }

    func read(_ key: String, _ connection: any SQLConnection, locked: Bool) throws -> Found? {
        var rows: [[String?]] = []
        let sql = SQLText(table).select(key: connection.parameter(1)) + (locked ? connection.lockClause : "")
        let names = try connection.query(sql, [key]) { rows.append($0) }
        guard let row = rows.first else { return nil }
        let columns = try SQLColumns(names, table, place)
        var attributes: [String: [String]] = [:]
        for (column, value) in row.enumerated() {
            guard var value else { continue }
            attributes[names[column].lowercased()] =
                columns.isList[column]
                ? value.withUTF8 { SQLColumns.list(UnsafeRawBufferPointer($0)) }.map { Set($0).sorted() } : [value]
        }
        return Found(
            object: SiloObject(
                kind: kind, anchor: key, name: key, attributes: attributes.filter { !$0.value.isEmpty }),
            columns: Dictionary(names.map { ($0.lowercased(), $0) }, uniquingKeysWith: { one, _ in one }))
    }

    func carryOut(
        _ change: Change, _ secrets: [String: String], _ connection: any SQLConnection
    ) throws -> WriteAnswer {
        let key = change.anchor ?? keyGiven(change) ?? change.name
        switch change.operation {
        case .create: return try create(change, key, secrets, connection)
        case .modify: return try modify(change, key, secrets, connection)
        case .delete:
            let count = try connection.execute(
                "DELETE FROM \(name) WHERE \(SQLText.column(table.key)) = \(connection.parameter(1))", [key])
            return count > 0 ? .written(anchor: key) : .alreadySo(anchor: key)
        case .rename, .event:
            return .refused(code: "not_supported", text: "a row of a table has no name beside its key")
        }
    }

    private var name: String { SQLText.quoted(table.table ?? "") }

    private func keyGiven(_ change: Change) -> String? {
        change.edits.first { $0.attribute == table.key.lowercased() }?.adds.first
    }

    private func create(
        _ change: Change, _ key: String, _ secrets: [String: String], _ connection: any SQLConnection
    ) throws -> WriteAnswer {
        var attributes = ChangeEffect.attributes(after: change, of: [:], secrets: secrets)
        if !key.isEmpty {
            attributes[table.key.lowercased()] = [key]
            if let found = try read(key, connection, locked: false) {
                return ChangeEffect.isDone(change, in: withName(found.object, change.name), secrets: secrets)
                    ? .alreadySo(anchor: key)
                    : .refused(code: "exists", text: "\(place): '\(key)' is there and is another row")
            }
        }
        let names = attributes.keys.sorted()
        guard let values = texts(names, attributes) else { return cannotHold }
        let places = names.indices.map { connection.parameter($0 + 1) }.joined(separator: ", ")
        var anchor = key
        _ = try connection.query(
            "INSERT INTO \(name) (\(names.map(column).joined(separator: ", "))) VALUES (\(places)) "
                + "RETURNING \(SQLText.column(table.key))", values
        ) { row in
            if let made = row.first ?? nil { anchor = made }
        }
        return .written(anchor: anchor)
    }

    private func withName(_ object: SiloObject, _ name: String) -> SiloObject {
        var object = object
        object.name = name
        return object
    }

    private func modify(
        _ change: Change, _ key: String, _ secrets: [String: String], _ connection: any SQLConnection
    ) throws -> WriteAnswer {
        guard let found = try read(key, connection, locked: true) else {
            return .refused(code: "no_such_object", text: "\(place): there is no row '\(key)'")
        }
        let before = found.object.attributes
        let after = ChangeEffect.attributes(after: change, of: before, secrets: secrets)
        guard after[table.key.lowercased()] == before[table.key.lowercased()] else {
            return .refused(code: "key", text: "'\(table.key)' identifies the row and stays")
        }
        let names = Set(before.keys).union(after.keys).filter { before[$0] != after[$0] }.sorted()
        if names.isEmpty { return .alreadySo(anchor: key) }
        guard let values = texts(names, after) else { return cannotHold }
        let sets = names.enumerated().map { at, name in
            "\(SQLText.column(found.columns[name] ?? name)) = \(connection.parameter(at + 1))"
        }
        _ = try connection.execute(
            "UPDATE \(self.name) SET \(sets.joined(separator: ", ")) "
                + "WHERE \(SQLText.column(table.key)) = \(connection.parameter(names.count + 1))", values + [key])
        return .written(anchor: key)
    }

    private func column(_ attribute: String) -> String {
        attribute == table.key.lowercased() ? SQLText.column(table.key) : SQLText.column(attribute)
    }

    private var cannotHold: WriteAnswer {
        .refused(code: "not_supported", text: "\(place): a column that is no list has one value")
    }

    private func texts(_ names: [String], _ attributes: [String: [String]]) -> [String?]? {
        var result: [String?] = []
        for name in names {
            let values = attributes[name] ?? []
            if table.lists.contains(name), !values.isEmpty {
                guard let json = try? JSONEncoder().encode(values) else { return nil }
                result.append(String(decoding: json, as: UTF8.self))
            } else {
                guard values.count <= 1 else { return nil }
                result.append(values.first)
            }
        }
        return result
    }
}
