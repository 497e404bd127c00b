import Foundation
import GRDB
import WeirWorld

/// Syncs, what each rule did in them, and their triggers: the history.
enum SyncTable {
    /// Problems that are kept of a sync.
    static let problemsMost = 1_000
    /// Syncs whose triggers are kept.
    static let historyMost = 500

    /// - Returns: the sync's number.
    static func begin(_ id: String, _ request: SyncRequest, at now: WallTime, _ database: Database) throws -> Int64 {
        try database.execute(
            sql: "INSERT INTO sync (id, kind, mode, identity, began) VALUES (?, ?, ?, ?, ?)",
            arguments: [id, request.kind.rawValue, request.mode.rawValue, request.identity, now.nanoseconds])
        let number = database.lastInsertedRowID
        for table in ["trigger_row", "sync_rule", "sync_problem"] {
            try database.execute(sql: "DELETE FROM \(table) WHERE sync <= ?", arguments: [number - Int64(historyMost)])
        }
        try database.execute(sql: "DELETE FROM sync WHERE n <= ?", arguments: [number - Int64(historyMost)])
        return number
    }

    static func end(_ number: Int64, at now: WallTime, failure: String?, _ database: Database) throws {
        try database.execute(
            sql: "UPDATE sync SET ended = ?, failure = ? WHERE n = ?",
            arguments: [now.nanoseconds, failure, number])
        try database.execute(
            sql: """
                UPDATE trigger_row SET outcome = 'failed', reason = 'unavailable',
                    text = 'the sync ended before it was carried out' WHERE sync = ? AND outcome IS NULL
                """, arguments: [number])
    }

    /// Syncs that a server before this one began and did not end.
    static func endAll(at now: WallTime, _ database: Database) throws {
        for number in try Int64.fetchAll(database, sql: "SELECT n FROM sync WHERE ended IS NULL") {
            try end(number, at: now, failure: "the server ended while the sync ran", database)
        }
    }

    static func add(_ problems: [SyncView.Problem], to number: Int64, _ database: Database) throws {
        var place =
            try Int.fetchOne(database, sql: "SELECT count(*) FROM sync_problem WHERE sync = ?", arguments: [number])
            ?? 0
        for problem in problems {
            guard place < problemsMost else { return }
            try database.cachedStatement(sql: "INSERT INTO sync_problem VALUES (?, ?, ?, ?, ?, ?)").execute(
                arguments: [number, place, problem.rule, problem.identity, problem.code, problem.text])
            place += 1
        }
    }

