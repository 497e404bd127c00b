import Foundation
import GRDB
package import WeirStore
import WeirWorld

/// Scans as rows: what was read when, and how it ended.
enum ScanRows {
    static func put(_ view: ScanView, kind: Int64, _ database: Database) throws {
        let refused = String(decoding: try JSONEncoder().encode(view.refused), as: UTF8.self)
        try database.execute(
            sql: """
                INSERT INTO scan (id, kind, is_full, status, began, ended, seen, added, changed, gone, text, refused)
                VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)
                ON CONFLICT DO UPDATE SET status = ?4, ended = ?6, seen = ?7, added = ?8, changed = ?9, gone = ?10,
                    text = ?11, refused = ?12
                """,
            arguments: [
                view.id, kind, view.isFull, view.status.rawValue, view.began.nanoseconds, view.ended?.nanoseconds,
                view.seen, view.added, view.changed, view.gone, view.text, refused,
            ])
    }

    static func view(_ row: Row, _ kind: ObjectKind) -> ScanView {
        var view = ScanView(
            id: row["id"], kind: kind, isFull: row["is_full"],
            status: ScanView.Status(rawValue: row["status"]) ?? .failed, began: WallTime(nanoseconds: row["began"]))
        view.ended = (row["ended"] as Int64?).map { WallTime(nanoseconds: $0) }
        view.seen = row["seen"]
        view.added = row["added"]
        view.changed = row["changed"]
        view.gone = row["gone"]
        view.text = row["text"]
        let refused: String = row["refused"]
        view.refused = (try? JSONDecoder().decode([RefusedRow].self, from: Data(refused.utf8))) ?? []
        return view
    }

    /// A scan was taken: the mark moves on, another scope begins an epoch, and what waited from before is superseded.
    static func take(
        _ database: Database, kind: Int64, scope: String, mark: String?, isFull: Bool, scan: String
    ) throws {
        let before = try String.fetchOne(database, sql: "SELECT scope FROM object_kind WHERE id = ?", arguments: [kind])
        if before != scope {
            // The first scan of all begins no epoch: there was nothing that could be missing from it.
            try database.execute(
                sql: "UPDATE object_kind SET scope = ?2, epoch = epoch + ?3 WHERE id = ?1",
                arguments: [kind, scope, before == nil ? 0 : 1])
        }
        if let mark {
            try database.execute(sql: "UPDATE object_kind SET mark = ?2 WHERE id = ?1", arguments: [kind, mark])
        }
        guard isFull else { return }
        try database.execute(
            sql: """
                DELETE FROM scan_part WHERE scan IN
                    (SELECT id FROM scan WHERE kind = ?1 AND status = 'quarantined' AND id <> ?2)
                """, arguments: [kind, scan])
        try database.execute(
            sql: """
                UPDATE scan SET status = 'failed', missing = NULL, text = text || ' (a later scan was taken)'
                WHERE kind = ?1 AND status = 'quarantined' AND id <> ?2
                """, arguments: [kind, scan])
    }
}

extension ObjectStore {
    func put(_ view: ScanView) async throws(StoreFailure) {
        let row = row(of: view.kind)
        try await database.write { try ScanRows.put(view, kind: row, $0) }
    }

    /// The newest first.
    package func scans(of kind: ObjectKind?, most: Int) async throws(StoreFailure) -> [ScanView] {
        let (kinds, rows) = (kinds, kindRows)
        let only = kind.map { row(of: $0) }
        return try await database.read { database in
            try Row.fetchAll(
                database, sql: "SELECT * FROM scan WHERE ?1 IS NULL OR kind = ?1 ORDER BY began DESC LIMIT ?2",
                arguments: [only, most]
            ).compactMap { row in
                rows.firstIndex(of: row["kind"]).map { ScanRows.view(row, kinds[$0]) }
            }
        }
    }

    package func scan(_ id: String) async throws(StoreFailure) -> ScanView? {
        let (kinds, rows) = (kinds, kindRows)
        return try await database.read { database in
            try Row.fetchOne(database, sql: "SELECT * FROM scan WHERE id = ?", arguments: [id]).flatMap { row in
                rows.firstIndex(of: row["kind"]).map { ScanRows.view(row, kinds[$0]) }
            }
        }
    }

    /// Takes a quarantined scan after all, once. Objects that changed since it was read stay as they are.
    /// - Returns: the scan as it is now, or nil where it does not wait for a decision.
    func accept(_ id: String) async throws(StoreFailure) -> ScanView? {
        let now = world.time.wall
        let (kinds, rows) = (kinds, kindRows)
        return try await database.write { database -> ScanView? in
            guard
                let row = try Row.fetchOne(
                    database, sql: "SELECT * FROM scan WHERE id = ? AND status = 'quarantined'", arguments: [id]),
                let place = rows.firstIndex(of: row["kind"])
            else { return nil }
            var view = ScanRows.view(row, kinds[place])
            let base: Int64 = row["base"]
            var writer = try ObjectWriter(database, kind: rows[place], scan: id, at: now)
            let parts = try Row.fetchCursor(
                database, sql: "SELECT part, data FROM scan_part WHERE scan = ? ORDER BY part", arguments: [id])
            var gone: [String] = []
            while let part = try parts.next() {
                let data: Data = part["data"]
                if part["part"] == -1 {
                    gone = try JSONDecoder().decode([String].self, from: data)
                    continue
                }
                guard let batch = RecordBatch(reading: [UInt8](data)) else {
                    throw StoreFailure.damaged("a part of scan \(id) cannot be read")
                }
                try batch.eachRecord { try writer.write($0, base: base) }
            }
            let missing = row["missing"] as Data?
            var lost: [Int64] = []
            missing?.withUnsafeBytes { bytes in
                for at in stride(from: 0, to: bytes.count - 7, by: 8) {
                    lost.append(Int64(littleEndian: bytes.loadUnaligned(fromByteOffset: at, as: Int64.self)))
                }
            }
            try writer.miss(lost, misses: row["counts_missing"], base: base)
            for anchor in gone { try writer.delete(anchor: anchor) }
            try writer.finish()
            try database.execute(sql: "DELETE FROM scan_part WHERE scan = ?", arguments: [id])
            view.status = .accepted
            (view.added, view.changed, view.gone) = (writer.added, writer.changed, writer.gone)
            try ScanRows.put(view, kind: rows[place], database)
            try ScanRows.take(
                database, kind: rows[place], scope: row["scope"] ?? "", mark: row["mark"], isFull: view.isFull, scan: id
            )
            return view
        }
    }
}

extension ObjectStore {
    /// One object as it was read or written just now; nil: it is gone.
    func refresh(_ kind: ObjectKind, anchor: String, _ object: SiloObject?) async throws {
        let (row, now) = (row(of: kind), world.time.wall)
        var made = RecordBatch()
        if let object { try made.append(object) }
        let batch = made
        try await database.write { database in
            var writer = try ObjectWriter(database, kind: row, scan: "single", at: now)
            try batch.eachRecord { try writer.write($0) }
            if batch.isEmpty { try writer.delete(anchor: anchor) }
            try writer.finish()
        }
    }
}
