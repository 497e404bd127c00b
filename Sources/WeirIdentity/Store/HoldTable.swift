import Foundation
import GRDB
import WeirWorld

/// What waits, by run and rule.
enum HoldTable {
    static func holds(_ database: Database) throws -> [HoldView] {
        let rows = try Row.fetchAll(
            database,
            sql: """
                SELECT a.sync, a.rule, count(*) AS suspended, sum(a.vip) AS vip, min(a.created) AS at,
                    min(a.expires) AS expires, max(a.on_expiry) AS on_expiry, max(a.reason) AS any_reason,
                    r.reason AS held, r.most, r.base, r.lookback
                FROM action a LEFT JOIN sync s ON s.id = a.sync
                    LEFT JOIN sync_rule r ON r.sync = s.n AND r.rule = a.rule
                WHERE a.state = 'suspended' GROUP BY a.sync, a.rule ORDER BY at DESC, a.sync, a.rule
                """)
        return try rows.map { row in
            let (held, any): (String?, String) = (row["held"], row["any_reason"])
            let (base, lookback): (Int?, Int?) = (row["base"], row["lookback"])
            return HoldView(
                sync: row["sync"], rule: row["rule"], at: WallTime(nanoseconds: row["at"]),
                reason: ActionReason(rawValue: held ?? any) ?? .volume, suspended: row["suspended"], vip: row["vip"],
                limit: row["most"], base: base ?? 0, lookback: lookback ?? 0,
                expires: WallTime(nanoseconds: row["expires"]),
                onExpiry: Rule.Expiry(rawValue: row["on_expiry"]) ?? .clear,
                digest: try ActionTable.digest(sync: row["sync"], rule: row["rule"], database))
        }
    }

    static func hasExpired(at now: WallTime, _ database: Database) throws -> Bool {
        try Int.fetchOne(
            database, sql: "SELECT 1 FROM action WHERE state = 'suspended' AND expires <= ? LIMIT 1",
            arguments: [now.nanoseconds]) != nil
    }
}
