import Foundation
import GRDB
import WeirWorld

/// What is kept between syncs for the catches: read for the triggers of one sync, written when it is sealed.
enum MemoryTable {
    /// - Parameters:
    ///   - rules: in the order of the book.
    ///   - triggers: of each.
    /// - Returns: also the actions of rules that are no longer in the book.
    static func read(
        _ rules: [Rule], _ triggers: [[Triggered]], now: WallTime, _ database: Database
    ) throws -> (memories: [RuleMemory], orphans: [RuleMemory.Open]) {
        var memories = rules.map { _ in RuleMemory() }
        var orphans: [RuleMemory.Open] = []
        let places = Dictionary(rules.enumerated().map { ($1.name, $0) }, uniquingKeysWith: { first, _ in first })
        for (rule, open) in try ActionTable.allOpen(database) {
            if let place = places[rule] { memories[place].open[open.identity] = open } else { orphans.append(open) }
        }
        for row in try Row.fetchAll(database, sql: "SELECT rule, identity, fingerprint FROM mute") {
            let fingerprint: Data = row[2]
            if let place = places[row[0]] { memories[place].muted[row[1]] = Fingerprint(bytes: Array(fingerprint)) }
        }
        for row in try Row.fetchAll(database, sql: "SELECT rule, period, start, used FROM quota") {
            guard let place = places[row[0]], let period = Rule.QuotaPeriod(rawValue: row[1]) else { continue }
            memories[place].quotas[period] = QuotaWindow(start: WallTime(nanoseconds: row[2]), used: row[3])
        }
        let last = try database.cachedStatement(
            sql: "SELECT at, fingerprint FROM last_execution WHERE rule = ? AND identity = ?")
        let since = try database.cachedStatement(sql: "SELECT since FROM grace WHERE rule = ? AND identity = ?")
        for (place, rule) in rules.enumerated() {
            memories[place].lookback =
                try Int.fetchOne(
                    database,
                    sql: """
                        SELECT count(DISTINCT identity) FROM execution
                        WHERE human = 0 AND rule = ? AND began > ? AND began <= ?
                            AND (result IS NULL OR result NOT IN ('failed', 'undone'))
                        """,
                    arguments: [
                        rule.name, now.nanoseconds - rule.threshold.lookback.nanoseconds, now.nanoseconds,
                    ]) ?? 0
            for trigger in triggers[place] {
                if rule.throttle != .none || rule.kind == .event,
                    let row = try Row.fetchOne(last, arguments: [rule.name, trigger.identity])
                {
                    memories[place].lastRun[trigger.identity] = WallTime(nanoseconds: row[0])
                    let fingerprint: Data? = row[1]
                    if let fingerprint {
                        memories[place].lastTold[trigger.identity] = Fingerprint(bytes: Array(fingerprint))
                    }
                }
                if rule.grace != nil,
                    let at = try Int64.fetchOne(since, arguments: [rule.name, trigger.identity])
                {
                    memories[place].since[trigger.identity] = WallTime(nanoseconds: at)
                }
            }
        }
        return (memories, orphans)
    }

    static func important(now: WallTime, _ database: Database) throws -> [String: WallTime] {
        var all: [String: WallTime] = [:]
        for row in try Row.fetchAll(
            database, sql: "SELECT identity, until FROM important WHERE until > ?", arguments: [now.nanoseconds])
        {
            all[row[0]] = WallTime(nanoseconds: row[1])
        }
        return all
    }

    static func setImportant(_ identities: [String], until: WallTime, _ database: Database) throws {
        let statement = try database.cachedStatement(
            sql: "INSERT INTO important VALUES (?1, ?2) ON CONFLICT DO UPDATE SET until = max(until, ?2)")
        for identity in identities { try statement.execute(arguments: [identity, until.nanoseconds]) }
        try database.execute(
            sql: "DELETE FROM important WHERE until <= ?",
            arguments: [until.nanoseconds - VIPCatch.stickyFor.nanoseconds])
    }

    static func setQuotas(_ plan: RulePlan, _ database: Database) throws {
        for (period, window) in plan.quotas where period != .sync {
            try database.cachedStatement(sql: "INSERT OR REPLACE INTO quota VALUES (?, ?, ?, ?)").execute(
                arguments: [plan.rule.name, period.rawValue, window.start.nanoseconds, window.used])
        }
    }

