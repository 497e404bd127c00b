import Foundation
import GRDB
import WeirWorld

/// The journal of what is carried out: the intent before, the result after.
enum ExecutionTable {
    struct Intent: Sendable {
        /// Its place among the sync's triggers.
        var trigger: Int
        var rule: String
        var identity: String
        var action: String?
        var isHuman: Bool
        var changes: [Change]
        var encoded: [UInt8]
        var fingerprint: Fingerprint
        var secrets: [String: String] = [:]
        /// The journal's number, once it is written.
        var number: Int64 = 0
    }

    enum Result: String, Sendable {
        case executed, failed, unknown
        /// The target was read after a crash: nothing had been done.
        case undone
    }

    struct Ending: Sendable {
        var result: Result
        var code: String
        var text: String
        /// Worth another try without anybody doing anything.
        var isPassing = false
    }

    /// Before anything is sent: the throttle's clock starts here.
    static func journal(
        _ intents: [Intent], sync: String, at now: WallTime, _ database: Database
    ) throws -> [Intent] {
        let insert = try database.cachedStatement(
            sql: """
                INSERT INTO execution (sync, trigger_n, rule, identity, action, human, changes, fingerprint, began)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
                """)
        let last = try database.cachedStatement(
            sql: """
                INSERT INTO last_execution (rule, identity, at) VALUES (?1, ?2, ?3)
                ON CONFLICT DO UPDATE SET at = ?3
                """)
        return try intents.map { intent in
            try insert.execute(arguments: [
                sync, intent.trigger, intent.rule, intent.identity, intent.action, intent.isHuman,
                Data(intent.encoded), Data(intent.fingerprint.bytes), now.nanoseconds,
            ])
            var written = intent
            written.number = database.lastInsertedRowID
            try last.execute(arguments: [intent.rule, intent.identity, now.nanoseconds])
            return written
        }
    }

    /// After it: the result, the trigger's outcome, and the action's state.
    static func settle(
        _ intent: Intent, _ ending: Ending, sync: Int64?, isEvent: Bool, at now: WallTime, _ database: Database
    ) throws {
        try database.cachedStatement(
            sql: "UPDATE execution SET ended = ?, result = ?, code = ?, text = ? WHERE n = ?"
        ).execute(arguments: [now.nanoseconds, ending.result.rawValue, ending.code, ending.text, intent.number])
        if let action = intent.action {
            let event: ActionEvent =
                switch ending.result {
                case .executed: .succeed
                case .failed: .refuse
                case .unknown: .lose
                case .undone: .foundUndone
                }
            if try !ActionTable.move(action, event, text: ending.text, database), ending.result == .executed {
                try ActionTable.move(action, .foundDone, text: ending.text, database)
            }
        }
        if isEvent, ending.result == .executed {
            try database.cachedStatement(
                sql: "UPDATE last_execution SET fingerprint = ? WHERE rule = ? AND identity = ?"
            ).execute(arguments: [Data(intent.fingerprint.bytes), intent.rule, intent.identity])
        }
        guard let sync else { return }
        let isDone = ending.result == .executed
        try database.cachedStatement(
            sql: "UPDATE trigger_row SET outcome = ?, reason = ?, text = ? WHERE sync = ? AND n = ?"
        ).execute(arguments: [
            (isDone ? TriggerOutcome.executed : .failed).rawValue,
            (isDone
                ? (intent.action == nil ? ActionReason.passed : .approved)
                : ending.isPassing || ending.result != .failed ? .unavailable : .refused).rawValue,
            ending.text, sync, intent.trigger,
        ])
    }

    /// What was begun and not ended, or ended without anybody knowing how.
    static func unsettled(_ database: Database) throws -> [(intent: Intent, sync: Int64?)] {
        try Row.fetchAll(
            database,
            sql: """
                SELECT e.*, s.n AS sync_n FROM execution e LEFT JOIN sync s ON s.id = e.sync
                WHERE e.result IS NULL OR e.result = 'unknown' ORDER BY e.n
                """
        ).map { row in
            let (encoded, fingerprint): (Data, Data) = (row["changes"], row["fingerprint"])
            return (
                Intent(
                    trigger: row["trigger_n"], rule: row["rule"], identity: row["identity"], action: row["action"],
                    isHuman: row["human"], changes: (try? ChangeCode.decode(encoded)) ?? [], encoded: Array(encoded),
                    fingerprint: Fingerprint(bytes: Array(fingerprint)), number: row["n"]),
                row["sync_n"]
            )
        }
    }

    /// Claimed by a sync that ended before their intent was journalled: nothing was sent, the approval stands.
    static func unclaim(_ database: Database) throws {
        try database.execute(
            sql: """
                UPDATE action SET state = 'approved' WHERE state = 'executing' AND id NOT IN
                    (SELECT action FROM execution WHERE action IS NOT NULL
                        AND (result IS NULL OR result = 'unknown'))
                """)
    }
}