    static func add(_ plan: RulePlan, place: Int, to number: Int64, _ database: Database) throws {
        try database.execute(
            sql: "INSERT INTO sync_rule VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            arguments: [
                number, place, plan.rule.name, plan.items.count, plan.threshold.effective, plan.threshold.base,
                plan.lookback, plan.held != nil, plan.held?.rawValue, plan.level,
            ])
    }

    // MARK: Views

    static func page(_ page: PageRequest, _ database: Database) throws -> Page<SyncView> {
        let before = page.after.flatMap { Int64($0) } ?? .max
        let rows = try Row.fetchAll(
            database, sql: "SELECT * FROM sync WHERE n < ? ORDER BY n DESC LIMIT ?",
            arguments: [before, page.count + 1])
        let shown = rows.prefix(page.count)
        let last: Int64? = shown.last?["n"]
        return Page(
            items: try shown.map { try view($0, database) },
            total: try Int.fetchOne(database, sql: "SELECT count(*) FROM sync") ?? 0,
            next: rows.count > page.count ? last.map { String($0) } : nil)
    }

    static func view(id: String, _ database: Database) throws -> SyncView? {
        try Row.fetchOne(database, sql: "SELECT * FROM sync WHERE id = ?", arguments: [id]).map {
            try view($0, database)
        }
    }

    private static func view(_ row: Row, _ database: Database) throws -> SyncView {
        let number: Int64 = row["n"]
        let request = SyncRequest(
            kind: SyncRequest.Kind(rawValue: row["kind"]) ?? .full,
            mode: SyncRequest.Mode(rawValue: row["mode"]) ?? .preview, identity: row["identity"])
        var view = SyncView(id: row["id"], request: request, began: WallTime(nanoseconds: row["began"]))
        let (sealed, ended): (Int64?, Int64?) = (row["sealed"], row["ended"])
        view.sealed = sealed.map { WallTime(nanoseconds: $0) }
        view.ended = ended.map { WallTime(nanoseconds: $0) }
        view.identities = row["identities"]
        view.failure = row["failure"]
        var outcomes: [String: [TriggerOutcome: Int]] = [:]
        let counts = try Row.fetchCursor(
            database,
            sql: "SELECT rule, outcome, count(*) FROM trigger_row WHERE sync = ? GROUP BY rule, outcome",
            arguments: [number])
        while let count = try counts.next() {
            let text: String? = count[1]
            guard let outcome = text.flatMap(TriggerOutcome.init(rawValue:)) else { continue }
            outcomes[count[0], default: [:]][outcome] = count[2]
        }
        for rule in try Row.fetchAll(
            database, sql: "SELECT * FROM sync_rule WHERE sync = ? ORDER BY place", arguments: [number])
        {
            var counts = SyncView.RuleCounts(rule: rule["rule"])
            counts.triggered = rule["triggered"]
            counts.outcomes = outcomes[counts.rule] ?? [:]
            counts.limit = rule["most"]
            counts.base = rule["base"]
            counts.lookback = rule["lookback"]
            counts.isHeld = rule["held"]
            view.rules.append(counts)
        }
        view.problems = try Row.fetchAll(
            database, sql: "SELECT * FROM sync_problem WHERE sync = ? ORDER BY n", arguments: [number]
        ).map { SyncView.Problem(rule: $0["rule"], identity: $0["identity"], code: $0["code"], text: $0["text"]) }
        return view
    }

    /// In the plan's order; the page's mark is the place in it.
    static func triggers(
        sync id: String, rule: String?, outcome: TriggerOutcome?, _ page: PageRequest, _ database: Database
    ) throws -> Page<TriggerView> {
        let nothing = Page<TriggerView>(items: [], total: 0, next: nil)
        guard let number = try Int64.fetchOne(database, sql: "SELECT n FROM sync WHERE id = ?", arguments: [id])
        else { return nothing }
        var condition = "t.sync = ?"
        var arguments: StatementArguments = [number]
        if let rule {
            condition += " AND t.rule = ?"
            arguments += [rule]
        }
        if let outcome {
            condition += " AND t.outcome = ?"
            arguments += [outcome.rawValue]
        }
        let total = try Int.fetchOne(
            database, sql: "SELECT count(*) FROM trigger_row t WHERE \(condition)", arguments: arguments)
        let after = page.after.flatMap { Int64($0) } ?? -1
        let rows = try Row.fetchAll(
            database,
            sql: """
                SELECT t.*, coalesce(t.changes, a.changes) AS all_changes
                FROM trigger_row t LEFT JOIN action a ON a.id = t.action
                WHERE \(condition) AND t.n > ? ORDER BY t.n LIMIT ?
                """, arguments: arguments + [after, page.count + 1])
        let shown = rows.prefix(page.count)
        let last: Int64? = shown.last?["n"]
        return Page(
            items: shown.map(trigger), total: total ?? 0,
            next: rows.count > page.count ? last.map { String($0) } : nil)
    }

    private static func trigger(_ row: Row) -> TriggerView {
        let changes: Data? = row["all_changes"]
        let until: Int64? = row["until"]
        let outcome: String? = row["outcome"]
        return TriggerView(
            rule: row["rule"], identity: row["identity"], label: row["label"],
            outcome: outcome.flatMap(TriggerOutcome.init(rawValue:)) ?? .failed,
            reason: ActionReason(rawValue: row["reason"]) ?? .unavailable,
            until: until.map { WallTime(nanoseconds: $0) }, isVIP: row["vip"],
            changes: changes.flatMap { try? ChangeCode.decode($0) } ?? [], action: row["action"], text: row["text"])
    }
}
