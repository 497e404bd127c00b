package import WeirWorld

#if canImport(Glibc)
    import Glibc
#endif

/// A list in a file of comma-separated values: the first line names the columns, one of them identifies a row for ever.
///
/// A file that changed while it was read, that ends in the middle of a row, or that has a quote too many is not read at
/// all; a row with a key that is empty or taken, or with too many fields, is refused by its line and the scan is not
/// complete. Writing makes the file anew beside the old one and renames it, so that readers see the one or the other.
package final class CSVSilo: SiloProvider {
    package struct Layout: Sendable {
        package var path: String
        /// The column that identifies a row.
        package var key: String
        package var delimiter = UInt8(ascii: ",")
        /// Between the values of a column that is a list.
        package var list = UInt8(ascii: ";")
        package var encoding = TextEncoding.utf8
        /// Columns that are lists.
        package var lists: Set<String> = []
        /// Larger files are refused. Default: 2 GiB.
        package var bytesMost: Int64 = 2 << 30

        package init(path: String, key: String) {
            self.path = path
            self.key = key.lowercased()
        }
    }

    package let abilities: SiloAbilities
    let layout: Layout
    let world: World
    private let lane: any BlockingLane

    package init(_ layout: Layout, isReadOnly: Bool = false, world: World) {
        self.layout = layout
        self.world = world
        abilities = SiloAbilities(delta: false, writes: !isReadOnly)
        lane = world.blocking.lane("csv")
    }

    deinit { lane.close() }

    package func schema(of kind: ObjectKind) async -> ObjectSchema { ObjectSchema(lists: layout.lists) }

    package func scope(of kind: ObjectKind) -> String { "csv \(layout.path) \(layout.key)" }

    var fileName: String { layout.path.split(separator: "/").last.map(String.init) ?? layout.path }

    /// Runs blocking work on the silo's own thread, one piece after the other.
    func onLane<Value: Sendable>(
        _ body: @escaping @Sendable () throws -> Value
    ) async throws(ScanFailure) -> Value {
        do {
            return try await lane.run(body)
        } catch let failure as ScanFailure {
            throw failure
        } catch {
            throw ScanFailure(code: "io_error", text: "\(layout.path): \(error)", isPassing: true)
        }
    }

    package func scan(
        _ request: ScanRequest, take: (RecordBatch) async throws -> Void
    ) async throws(ScanFailure) -> ScanEnd {
        let table = try await onLane { try self.load() }
        var rows = CSVRows(table, layout, place: fileName)
        while true {
            // A batch at a time on the lane, so that the pool's threads never parse a large file.
            let start = rows
            let (next, batch) = try await onLane { () throws -> (CSVRows, RecordBatch) in
                var rows = start
                let batch = try rows.batch()
                return (rows, batch)
            }
            rows = next
            if batch.isEmpty { break }
            try await hand(over: batch, take)
        }
        return ScanEnd(refused: rows.refused)
    }

    package func read(
        _ kind: ObjectKind, anchor: String?, name: String
    ) async throws(ScanFailure) -> SiloObject? {
        let wanted = anchor ?? name
        return try await onLane {
            var rows = CSVRows(try self.load(), self.layout, place: self.fileName)
            while true {
                let batch = try rows.batch()
                if batch.isEmpty { return nil }
                for at in 0..<batch.count where batch.withRecord(at, { $0.anchorText == wanted }) {
                    return batch.object(at, kind: kind)
                }
            }
        }
    }

    package func write(_ change: Change, secrets: [String: String]) async -> WriteAnswer {
        do throws(ScanFailure) {
            return try await onLane { try CSVEdit(silo: self).carryOut(change, secrets) }
        } catch {
            return error.isPassing
                ? .failed(code: error.code, text: error.text) : .refused(code: error.code, text: error.text)
        }
    }

    // MARK: The file

    /// What was read, and of which file: the same path may be another one a moment later.
    struct Table: Sendable {
        var text: [UInt8]
        var columns: [String]
        var keyColumn: Int
        var status: FileStatus
        /// Where the first row begins.
        var isEndedByLine: Bool
    }

    func load() throws -> Table {
        let (bytes, status) = try file.read()
        let text: [UInt8]
        do {
            text = try layout.encoding.decode(bytes)
        } catch {
            throw ScanFailure(
                code: "bad_encoding",
                text: "\(layout.path), line \(error.line), byte \(error.offset): \(error.text)",
                isPassing: false)
        }
        let columns = try text.withUnsafeBytes { all -> [String] in
            var reader = CSVReader(all, delimiter: layout.delimiter)
            guard try reader.next() else {
                throw ScanFailure(
                    code: "empty_file", text: "\(layout.path) is empty: not even its columns are named",
                    isPassing: true)
            }
            return (0..<reader.count).map { field in
                String(decoding: reader.field(field), as: UTF8.self).trimmed.lowercased()
            }
        }
        if let twice = columns.first(where: { name in columns.filter { $0 == name }.count > 1 }) {
            throw ScanFailure(
                code: "bad_csv", text: "\(layout.path) has more than one column named '\(twice)'", isPassing: false)
        }
        guard let keyColumn = columns.firstIndex(of: layout.key) else {
            throw ScanFailure(
                code: "no_key_column",
                text: "\(layout.path) has no column '\(layout.key)'; it has \(columns.joined(separator: ", "))",
                isPassing: false)
        }
        return Table(
            text: text, columns: columns, keyColumn: keyColumn, status: status, isEndedByLine: text.last == 10)
    }

    var file: WholeFile { WholeFile(path: layout.path, most: layout.bytesMost, files: world.files) }
}
