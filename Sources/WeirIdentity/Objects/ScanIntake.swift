import Foundation
import GRDB
import WeirStore
import WeirWorld

/// One scan on its way into the store: records are compared while they come, what is new or changed is set aside, and
/// only when all of it has come and the input gate has looked is anything written. What is the same costs nothing.
actor ScanIntake {
    /// What is set aside goes to the file beyond this.
    private static let heldMost = 32 << 20

    private let store: ObjectStore
    private let kind: ObjectKind
    private let scan: String
    private let isFull: Bool
    private var known: KnownObjects?
    private var held: [RecordBatch] = []
    private var current = RecordBatch()
    private var heldBytes = 0
    private var parts = 0
    private var base: Int64 = 0
    private(set) var seen = 0
    private var fresh = 0
    private(set) var refused: [RefusedRow] = []

    init(_ store: ObjectStore, _ kind: ObjectKind, scan: String, isFull: Bool) {
        self.store = store
        self.kind = kind
        self.scan = scan
        self.isFull = isFull
    }

    func begin() async throws(StoreFailure) {
        let row = store.row(of: kind)
        let isFull = isFull
        let (found, sequence) = try await store.database.read { database -> (KnownObjects?, Int64) in
            let sequence = try ObjectTables.counter("seq", database)
            guard isFull else { return (nil, sequence) }
            let count = try ObjectStore.live(row, database)
            var known = KnownObjects(expecting: count)
            let all = try RawStatement(
                database,
                "SELECT id, hash, missed, anchor FROM object WHERE kind = ? AND deleted_at IS NULL")
            all.bind(1, row)
            while try all.step() {
                known.add(
                    anchor: StableHash.of(all.bytes(3)), content: UInt64(bitPattern: all.int(1)), row: all.int(0),
                    isMissing: all.int(2) > 0)
            }
            return (known, sequence)
        }
        known = found
        base = sequence
    }

    func take(_ batch: RecordBatch) async throws(StoreFailure) {
        for at in 0..<batch.count {
            batch.withRecord(at) { record in compare(record) }
        }
        if current.bytes.count >= RecordBatch.bytesWanted { hold() }
        if heldBytes >= Self.heldMost { try await park() }
    }

    private func compare(_ record: Record) {
        guard known != nil else {
            seen += 1
            current.append(record)
            return
        }
        switch known?.see(anchor: StableHash.of(record.anchor), content: record.hash) {
        case .same, nil: break
        case .new:
            fresh += 1
            current.append(record)
        case .changed: current.append(record)
        case .repeated:
            refuse(RefusedRow(place: record.anchorText, reason: "the silo has more than one object with this key"))
            return
        }
        seen += 1
    }

    func refuse(_ row: RefusedRow) {
        if refused.count < 1_000 { refused.append(row) }
    }

    private func hold() {
        guard !current.isEmpty else { return }
        heldBytes += current.bytes.count
        held.append(current)
        current = RecordBatch()
    }

    private func park() async throws(StoreFailure) {
        let (batches, scan, first) = (held, scan, parts)
        held = []
        heldBytes = 0
        parts += batches.count
        try await store.database.write { database in
            for (at, batch) in batches.enumerated() {
                try database.execute(
                    sql: "INSERT INTO scan_part VALUES (?, ?, ?)", arguments: [scan, first + at, Data(batch.bytes)])
            }
        }
    }

    // MARK: The end

    func findings(gone: Int) -> InputGate.Findings {
        InputGate.Findings(
            live: known?.live ?? 0, seen: seen, gone: isFull ? known?.missingCount ?? 0 : gone,
            refused: refused.count, isFull: isFull)
    }

    /// Takes what came: all of it in one transaction.
    func apply(
        gone: [String], misses: Int, deletes: Bool, mark: String?, scope: String, view: ScanView
    ) async throws(StoreFailure) -> ScanView {
        hold()
        let (batches, row, scan, parts) = (held, store.row(of: kind), scan, parts)
        let missing = deletes && isFull ? known?.missing ?? [] : []
        // Where the store had nothing of the kind, nothing needs to be looked up.
        let isFirst = isFull && known?.live == 0
        let now = store.world.time.wall
        var view = view
        let isFull = isFull
        let counts = try await store.database.write { database -> (Int, Int, Int) in
            let hasTombstones =
                try Bool.fetchOne(
                    database, sql: "SELECT EXISTS (SELECT 1 FROM object WHERE kind = ?)", arguments: [row]) ?? true
            var writer = try ObjectWriter(database, kind: row, scan: scan, at: now)
            for part in 0..<parts {
                let data = try Data.fetchOne(
                    database, sql: "SELECT data FROM scan_part WHERE scan = ? AND part = ?", arguments: [scan, part])
                guard let data, let batch = RecordBatch(reading: [UInt8](data)) else {
                    throw StoreFailure.damaged("part \(part) of scan \(scan) cannot be read")
                }
                try batch.eachRecord { try writer.write($0, isKnown: !isFirst || hasTombstones) }
            }
            for batch in batches { try batch.eachRecord { try writer.write($0, isKnown: !isFirst || hasTombstones) } }
            try writer.miss(missing, misses: misses)
            for anchor in gone { try writer.delete(anchor: anchor) }
            try writer.finish()
            if parts > 0 { try database.execute(sql: "DELETE FROM scan_part WHERE scan = ?", arguments: [scan]) }
            try ScanRows.take(database, kind: row, scope: scope, mark: mark, isFull: isFull, scan: scan)
            return (writer.added, writer.changed, writer.gone)
        }
        (view.added, view.changed, view.gone) = counts
        return view
    }

    /// Sets aside what came, for whoever may decide on it.
    func quarantine(
        gone: [String], misses: Int, mark: String?, scope: String, view: ScanView
    ) async throws(StoreFailure) {
        hold()
        if !held.isEmpty { try await park() }
        let (scan, kind, base) = (scan, store.row(of: kind), base)
        let missing = isFull && refused.isEmpty ? known?.missing ?? [] : []
        let anchors = gone
        try await store.database.write { database in
            var bytes = Data()
            for row in missing { withUnsafeBytes(of: row.littleEndian) { bytes.append(contentsOf: $0) } }
            try ScanRows.put(view, kind: kind, database)
            try database.execute(
                sql:
                    "UPDATE scan SET base = ?2, mark = ?3, scope = ?4, missing = ?5, counts_missing = ?6 WHERE id = ?1",
                arguments: [scan, base, mark, scope, bytes, misses])
            if !anchors.isEmpty {
                try database.execute(
                    sql: "INSERT INTO scan_part VALUES (?, -1, ?)",
                    arguments: [scan, try JSONEncoder().encode(anchors)])
            }
        }
    }

    /// Nothing of it is kept.
    func discard() async throws(StoreFailure) {
        guard parts > 0 else { return }
        let scan = scan
        try await store.database.write {
            try $0.execute(sql: "DELETE FROM scan_part WHERE scan = ?", arguments: [scan])
        }
    }

    var freshCount: Int { fresh }
}
