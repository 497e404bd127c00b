import Foundation
import GRDB
import WeirWorld

/// A sync's plan when nothing can be added to it any more: what the catches made of every trigger, and what becomes of
/// actions that waited. Sealing writes it in one transaction; only then anything runs.
struct SealedPlan: Sendable {
    let sync: String
    let number: Int64
    let request: SyncRequest
    let now: WallTime
    let plans: [RulePlan]
    let memories: [RuleMemory]
    let evaluation: EvaluationPass.Part
    let snapshot: any IdentitySnapshot
    let disabled: [Int: String]
    var problems: [SyncView.Problem]
    /// Actions of rules that are no longer in the book.
    let orphans: [RuleMemory.Open]
    let newID: @Sendable () -> String
    let vipUntil: WallTime

    /// - Returns: what is to be carried out.
    func seal(_ database: Database) throws -> [ExecutionTable.Intent] {
        var intents: [ExecutionTable.Intent] = []
        var place = 0
        for (rule, plan) in plans.enumerated() {
            try SyncTable.add(plan, place: rule, to: number, database)
            for item in plan.items {
                if let intent = try seal(item, plan.rule, memories[rule], place, database) { intents.append(intent) }
                place += 1
            }
        }
        try SyncTable.add(problems, to: number, database)
        try database.execute(
            sql: "UPDATE sync SET sealed = ?, identities = ? WHERE n = ?",
            arguments: [now.nanoseconds, evaluation.evaluated.count, number])
        guard request.mode == .commit else { return [] }
        try remember(database)
        try close(database)
        return intents
    }

    // MARK: Triggers

    private func seal(
        _ item: RulePlan.Item, _ rule: Rule, _ memory: RuleMemory, _ place: Int, _ database: Database
    ) throws -> ExecutionTable.Intent? {
        let trigger = item.trigger
        let commits = request.mode == .commit
        var row = TriggerRow(place: place, outcome: nil, reason: .passed)
        var intent: ExecutionTable.Intent?
        switch item.planned {
        case .ready(let action, let isHuman):
            row.reason = action == nil ? .passed : .approved
            row.action = action
            guard commits else {
                (row.outcome, row.reason, row.text) = (.skipped, .preview, "would run")
                break
            }
            if let action, try !ActionTable.move(action, .claim, claimedBy: sync, database) {
                (row.outcome, row.reason, row.text) = (.skipped, .revoked, "revoked while the sync was sealed")
                break
            }
            intent = ExecutionTable.Intent(
                trigger: place, rule: rule.name, identity: trigger.identity, action: action, isHuman: isHuman,
                changes: trigger.changes, encoded: trigger.encoded, fingerprint: trigger.fingerprint,
                secrets: trigger.secrets)
        case .throttled(let until, let last):
            (row.outcome, row.reason, row.until) = (.throttled, .throttled, until)
            row.action = memory.open[trigger.identity]?.id
            guard commits else { break }
            try MemoryTable.setTimer(trigger.identity, rule.name, at: until, database)
            if memory.lastRun[trigger.identity] != last {
                try database.cachedStatement(
                    sql: "UPDATE last_execution SET at = ? WHERE rule = ? AND identity = ?"
                ).execute(arguments: [last.nanoseconds, rule.name, trigger.identity])
            }
        case .suspended(let reason, let action, let replaces):
            (row.outcome, row.reason, row.action) = (.suspended, reason, action)
            guard commits else {
                row.text = action == nil ? "would be held" : ""
                break
            }
            if let replaces { try ActionTable.move(replaces, .supersede, database) }
            if action == nil {
                let id = newID()
                try ActionTable.insert(
                    ActionTable.New(id: id, trigger: trigger, rule: rule, reason: reason, isVIP: item.isVIP),
                    sync: sync, now: now, database)
                row.action = id
            }
        case .postponed(let reason, let until):
            (row.outcome, row.reason, row.until) = (.postponed, reason, until)
            if commits { try MemoryTable.setTimer(trigger.identity, rule.name, at: until, database) }
        case .skipped(let reason, let text): (row.outcome, row.reason, row.text) = (.skipped, reason, text)
        case .failed(let reason, let text): (row.outcome, row.reason, row.text) = (.failed, reason, text)
        }
        try row.insert(trigger, rule.name, item.isVIP, number, database)
        return intent
    }

