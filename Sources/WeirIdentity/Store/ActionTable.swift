import Crypto
import Foundation
import GRDB
import WeirWorld

/// Actions as they are kept.
enum ActionTable {
    static let open = "('suspended', 'approved', 'executing', 'unknown')"

    struct New {
        var id: String
        var trigger: Triggered
        var rule: Rule
        var reason: ActionReason
        var isVIP: Bool
    }

    static func insert(_ action: New, sync: String, now: WallTime, _ database: Database) throws {
        let review = action.rule.review
        let own: String? =
            review.allowsSelfApproval || action.trigger.own.isEmpty
            ? nil : "\n" + action.trigger.own.joined(separator: "\n") + "\n"
        try database.cachedStatement(
            sql: """
                INSERT INTO action (id, sync, rule, identity, label, state, reason, vip, fingerprint, changes, created,
                    expires, on_expiry, needs_two, own, seen)
                VALUES (?, ?, ?, ?, ?, 'suspended', ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                """
        ).execute(arguments: [
            action.id, sync, action.rule.name, action.trigger.identity, action.trigger.label, action.reason.rawValue,
            action.isVIP, Data(action.trigger.fingerprint.bytes), Data(action.trigger.encoded), now.nanoseconds,
            (now + review.expiry).nanoseconds, review.onExpiry.rawValue, review.needsTwo, own, sync,
        ])
    }

    /// Moves an action by the one function that knows how.
    /// - Returns: false where it is in a state that the event cannot happen in.
    @discardableResult
    static func move(
        _ id: String, _ event: ActionEvent, text: String? = nil, claimedBy sync: String? = nil, _ database: Database
    ) throws -> Bool {
        let found = try String.fetchOne(
            database.cachedStatement(sql: "SELECT state FROM action WHERE id = ?"), arguments: [id])
        guard let state = found.flatMap(ActionState.init(rawValue:)), let next = state.after(event) else {
            return false
        }
        try database.cachedStatement(
            sql: """
                UPDATE action SET state = ?1, text = coalesce(?2, text), claimed = coalesce(?3, claimed) WHERE id = ?4
                """
        ).execute(arguments: [next.rawValue, text, sync, id])
        return true
    }

    /// All that are not over, of all rules.
    static func allOpen(_ database: Database) throws -> [(rule: String, open: RuleMemory.Open)] {
        try rows(
            database,
            "SELECT id, identity, state, reason, fingerprint, decided_kind, rule FROM action WHERE state IN "
                + open)
    }

    static func executed(_ database: Database) throws -> [(rule: String, open: RuleMemory.Open)] {
        try rows(
            database,
            "SELECT id, identity, state, reason, fingerprint, decided_kind, rule FROM action WHERE state = 'executed'")
    }

    private static func rows(
        _ database: Database, _ sql: String
    ) throws -> [(rule: String, open: RuleMemory.Open)] {
        var all: [(rule: String, open: RuleMemory.Open)] = []
        let cursor = try Row.fetchCursor(database, sql: sql)
        while let row = try cursor.next() {
            guard let state = ActionState(rawValue: row[2]) else { continue }
            let kind: String? = row[5]
            let fingerprint: Data = row[4]
            all.append(
                (
                    row[6],
                    RuleMemory.Open(
                        id: row[0], identity: row[1], state: state, reason: ActionReason(rawValue: row[3]) ?? .volume,
                        fingerprint: Fingerprint(bytes: Array(fingerprint)),
                        isHuman: kind.map { $0 != Person.Kind.policy.rawValue } ?? false)
                ))
        }
        return all
    }

    /// Lets go of what was over before a time.
    static func forget(before time: WallTime, _ database: Database) throws {
        let arguments: StatementArguments = [time.nanoseconds]
        try database.execute(
            sql: "DELETE FROM action WHERE created < ? AND state NOT IN \(open) AND state <> 'executed'",
            arguments: arguments)
        try database.execute(
            sql: "DELETE FROM execution WHERE began < ? AND result IS NOT NULL AND result <> 'unknown'",
            arguments: arguments)
    }

    /// Over all suspended actions of a hold, in their order: what a bulk decision is bound to.
    static func digest(sync: String, rule: String, _ database: Database) throws -> String {
        var hash = SHA256()
        let cursor = try Row.fetchCursor(
            database,
            sql: """
                SELECT id, fingerprint FROM action WHERE sync = ? AND rule = ? AND state = 'suspended' ORDER BY n
                """, arguments: [sync, rule])
        while let row = try cursor.next() {
            let (id, fingerprint): (String, Data) = (row[0], row[1])
            hash.update(data: Array(id.utf8))
            hash.update(data: fingerprint)
        }
        return Hex.text(hash.finalize())
    }

    static func view(_ row: Row) -> ActionView {
        let changes: Data = row["changes"]
        let fingerprint: Data = row["fingerprint"]
        let by: String? = row["decided_by"]
        let kind: String? = row["decided_kind"]
        let at: Int64? = row["decided_at"]
        let first: String? = row["first_by"]
        let state = ActionState(rawValue: row["state"]) ?? .suspended
        var text: String = row["text"]
        if state == .suspended, let first { text = "approved by \(first); one more person must approve" }
        return ActionView(
            id: row["id"], sync: row["sync"], rule: row["rule"], identity: row["identity"], label: row["label"],
            state: state, reason: ActionReason(rawValue: row["reason"]) ?? .volume, isVIP: row["vip"],
            changes: (try? ChangeCode.decode(changes)) ?? [], fingerprint: Hex.text(fingerprint),
            created: WallTime(nanoseconds: row["created"]), expires: WallTime(nanoseconds: row["expires"]),
            decidedBy: by.map { Person(kind: kind.flatMap(Person.Kind.init(rawValue:)) ?? .user, name: $0) },
            decidedAt: at.map { WallTime(nanoseconds: $0) }, decision: row["decision"], text: text)
    }

    /// - Returns: a condition and its arguments.
    static func condition(_ filter: ActionFilter) -> (sql: String, arguments: StatementArguments) {
        var parts: [String] = []
        var arguments = StatementArguments()
        if !filter.states.isEmpty, filter.states.count < ActionState.allCases.count {
            let states = filter.states.map(\.rawValue).sorted()
            parts.append("state IN (\(states.map { _ in "?" }.joined(separator: ", ")))")
            arguments += StatementArguments(states)
        }
        for (column, value) in [
            ("sync", filter.sync), ("rule", filter.rule), ("identity", filter.identity),
            ("reason", filter.reason?.rawValue),
        ] {
            guard let value else { continue }
            parts.append("\(column) = ?")
            arguments += [value]
        }
        return (parts.isEmpty ? "1" : parts.joined(separator: " AND "), arguments)
    }

    /// By number, ascending; the page's mark is the number.
    static func page(_ filter: ActionFilter, _ page: PageRequest, _ database: Database) throws -> Page<ActionView> {
        let (sql, arguments) = condition(filter)
        let total = try Int.fetchOne(database, sql: "SELECT count(*) FROM action WHERE \(sql)", arguments: arguments)
        let after = page.after.flatMap { Int64($0) } ?? 0
        let rows = try Row.fetchAll(
            database, sql: "SELECT * FROM action WHERE \(sql) AND n > ? ORDER BY n LIMIT ?",
            arguments: arguments + [after, page.count + 1])
        let shown = rows.prefix(page.count)
        let last: Int64? = shown.last?["n"]
        return Page(
            items: shown.map(view), total: total ?? 0, next: rows.count > page.count ? last.map { String($0) } : nil)
    }
}
