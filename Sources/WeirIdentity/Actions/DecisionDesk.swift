import Foundation
import GRDB
import WeirWorld

/// Where decisions are made, in one transaction with their line of the audit: the first one wins, by the state. Each is
/// bound to what the person saw, where they say what that was.
struct DecisionDesk {
    let database: Database
    let now: WallTime
    /// How long an extension lasts, by rule.
    let expiry: (String) -> Duration

    func decide(_ order: DecisionOrder) throws -> Result<DecisionResult, IdentityRefusal> {
        switch order.which {
        case .action(let id): try decide(order, action: id)
        case .hold(let sync, let rule, let exceptVIP): try decide(order, sync: sync, rule: rule, exceptVIP: exceptVIP)
        }
    }

    // MARK: One action

    private func decide(
        _ order: DecisionOrder, action id: String
    ) throws -> Result<DecisionResult, IdentityRefusal> {
        try expire(only: id)
        guard let row = try Row.fetchOne(database, sql: "SELECT * FROM action WHERE id = ?", arguments: [id]) else {
            return .failure(IdentityRefusal(.unknown, code: "no_such_action", text: "there is no such action"))
        }
        let view = ActionTable.view(row)
        if let shown = order.fingerprint, shown != view.fingerprint {
            return .failure(
                IdentityRefusal(
                    .conflict, code: "change_differs",
                    text: "the change is another one than the one that was shown; look again and decide then"))
        }
        let event: ActionEvent =
            switch order.verb {
            case .approve: .approve
            case .reject: .reject
            case .revoke: .revoke
            case .extend: .approve
            }
        guard let next = view.state.after(event) else { return Self.late(order, view) }
        if order.verb == .extend { return .success(try extend(order, "id = ?", [id], "action \(id)")) }
        if order.verb == .approve {
            let own: String? = row["own"]
            if own?.contains("\n\(order.person.name.lowercased())\n") == true {
                return .failure(
                    IdentityRefusal(
                        .notAllowed, code: "self_approval",
                        text: "this is about yourself; somebody else must approve it"))
            }
            let (needsTwo, first): (Bool, String?) = (row["needs_two"], row["first_by"])
            if needsTwo, let answer = try firstOfTwo(order, view, first) { return .success(answer) }
        }
        try database.execute(
            sql: """
                UPDATE action SET state = ?, decided_by = ?, decided_kind = ?, decided_at = ?, decision = ?
                WHERE id = ? AND state = ?
                """,
            arguments: [
                next.rawValue, order.person.name, order.person.kind.rawValue, now.nanoseconds, order.reason, id,
                view.state.rawValue,
            ])
        if order.verb == .reject, order.mutes { try mute("id = ?", [id]) }
        try write(order, which: "action \(id)", from: view.state, to: next, fingerprint: view.fingerprint, count: 1)
        return .success(DecisionResult(changed: 1, already: 0, text: "\(view.label): \(next.rawValue)"))
    }

    /// - Returns: an answer where the approval does not count yet.
    private func firstOfTwo(_ order: DecisionOrder, _ view: ActionView, _ first: String?) throws -> DecisionResult? {
        if let first, first != order.person.name.lowercased() { return nil }
        if first == nil {
            try database.execute(
                sql: "UPDATE action SET first_by = ? WHERE id = ?",
                arguments: [order.person.name.lowercased(), view.id])
            try write(
                order, which: "action \(view.id)", from: .suspended, to: .suspended, fingerprint: view.fingerprint,
                count: 1)
        }
        return DecisionResult(
            changed: 0, already: first == nil ? 0 : 1, text: "\(view.label): one more person must approve",
            waitsForSecond: true)
    }

    private static func late(_ order: DecisionOrder, _ view: ActionView) -> Result<DecisionResult, IdentityRefusal> {
        let who = view.decidedBy.map { " by \($0.name)" } ?? ""
        let when = view.decidedAt.map { " at \($0)" } ?? ""
        switch view.state {
        case .expired, .superseded, .obsolete:
            let text =
                switch view.state {
                case .expired: "the time to decide was over at \(view.expires)"
                case .superseded: "the change is another one now and was asked about again"
                default: "it is no longer needed"
                }
            return .failure(IdentityRefusal(.gone, code: "action_\(view.state.rawValue)", text: text))
        case .executing, .unknown, .executed, .confirmed, .failed:
            if order.verb == .approve { break }
            return .failure(
                IdentityRefusal(
                    .conflict, code: "already_taken", text: "a sync has taken it already: \(view.state.rawValue)"))
        case .suspended where order.verb == .revoke:
            return .failure(
                IdentityRefusal(.conflict, code: "not_approved", text: "it is not approved; reject it instead"))
        default: break
        }
        return .success(
            DecisionResult(changed: 0, already: 1, text: "already \(view.state.rawValue)\(who)\(when)"))
    }

    // MARK: All of a hold