    private struct TriggerRow {
        var place: Int
        /// Nil until it has run.
        var outcome: TriggerOutcome?
        var reason: ActionReason
        var until: WallTime?
        var action: String?
        var text = ""

        func insert(
            _ trigger: Triggered, _ rule: String, _ isVIP: Bool, _ sync: Int64, _ database: Database
        ) throws {
            try database.cachedStatement(
                sql: "INSERT INTO trigger_row VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
            ).execute(arguments: [
                sync, place, rule, trigger.identity, trigger.label, outcome?.rawValue, reason.rawValue,
                until?.nanoseconds, isVIP, action == nil ? Data(trigger.encoded) : nil, action, text,
            ])
        }
    }

    // MARK: What is kept for the next syncs

    private func remember(_ database: Database) throws {
        for (plan, memory) in zip(plans, memories) {
            if !plan.rule.isSimulated { try MemoryTable.setQuotas(plan, database) }
            guard plan.rule.grace != nil else { continue }
            for item in plan.items where memory.since[item.trigger.identity] == nil {
                try database.cachedStatement(sql: "INSERT OR IGNORE INTO grace VALUES (?, ?, ?)").execute(
                    arguments: [plan.rule.name, item.trigger.identity, now.nanoseconds])
            }
        }
        for merge in snapshot.merges(since: try MemoryTable.watermark(database)) {
            try MemoryTable.merge(merge, database)
        }
        try MemoryTable.setImportant(evaluation.important, until: vipUntil, database)
        if request.kind != .single { try MemoryTable.setWatermark(snapshot.sequence, database) }
    }

    /// Open actions whose rule no longer asks, graces that are over before their time, and executed actions that a scan
    /// has confirmed: for all who were looked at.
    private func close(_ database: Database) throws {
        let looked = Set(evaluation.evaluated)
        var failed: Set<Pair> = []
        for failure in evaluation.failures { failed.insert(Pair(rule: failure.rule, identity: failure.identity)) }
        let places = Dictionary(plans.enumerated().map { ($1.rule.name, $0) }, uniquingKeysWith: { first, _ in first })
        let triggered = plans.map { plan in
            Dictionary(
                plan.items.map { ($0.trigger.identity, $0.trigger.fingerprint) },
                uniquingKeysWith: { first, _ in first })
        }
        /// Whether this sync can say that the rule does not want it: the identity was looked at and nothing failed, or
        /// is gone altogether.
        func wantsNot(_ rule: Int, _ identity: String) -> Bool {
            guard disabled[rule] == nil, triggered[rule][identity] == nil else { return false }
            guard let number = snapshot.identity(identity), snapshot.id(of: number) == identity else { return true }
            return looked.contains(number) && !failed.contains(Pair(rule: rule, identity: number))
        }
        for orphan in orphans { try ActionTable.move(orphan.id, .drop, text: "the rule is gone", database) }
        for (rule, memory) in memories.enumerated() {
            for open in memory.open.values.sorted(by: { $0.id < $1.id }) where wantsNot(rule, open.identity) {
                try ActionTable.move(open.id, .drop, text: "no longer needed", database)
            }
            guard plans[rule].rule.grace != nil else { continue }
            let name = plans[rule].rule.name
            for identity in try String.fetchAll(
                database, sql: "SELECT identity FROM grace WHERE rule = ?", arguments: [name])
            where wantsNot(rule, identity) {
                try database.cachedStatement(sql: "DELETE FROM grace WHERE rule = ? AND identity = ?").execute(
                    arguments: [name, identity])
            }
        }
        for (rule, done) in try ActionTable.executed(database) {
            guard let place = places[rule] else { continue }
            let differs = triggered[place][done.identity].map { $0 != done.fingerprint } ?? false
            if differs || wantsNot(place, done.identity) { try ActionTable.move(done.id, .confirm, database) }
        }
        // A mute ends where the change is another one; one that is not wanted for a while stays.
        for (rule, memory) in memories.enumerated() {
            for (identity, fingerprint) in memory.muted {
                guard let wanted = triggered[rule][identity], wanted != fingerprint else { continue }
                try database.cachedStatement(sql: "DELETE FROM mute WHERE rule = ? AND identity = ?").execute(
                    arguments: [plans[rule].rule.name, identity])
            }
        }
    }

    private struct Pair: Hashable {
        var rule: Int
        var identity: Int
    }
}
