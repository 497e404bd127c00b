/// The rows of a file that was read, turned into records batch by batch. A value, so that it can be handed to another
/// thread between two batches.
struct CSVRows: Sendable {
    private let table: CSVSilo.Table
    private let layout: CSVSilo.Layout
    private let place: String
    private let isList: [Bool]
    private var builder = RecordBuilder()
    /// In which line each key was, by the key's hash.
    private var lines: [UInt64: Int] = [:]
    private var rest: Rest?
    private(set) var refused: [RefusedRow] = []

    /// Where the next batch begins.
    private struct Rest: Sendable {
        var offset: Int
        var line: Int
    }

    init(_ table: CSVSilo.Table, _ layout: CSVSilo.Layout, place: String) {
        self.table = table
        self.layout = layout
        self.place = place
        isList = table.columns.map { layout.lists.contains($0) }
    }

    /// The next objects; empty at the end.
    /// - Throws: `ScanFailure` where the rest of the file cannot be trusted.
    mutating func batch() throws -> RecordBatch {
        var batch = RecordBatch()
        try table.text.withUnsafeBytes { all throws in
            var reader = CSVReader(all, delimiter: layout.delimiter)
            do {
                if let rest {
                    reader.skip(to: rest.offset, line: rest.line)
                } else {
                    _ = try reader.next()
                }
                while batch.bytes.count < RecordBatch.bytesWanted, try reader.next() {
                    try take(reader, &batch)
                }
            } catch let trouble as CSVReader.Trouble {
                throw ScanFailure(
                    code: "bad_csv", text: "\(place), line \(trouble.line): \(trouble.text)", isPassing: false)
            }
            rest = Rest(offset: reader.offset, line: reader.lineAfter)
        }
        return batch
    }

    private mutating func take(_ reader: CSVReader, _ batch: inout RecordBatch) throws {
        guard reader.count == table.columns.count else {
            if reader.isAtEnd, !table.isEndedByLine {
                throw ScanFailure(
                    code: "cut_off",
                    text: "\(place), line \(reader.line): the file ends in the middle of a row "
                        + "(\(reader.count) of \(table.columns.count) fields): it may still be written",
                    isPassing: true)
            }
            return refuse(reader.line, "it has \(reader.count) fields, and there are \(table.columns.count) columns")
        }
        let key = reader.field(table.keyColumn)
        guard !key.isEmpty else { return refuse(reader.line, "its '\(layout.key)' is empty") }
        let hash = key.withUnsafeBytes { StableHash.of($0) }
        if let line = lines[hash] {
            return refuse(reader.line, "its '\(layout.key)' is that of line \(line)")
        }
        lines[hash] = reader.line
        builder.begin(anchor: key, name: [])
        for (column, name) in table.columns.enumerated() where !name.isEmpty {
            let field = reader.field(column)
            guard !field.isEmpty else { continue }
            if isList[column] {
                for value in field.split(separator: layout.list) { builder.add(name.utf8, value) }
            } else {
                builder.add(name.utf8, field)
            }
        }
        do {
            try builder.finish(into: &batch)
        } catch {
            refuse(reader.line, error.reason)
        }
    }

    private mutating func refuse(_ line: Int, _ reason: String) {
        if refused.count < 1_000 { refused.append(RefusedRow(place: "\(place):\(line)", reason: reason)) }
    }
}
