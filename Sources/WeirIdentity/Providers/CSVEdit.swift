import WeirStore
import WeirWorld

/// Carries one change out on a file of comma-separated values. Runs on the silo's thread.
struct CSVEdit {
    let silo: CSVSilo

    private struct Rows {
        var columns: [String]
        /// As they are written, the header first.
        var header: [[UInt8]]
        var rows: [[[UInt8]]]
    }

    func carryOut(_ change: Change, _ secrets: [String: String]) throws -> WriteAnswer {
        for _ in 0..<5 {
            let table = try silo.load()
            var rows = try read(table)
            let answer = apply(change, secrets, &rows, table.keyColumn)
            guard case .written = answer else { return answer }
            guard let bytes = silo.layout.encoding.encode(write(rows)) else {
                return .refused(
                    code: "bad_encoding", text: "a value has no place in \(silo.layout.encoding.rawValue)")
            }
            // Somebody else may have put another file there meanwhile: then the change is made on that one.
            guard try silo.file.status() == table.status else { continue }
            do {
                try AtomicFile(path: silo.layout.path, files: silo.world.files).write(bytes)
            } catch {
                return .failed(code: error.code, text: "\(error)")
            }
            return answer
        }
        return .failed(code: "torn", text: "\(silo.layout.path) is written by somebody else all the time")
    }

    private func read(_ table: CSVSilo.Table) throws -> Rows {
        try table.text.withUnsafeBytes { all throws in
            var reader = CSVReader(all, delimiter: silo.layout.delimiter)
            var rows: [[[UInt8]]] = []
            do {
                while try reader.next() { rows.append((0..<reader.count).map { Array(reader.field($0)) }) }
            } catch let trouble as CSVReader.Trouble {
                throw ScanFailure(
                    code: "bad_csv", text: "\(silo.layout.path), line \(trouble.line): \(trouble.text)",
                    isPassing: false)
            }
            return Rows(columns: table.columns, header: rows.first ?? [], rows: Array(rows.dropFirst()))
        }
    }

    private func apply(
        _ change: Change, _ secrets: [String: String], _ table: inout Rows, _ keyColumn: Int
    ) -> WriteAnswer {
        for edit in change.edits where !table.columns.contains(edit.attribute) {
            return .refused(
                code: "no_such_column", text: "\(silo.layout.path) has no column '\(edit.attribute)'")
        }
        let key = change.anchor ?? change.name
        let at = table.rows.firstIndex { $0.count > keyColumn && $0[keyColumn] == Array(key.utf8) }
        switch change.operation {
        case .create:
            var attributes = ChangeEffect.attributes(after: change, of: [:], secrets: secrets)
            attributes[silo.layout.key] = attributes[silo.layout.key] ?? [key]
            guard let row = row(attributes, table.columns) else { return cannotHold }
            let wanted = attributes[silo.layout.key]?.first ?? key
            if let there = table.rows.first(where: { $0.count > keyColumn && $0[keyColumn] == Array(wanted.utf8) }) {
                return there == row
                    ? .alreadySo(anchor: wanted)
                    : .refused(code: "exists", text: "'\(wanted)' is there and is another row")
            }
            table.rows.append(row)
            return .written(anchor: wanted)
        case .modify:
            guard let at else { return .refused(code: "no_such_object", text: "there is no row '\(key)'") }
            let before = attributes(of: table.rows[at], table.columns)
            let after = ChangeEffect.attributes(after: change, of: before, secrets: secrets)
            guard after[silo.layout.key] == before[silo.layout.key] else {
                return .refused(code: "key", text: "'\(silo.layout.key)' identifies the row and stays")
            }
            guard let row = row(after, table.columns) else { return cannotHold }
            if row == table.rows[at] { return .alreadySo(anchor: key) }
            table.rows[at] = row
            return .written(anchor: key)
        case .delete:
            guard let at else { return .alreadySo(anchor: key) }
            table.rows.remove(at: at)
            return .written(anchor: key)
        case .rename, .event:
            return .refused(code: "not_supported", text: "a row of a list has no name beside its key")
        }
    }

    private var cannotHold: WriteAnswer {
        .refused(
            code: "not_supported",
            text: "a column that is no list has one value, and a value of a list cannot hold "
                + "'\(Character(Unicode.Scalar(silo.layout.list)))'")
    }

    private func attributes(of row: [[UInt8]], _ columns: [String]) -> [String: [String]] {
        var result: [String: [String]] = [:]
        for (column, name) in columns.enumerated() where column < row.count && !row[column].isEmpty {
            if silo.layout.lists.contains(name) {
                result[name] = row[column].split(separator: silo.layout.list).map {
                    String(decoding: $0, as: UTF8.self)
                }
            } else {
                result[name] = [String(decoding: row[column], as: UTF8.self)]
            }
        }
        return result
    }

    /// Nil where the values do not fit the columns.
    private func row(_ attributes: [String: [String]], _ columns: [String]) -> [[UInt8]]? {
        var row: [[UInt8]] = []
        for name in columns {
            let values = (attributes[name] ?? []).map { Array($0.utf8) }
            if silo.layout.lists.contains(name) {
                guard values.allSatisfy({ !$0.contains(silo.layout.list) && !$0.isEmpty }) else { return nil }
                row.append(Array(values.joined(separator: [silo.layout.list])))
            } else {
                guard values.count <= 1 else { return nil }
                row.append(values.first ?? [])
            }
        }
        return row
    }

    private func write(_ table: Rows) -> [UInt8] {
        var bytes: [UInt8] = []
        for row in [table.header] + table.rows {
            for (at, field) in row.enumerated() {
                if at > 0 { bytes.append(silo.layout.delimiter) }
                let needsQuotes =
                    field.contains { $0 == silo.layout.delimiter || $0 == 34 || $0 == 10 || $0 == 13 }
                    || (row.count == 1 && field.isEmpty)
                guard needsQuotes else {
                    bytes.append(contentsOf: field)
                    continue
                }
                bytes.append(34)
                for byte in field {
                    if byte == 34 { bytes.append(34) }
                    bytes.append(byte)
                }
                bytes.append(34)
            }
            bytes.append(10)
        }
        return bytes
    }
}