    private func decide(
        _ order: DecisionOrder, sync: String, rule: String, exceptVIP: Bool
    ) throws -> Result<DecisionResult, IdentityRefusal> {
        try expire(only: nil)
        let known = try Int.fetchOne(
            database, sql: "SELECT count(*) FROM action WHERE sync = ? AND rule = ?", arguments: [sync, rule])
        guard let known, known > 0 else {
            return .failure(
                IdentityRefusal(.unknown, code: "no_such_hold", text: "the rule holds nothing of that run"))
        }
        if let shown = order.fingerprint,
            try shown != ActionTable.digest(sync: sync, rule: rule, database)
        {
            return .failure(
                IdentityRefusal(
                    .conflict, code: "hold_differs",
                    text: "some of the actions were decided or changed since they were shown; look again"))
        }
        let from: ActionState = order.verb == .revoke ? .approved : .suspended
        var condition = "sync = ? AND rule = ? AND state = '\(from.rawValue)'"
        let arguments: StatementArguments = [sync, rule]
        if exceptVIP { condition += " AND vip = 0" }
        let which = "hold \(sync) \(rule)" + (exceptVIP ? " except VIP" : "")
        if order.verb == .extend { return .success(try extend(order, condition, arguments, which)) }

        var text = ""
        if order.verb == .approve {
            let own = "\n\(order.person.name.lowercased())\n"
            let mine =
                try Int.fetchOne(
                    database, sql: "SELECT count(*) FROM action WHERE \(condition) AND instr(own, ?) > 0",
                    arguments: arguments + [own]) ?? 0
            if mine > 0 { text = "; \(mine) about yourself must be approved by somebody else" }
            return .success(
                try approve(order, condition + " AND coalesce(instr(own, ?), 0) = 0", arguments + [own], which, text))
        }
        if order.mutes, order.verb == .reject { try mute(condition, arguments) }
        let changed = try set(.rejected, order, condition, arguments)
        if changed > 0 { try write(order, which: which, from: from, to: .rejected, count: changed) }
        return .success(
            DecisionResult(changed: changed, already: known - changed, text: "\(changed) rejected"))
    }

    private func approve(
        _ order: DecisionOrder, _ condition: String, _ arguments: StatementArguments, _ which: String, _ text: String
    ) throws -> DecisionResult {
        let person = order.person.name.lowercased()
        let ready = " AND (needs_two = 0 OR (first_by IS NOT NULL AND first_by <> ?))"
        let changed = try set(.approved, order, condition + ready, arguments + [person])
        try database.execute(
            sql: "UPDATE action SET first_by = ? WHERE \(condition) AND needs_two = 1 AND first_by IS NULL",
            arguments: [person] + arguments)
        let waiting = database.changesCount
        if changed + waiting > 0 {
            try write(
                order, which: which, from: .suspended, to: changed > 0 ? .approved : .suspended,
                count: max(changed, waiting))
        }
        let more = waiting > 0 ? "; \(waiting) need one more person" : ""
        return DecisionResult(
            changed: changed, already: 0, text: "\(changed) approved\(more)\(text)", waitsForSecond: waiting > 0)
    }

    private func set(
        _ state: ActionState, _ order: DecisionOrder, _ condition: String, _ arguments: StatementArguments
    ) throws -> Int {
        try database.execute(
            sql: """
                UPDATE action SET state = ?, decided_by = ?, decided_kind = ?, decided_at = ?, decision = ?
                WHERE \(condition)
                """,
            arguments: [
                state.rawValue, order.person.name, order.person.kind.rawValue, now.nanoseconds, order.reason,
            ] + arguments)
        return database.changesCount
    }

    // MARK: Expiry

    /// Suspended actions whose time is over, one or all: cleared, or approved by policy.
    @discardableResult
    func expire(only id: String?) throws -> Int {
        var all = 0
        let which: (sql: String, arguments: StatementArguments) =
            id.map { (" AND id = ?", [$0]) } ?? ("", StatementArguments())
        for (policy, event) in [(Rule.Expiry.clear, ActionEvent.expireCleared), (.approve, .expireApproved)] {
            guard let next = ActionState.suspended.after(event) else { continue }
            try database.execute(
                sql: """
                    UPDATE action SET state = ?, decided_by = 'expiry', decided_kind = 'policy', decided_at = ?
                    WHERE state = 'suspended' AND on_expiry = ? AND expires <= ?\(which.sql)
                    """,
                arguments: [next.rawValue, now.nanoseconds, policy.rawValue, now.nanoseconds] + which.arguments)
            let count = database.changesCount
            guard count > 0 else { continue }
            all += count
            let order = DecisionOrder(
                verb: policy == .clear ? .reject : .approve, which: .action(id ?? ""),
                person: Person(kind: .policy, name: "expiry"), reason: "the time to decide was over")
            try write(
                order, which: id.map { "action \($0)" } ?? "expired actions", from: .suspended, to: next, count: count)
        }
        return all
    }

    // MARK: Parts

    private func extend(
        _ order: DecisionOrder, _ condition: String, _ arguments: StatementArguments, _ which: String
    ) throws -> DecisionResult {
        let rules = try String.fetchAll(
            database, sql: "SELECT DISTINCT rule FROM action WHERE \(condition)", arguments: arguments)
        var changed = 0
        for rule in rules {
            try database.execute(
                sql: "UPDATE action SET expires = max(expires, ?) WHERE \(condition) AND rule = ?",
                arguments: [(now + expiry(rule)).nanoseconds] + arguments + [rule])
            changed += database.changesCount
        }
        try write(order, which: which, from: .suspended, to: .suspended, count: changed)
        return DecisionResult(changed: changed, already: 0, text: "\(changed) extended")
    }

    private func mute(_ condition: String, _ arguments: StatementArguments) throws {
        try database.execute(
            sql: """
                INSERT OR REPLACE INTO mute (rule, identity, fingerprint)
                SELECT rule, identity, fingerprint FROM action WHERE \(condition)
                """, arguments: arguments)
    }

    private func write(
        _ order: DecisionOrder, which: String, from: ActionState, to: ActionState, fingerprint: String? = nil,
        count: Int
    ) throws {
        try DecisionTable.append(
            DecisionLine(
                at: now, verb: order.verb.rawValue, which: which, from: from.rawValue, to: to.rawValue,
                person: order.person, reason: order.reason, fingerprint: fingerprint ?? order.fingerprint ?? "",
                count: count), database)
    }
}
