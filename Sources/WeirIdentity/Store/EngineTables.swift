/// The engine's tables in `identity.db`. Times are nanoseconds since 1970, changes are `ChangeCode`, fingerprints 32
/// bytes.
///
/// - `trigger` is the history: every trigger of every sync with what came of it; one that has an action keeps its
///   changes there.
/// - `action` is what was held. At most one that is not over for a rule and an identity.
/// - `execution` is the journal: the intent is written before the silo is, the result after it.
/// - `decision` is the audit; each line's hash covers the one before it.
enum EngineTables {
    static let tables = IdentityTables(owner: "engine", steps: [first])

    private static let first = """
        CREATE TABLE engine_value (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;

        CREATE TABLE sync (
            n INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, kind TEXT NOT NULL, mode TEXT NOT NULL, identity TEXT,
            began INTEGER NOT NULL, sealed INTEGER, ended INTEGER, identities INTEGER NOT NULL DEFAULT 0,
            failure TEXT
        );
        CREATE TABLE sync_rule (
            sync INTEGER NOT NULL, place INTEGER NOT NULL, rule TEXT NOT NULL, triggered INTEGER NOT NULL,
            most INTEGER, base INTEGER NOT NULL, lookback INTEGER NOT NULL, held INTEGER NOT NULL,
            reason TEXT, level INTEGER NOT NULL, PRIMARY KEY (sync, place)
        ) WITHOUT ROWID;
        CREATE TABLE sync_problem (
            sync INTEGER NOT NULL, n INTEGER NOT NULL, rule TEXT, identity TEXT, code TEXT NOT NULL,
            text TEXT NOT NULL, PRIMARY KEY (sync, n)
        ) WITHOUT ROWID;
        CREATE TABLE trigger_row (
            sync INTEGER NOT NULL, n INTEGER NOT NULL, rule TEXT NOT NULL, identity TEXT NOT NULL, label TEXT NOT NULL,
            outcome TEXT, reason TEXT NOT NULL, until INTEGER, vip INTEGER NOT NULL, changes BLOB, action TEXT,
            text TEXT NOT NULL, PRIMARY KEY (sync, n)
        ) WITHOUT ROWID;

        CREATE TABLE action (
            n INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, sync TEXT NOT NULL, rule TEXT NOT NULL,
            identity TEXT NOT NULL, label TEXT NOT NULL, state TEXT NOT NULL, reason TEXT NOT NULL,
            vip INTEGER NOT NULL, fingerprint BLOB NOT NULL, changes BLOB NOT NULL, created INTEGER NOT NULL,
            expires INTEGER NOT NULL, on_expiry TEXT NOT NULL, needs_two INTEGER NOT NULL, own TEXT,
            first_by TEXT, decided_by TEXT, decided_kind TEXT, decided_at INTEGER, decision TEXT,
            claimed TEXT, seen TEXT, text TEXT NOT NULL DEFAULT ''
        );
        CREATE UNIQUE INDEX action_open ON action (rule, identity)
            WHERE state IN ('suspended', 'approved', 'executing', 'unknown');
        CREATE INDEX action_hold ON action (sync, rule, state);
        CREATE INDEX action_identity ON action (identity);
        CREATE INDEX action_expiry ON action (expires) WHERE state = 'suspended';
        CREATE INDEX action_state ON action (state);
        CREATE INDEX action_rule ON action (rule, state);

        CREATE TABLE execution (
            n INTEGER PRIMARY KEY, sync TEXT NOT NULL, trigger_n INTEGER NOT NULL, rule TEXT NOT NULL,
            identity TEXT NOT NULL, action TEXT, human INTEGER NOT NULL, changes BLOB NOT NULL,
            fingerprint BLOB NOT NULL, began INTEGER NOT NULL, ended INTEGER, result TEXT, code TEXT, text TEXT
        );
        CREATE INDEX execution_lookback ON execution (rule, began) WHERE human = 0;
        CREATE INDEX execution_unsettled ON execution (n) WHERE result IS NULL OR result = 'unknown';
        CREATE INDEX execution_count ON execution (rule, result) WHERE action IS NULL;
        CREATE TABLE last_execution (
            rule TEXT NOT NULL, identity TEXT NOT NULL, at INTEGER NOT NULL, fingerprint BLOB,
            PRIMARY KEY (rule, identity)
        ) WITHOUT ROWID;
        CREATE INDEX last_execution_identity ON last_execution (identity);

        CREATE TABLE timer (
            identity TEXT NOT NULL, rule TEXT NOT NULL, at INTEGER NOT NULL, PRIMARY KEY (identity, rule)
        ) WITHOUT ROWID;
        CREATE INDEX timer_at ON timer (at);
        CREATE TABLE grace (
            rule TEXT NOT NULL, identity TEXT NOT NULL, since INTEGER NOT NULL, PRIMARY KEY (rule, identity)
        ) WITHOUT ROWID;
        CREATE TABLE mute (
            rule TEXT NOT NULL, identity TEXT NOT NULL, fingerprint BLOB NOT NULL, PRIMARY KEY (rule, identity)
        ) WITHOUT ROWID;
        CREATE TABLE quota (
            rule TEXT NOT NULL, period TEXT NOT NULL, start INTEGER NOT NULL, used INTEGER NOT NULL,
            PRIMARY KEY (rule, period)
        ) WITHOUT ROWID;
        CREATE TABLE important (identity TEXT PRIMARY KEY, until INTEGER NOT NULL) WITHOUT ROWID;
        CREATE TABLE override_key (
            id TEXT PRIMARY KEY, term TEXT NOT NULL, silo TEXT, since INTEGER NOT NULL, until INTEGER,
            issued_by TEXT NOT NULL, second TEXT NOT NULL, reason TEXT NOT NULL
        ) WITHOUT ROWID;
        CREATE TABLE decision (
            n INTEGER PRIMARY KEY, at INTEGER NOT NULL, verb TEXT NOT NULL, which TEXT NOT NULL,
            was TEXT NOT NULL, became TEXT NOT NULL, person_kind TEXT NOT NULL, person TEXT NOT NULL, address TEXT,
            agent TEXT, reason TEXT NOT NULL, fingerprint TEXT NOT NULL, count INTEGER NOT NULL, hash BLOB NOT NULL
        );
        """
}
