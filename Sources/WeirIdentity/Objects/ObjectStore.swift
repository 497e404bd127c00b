import Foundation
import GRDB
package import WeirStore
package import WeirWorld

/// What silos had when they were last read: one row an object, in `identity.db`. It decides nothing; scans come in
/// through `ScanIntake`, graphs are read from it by `loadGraph`.
package final class ObjectStore: Sendable {
    let database: IdentityDatabase
    let world: World
    /// Rows of `object_kind`, in the order of `kinds`.
    let kindRows: [Int64]
    package let kinds: [ObjectKind]

    private init(_ database: IdentityDatabase, _ world: World, _ kinds: [ObjectKind], _ rows: [Int64]) {
        self.database = database
        self.world = world
        self.kinds = kinds
        kindRows = rows
    }

    /// - Parameter kinds: all that are configured; what is kept of others stays and is not looked at.
    package static func open(
        _ database: IdentityDatabase, kinds: [ObjectKind], world: World
    ) async throws(StoreFailure) -> ObjectStore {
        let rows = try await database.write { database in
            try kinds.map { kind in
                try database.execute(
                    sql: "INSERT INTO object_kind (silo, type) VALUES (?, ?) ON CONFLICT DO NOTHING",
                    arguments: [kind.silo, kind.type])
                return try Int64.fetchOne(
                    database, sql: "SELECT id FROM object_kind WHERE silo = ? AND type = ?",
                    arguments: [kind.silo, kind.type]) ?? 0
            }
        }
        return ObjectStore(database, world, kinds, rows)
    }

    func row(of kind: ObjectKind) -> Int64 {
        kinds.firstIndex(of: kind).map { kindRows[$0] } ?? -1
    }

    /// The number of the last change that is kept.
    package func sequence() async throws(StoreFailure) -> Int64 {
        try await database.read { try ObjectTables.counter("seq", $0) }
    }

    /// For the next delta scan; nil where the next must be a full one.
    package func mark(of kind: ObjectKind) async throws(StoreFailure) -> String? {
        let row = row(of: kind)
        return try await database.read {
            try String.fetchOne($0, sql: "SELECT mark FROM object_kind WHERE id = ?", arguments: [row])
        }
    }

    package func live(_ kind: ObjectKind) async throws(StoreFailure) -> Int {
        let row = row(of: kind)
        return try await database.read { try Self.live(row, $0) }
    }

    static func live(_ kind: Int64, _ database: Database) throws -> Int {
        try Int.fetchOne(
            database, sql: "SELECT count(*) FROM object WHERE kind = ? AND deleted_at IS NULL", arguments: [kind]) ?? 0
    }

    /// The object as it was last read; nil where it is not kept or is deleted.
    package func object(_ kind: ObjectKind, anchor: String) async throws(StoreFailure) -> SiloObject? {
        let row = row(of: kind)
        let data = try await database.read { database in
            try Data.fetchOne(
                database, sql: "SELECT data FROM object WHERE kind = ? AND anchor = ? AND deleted_at IS NULL",
                arguments: [row, anchor])
        }
        return data?.withUnsafeBytes { Record($0).object(kind: kind) }
    }

    /// What the object was before each of its changes, the newest first; `nil` where it was not there.
    package func history(
        _ kind: ObjectKind, anchor: String, most: Int
    ) async throws(StoreFailure) -> [(at: WallTime, scan: String, before: SiloObject?)] {
        let row = row(of: kind)
        return try await database.read { database in
            try Row.fetchAll(
                database,
                sql: """
                    SELECT r.at, r.scan, r.data FROM object_rev r JOIN object o ON o.id = r.object
                    WHERE o.kind = ? AND o.anchor = ? ORDER BY r.seq DESC LIMIT ?
                    """, arguments: [row, anchor, most]
            ).map { row in
                let data = row["data"] as Data?
                return (
                    WallTime(nanoseconds: row["at"]), row["scan"],
                    data?.withUnsafeBytes { Record($0).object(kind: kind) }
                )
            }
        }
    }

    /// Forgets what objects were before `time`, and objects that were deleted before it.
    package func prune(before time: WallTime) async throws(StoreFailure) {
        let at = time.nanoseconds
        try await database.write { database in
            try database.execute(sql: "DELETE FROM object_rev WHERE at < ?", arguments: [at])
            try database.execute(
                sql: """
                    DELETE FROM object_identity WHERE object IN (SELECT id FROM object WHERE deleted_at < ?1);
                    """, arguments: [at])
            try database.execute(sql: "DELETE FROM object WHERE deleted_at < ?", arguments: [at])
            try database.execute(
                sql: "DELETE FROM scan WHERE began < ? AND status <> 'quarantined'", arguments: [at])
        }
    }

    // MARK: Epochs

    /// Kinds whose scope (base, filter, table) is another one than when a preview last looked: the next sync that
    /// commits needs a preview before it.
    package func kindsWithoutPreview() async throws(StoreFailure) -> [ObjectKind] {
        let rows = kindRows
        let waiting = try await database.read {
            try Set(Int64.fetchAll($0, sql: "SELECT id FROM object_kind WHERE previewed < epoch"))
        }
        return zip(kinds, rows).filter { waiting.contains($0.1) }.map(\.0)
    }

    /// A preview was shown that read these kinds as they are now.
    package func notePreview(of kinds: [ObjectKind]) async throws(StoreFailure) {
        let rows = kinds.map { row(of: $0) }
        guard !rows.isEmpty else { return }
        try await database.write { database in
            for row in rows {
                try database.execute(
                    sql: "UPDATE object_kind SET previewed = epoch WHERE id = ?", arguments: [row])
            }
        }
    }
}
