import GRDB

/// The object store's part of `identity.db`.
///
/// ```
/// object_kind     what is kept of which silo and type, its delta mark, and in which epoch it was read
/// object          one row an object: hash of its record, seq of its last change, the record; a tombstone keeps its
/// last object_identity whom an object belongs to, apart from the object, so that joining rewrites no records
/// object_rev      what objects were before they changed; prunable
/// scan, scan_part scans, and the records of those that wait for a decision
/// identity_…      ids that were merged, split off, or touched by a change of joins
/// ```
/// `seq` counts applied scans: all objects that one of them changed have the same number, and a delta is what has a
/// greater one than the last.
package enum ObjectTables {
    package static let tables = IdentityTables(
        owner: "objects",
        steps: [
            """
            CREATE TABLE object_kind (
                id INTEGER PRIMARY KEY, silo TEXT NOT NULL, type TEXT NOT NULL, scope TEXT,
                epoch INTEGER NOT NULL DEFAULT 0, previewed INTEGER NOT NULL DEFAULT 0, mark TEXT,
                UNIQUE (silo, type));
            CREATE TABLE object (
                id INTEGER PRIMARY KEY, kind INTEGER NOT NULL, anchor TEXT NOT NULL, hash INTEGER NOT NULL,
                seq INTEGER NOT NULL, missed INTEGER NOT NULL DEFAULT 0, missing_since INTEGER, deleted_at INTEGER,
                data BLOB NOT NULL);
            CREATE UNIQUE INDEX object_anchor ON object (kind, anchor);
            CREATE INDEX object_deleted ON object (seq) WHERE deleted_at IS NOT NULL;
            CREATE TABLE object_identity (object INTEGER PRIMARY KEY, identity INTEGER NOT NULL);
            CREATE TABLE object_rev (
                object INTEGER NOT NULL, seq INTEGER NOT NULL, at INTEGER NOT NULL, scan TEXT NOT NULL, data BLOB,
                PRIMARY KEY (object, seq)) WITHOUT ROWID;
            CREATE INDEX object_rev_at ON object_rev (at);
            CREATE TABLE scan (
                id TEXT PRIMARY KEY, kind INTEGER NOT NULL, is_full INTEGER NOT NULL, status TEXT NOT NULL,
                began INTEGER NOT NULL, ended INTEGER, seen INTEGER NOT NULL DEFAULT 0,
                added INTEGER NOT NULL DEFAULT 0, changed INTEGER NOT NULL DEFAULT 0, gone INTEGER NOT NULL DEFAULT 0,
                text TEXT NOT NULL DEFAULT '', refused TEXT NOT NULL DEFAULT '[]', base INTEGER NOT NULL DEFAULT 0,
                mark TEXT, scope TEXT, missing BLOB, counts_missing INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID;
            CREATE INDEX scan_kind ON scan (kind, began);
            CREATE TABLE scan_part (
                scan TEXT NOT NULL, part INTEGER NOT NULL, data BLOB NOT NULL, PRIMARY KEY (scan, part));
            CREATE TABLE identity_merge (source INTEGER PRIMARY KEY, target INTEGER NOT NULL, seq INTEGER NOT NULL);
            CREATE TABLE identity_split (target INTEGER PRIMARY KEY, source INTEGER NOT NULL, seq INTEGER NOT NULL);
            CREATE TABLE identity_touch (identity INTEGER PRIMARY KEY, seq INTEGER NOT NULL);
            CREATE TABLE object_counter (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
            INSERT INTO object_counter VALUES ('seq', 0), ('identity', 1);
            """
        ])

    static func counter(_ name: String, _ database: Database) throws -> Int64 {
        try Int64.fetchOne(database, sql: "SELECT value FROM object_counter WHERE name = ?", arguments: [name]) ?? 0
    }

    static func set(_ name: String, _ value: Int64, _ database: Database) throws {
        try database.execute(
            sql: "INSERT INTO object_counter VALUES (?1, ?2) ON CONFLICT DO UPDATE SET value = ?2",
            arguments: [name, value])
    }
}
