import GRDB
import WeirWorld

/// Writes objects inside one transaction: everything that one scan changed gets one sequence number.
struct ObjectWriter {
    private let database: Database
    private let kind: Int64
    private let sequence: Int64
    private let scan: String
    private let now: Int64
    private let remember: RawStatement
    private let put: RawStatement
    private let find: RawStatement
    private(set) var added = 0
    private(set) var changed = 0
    private(set) var gone = 0
    private var isNew = true

    init(_ database: Database, kind: Int64, scan: String, at now: WallTime) throws {
        self.database = database
        self.kind = kind
        self.scan = scan
        self.now = now.nanoseconds
        sequence = try ObjectTables.counter("seq", database) + 1
        find = try RawStatement(
            database, "SELECT id, hash, deleted_at IS NOT NULL, seq, missed FROM object WHERE kind = ? AND anchor = ?")
        remember = try RawStatement(
            database,
            """
            INSERT OR REPLACE INTO object_rev (object, seq, at, scan, data)
            SELECT id, ?2, ?3, ?4, CASE WHEN deleted_at IS NULL THEN data END FROM object WHERE id = ?1
            """)
        put = try RawStatement(
            database,
            """
            INSERT INTO object (kind, anchor, hash, seq, data) VALUES (?1, ?2, ?3, ?4, ?5)
            ON CONFLICT (kind, anchor) DO UPDATE SET hash = ?3, seq = ?4, data = ?5, missed = 0, missing_since = NULL,
                deleted_at = NULL
            """)
    }

    /// - Parameters:
    ///   - isKnown: false where the store surely has no such object, not even as a tombstone.
    ///   - base: what was changed after this number is newer than the record and stays as it is.
    mutating func write(_ record: Record, isKnown: Bool = true, base: Int64 = .max) throws {
        let hash = Int64(bitPattern: record.hash)
        if isKnown {
            find.bind(1, kind)
            find.bindText(2, record.anchor)
            if try find.step() {
                let (row, before) = (find.int(0), find.int(1))
                let (wasDeleted, seq, missed) = (find.int(2) == 1, find.int(3), find.int(4))
                while try find.step() {}
                if seq > base || (before == hash && !wasDeleted && missed == 0) { return }
                try keep(row)
                if wasDeleted { added += 1 } else { changed += 1 }
            } else {
                added += 1
            }
        } else {
            added += 1
        }
        put.bind(1, kind)
        put.bindText(2, record.anchor)
        put.bind(3, hash)
        put.bind(4, sequence)
        put.bindBlob(5, record.bytes)
        try put.run()
    }

    private func keep(_ row: Int64) throws {
        remember.bind(1, row)
        remember.bind(2, sequence)
        remember.bind(3, now)
        try withText(scan) { scan throws in
            remember.bindText(4, scan)
            try remember.run()
        }
    }

    private func withText(_ text: String, _ body: (UnsafeRawBufferPointer) throws -> Void) throws {
        var text = text
        try text.withUTF8 { try body(UnsafeRawBufferPointer($0)) }
    }

    /// A complete scan did not have these rows.
    /// - Parameter misses: after so many in a row the object is taken for deleted.
    mutating func miss(_ rows: [Int64], misses: Int, base: Int64 = .max) throws {
        let look = try RawStatement(database, "SELECT missed, seq FROM object WHERE id = ? AND deleted_at IS NULL")
        let mark = try RawStatement(
            database,
            "UPDATE object SET missed = missed + 1, missing_since = coalesce(missing_since, ?2) WHERE id = ?1")
        for row in rows {
            look.bind(1, row)
            guard try look.step() else { continue }
            let (missed, seq) = (look.int(0), look.int(1))
            while try look.step() {}
            guard seq <= base else { continue }
            if Int(missed) + 1 < misses {
                mark.bind(1, row)
                mark.bind(2, now)
                try mark.run()
            } else {
                try delete(row)
            }
        }
    }

    /// The silo says that the object is deleted, or a single read did not find it.
    mutating func delete(anchor: String) throws {
        find.bind(1, kind)
        var row: Int64?
        try withText(anchor) { text throws in
            find.bindText(2, text)
            if try find.step() {
                if find.int(2) == 0 { row = find.int(0) }
                while try find.step() {}
            }
        }
        if let row { try delete(row) }
    }

    private mutating func delete(_ row: Int64) throws {
        try keep(row)
        try database.execute(
            sql: """
                UPDATE object SET deleted_at = ?2, seq = ?3, missing_since = coalesce(missing_since, ?2) WHERE id = ?1
                """,
            arguments: [row, now, sequence])
        gone += 1
    }

    /// Nothing is counted where nothing was written.
    func finish() throws {
        if added + changed + gone > 0 { try ObjectTables.set("seq", sequence, database) }
    }
}