    // MARK: Timers

    static func setTimer(_ identity: String, _ rule: String, at: WallTime, _ database: Database) throws {
        try database.cachedStatement(sql: "INSERT OR REPLACE INTO timer VALUES (?, ?, ?)").execute(
            arguments: [identity, rule, at.nanoseconds])
    }

    /// Those whom a sync must look at, whatever changed: their time has come, or something of theirs is approved.
    static func due(at now: WallTime, _ database: Database) throws -> (timed: [String], approved: [String]) {
        (
            try String.fetchAll(
                database, sql: "SELECT DISTINCT identity FROM timer WHERE at <= ?", arguments: [now.nanoseconds]),
            try String.fetchAll(database, sql: "SELECT DISTINCT identity FROM action WHERE state = 'approved'")
        )
    }

    /// Timers of those who were looked at and came due are used up.
    /// - Parameter identities: nil: of everybody.
    static func clearTimers(of identities: [String]?, at now: WallTime, _ database: Database) throws {
        guard let identities else {
            return try database.execute(sql: "DELETE FROM timer WHERE at <= ?", arguments: [now.nanoseconds])
        }
        let statement = try database.cachedStatement(sql: "DELETE FROM timer WHERE identity = ? AND at <= ?")
        for identity in identities { try statement.execute(arguments: [identity, now.nanoseconds]) }
    }

    // MARK: Identities that became one

    static func merge(_ merge: IdentityMerge, _ database: Database) throws {
        let arguments: StatementArguments = [merge.into, merge.from]
        try database.execute(
            sql: """
                INSERT INTO last_execution (rule, identity, at, fingerprint)
                    SELECT rule, ?1, at, fingerprint FROM last_execution WHERE identity = ?2
                    ON CONFLICT DO UPDATE SET at = max(at, excluded.at)
                """, arguments: arguments)
        try database.execute(
            sql: """
                INSERT INTO important SELECT ?1, until FROM important WHERE identity = ?2
                    ON CONFLICT DO UPDATE SET until = max(until, excluded.until)
                """, arguments: arguments)
        try database.execute(
            sql: "INSERT OR IGNORE INTO timer SELECT ?1, rule, at FROM timer WHERE identity = ?2",
            arguments: arguments)
        for table in ["last_execution", "important", "timer", "grace", "mute"] {
            try database.execute(sql: "DELETE FROM \(table) WHERE identity = ?", arguments: [merge.from])
        }
    }

    // MARK: Override keys, values

    static func overrides(_ database: Database) throws -> [OverrideKey] {
        try Row.fetchAll(database, sql: "SELECT * FROM override_key ORDER BY since, id").compactMap { row in
            guard let term = OverrideOrder.Term(rawValue: row["term"]) else { return nil }
            let until: Int64? = row["until"]
            return OverrideKey(
                id: row["id"], term: term, silo: row["silo"], from: WallTime(nanoseconds: row["since"]),
                until: until.map { WallTime(nanoseconds: $0) }, issuedBy: row["issued_by"], second: row["second"],
                reason: row["reason"])
        }
    }

    static func add(_ key: OverrideKey, _ database: Database) throws {
        try database.execute(
            sql: "INSERT INTO override_key VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            arguments: [
                key.id, key.term.rawValue, key.silo, key.from.nanoseconds, key.until?.nanoseconds, key.issuedBy,
                key.second, key.reason,
            ])
    }

    static func value(_ name: String, _ database: Database) throws -> Data? {
        try Data.fetchOne(database, sql: "SELECT value FROM engine_value WHERE name = ?", arguments: [name])
    }

    static func set(_ name: String, _ value: Data, _ database: Database) throws {
        try database.execute(
            sql: "INSERT OR REPLACE INTO engine_value VALUES (?, ?)", arguments: [name, value])
    }

    /// The store's sequence number that the last committed sync has seen.
    static func watermark(_ database: Database) throws -> Int64 {
        try value("watermark", database).flatMap { Int64(String(decoding: $0, as: UTF8.self)) } ?? 0
    }

    static func setWatermark(_ sequence: Int64, _ database: Database) throws {
        try set("watermark", Data(String(sequence).utf8), database)
    }
}
