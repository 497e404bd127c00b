import Foundation
import GRDB
import WeirExpressions
import WeirStore
import WeirWorld

// What console, API, command line and mail ask.

extension IdentityEngine {
    package func silos() async -> [SiloView] { await keeper.views() }

    package func rules() async -> [RuleView] { gates.views(last, problems: problemsOfRules()) }

    private func problemsOfRules() -> [String: String] {
        guard let book else { return [:] }
        return Dictionary(
            book.entries.compactMap { entry in entry.problem.map { (entry.rule.name, $0) } },
            uniquingKeysWith: { first, _ in first })
    }

    package func syncs(_ page: PageRequest) async throws -> Page<SyncView> {
        try await database.read { try SyncTable.page(page, $0) }
    }

    package func sync(_ id: String) async throws -> SyncView? {
        try await database.read { try SyncTable.view(id: id, $0) }
    }

    package func triggers(
        sync: String, rule: String?, outcome: TriggerOutcome?, _ page: PageRequest
    ) async throws -> Page<TriggerView> {
        try await database.read { try SyncTable.triggers(sync: sync, rule: rule, outcome: outcome, page, $0) }
    }

    package func holds() async throws -> [HoldView] {
        if let shownHolds { return shownHolds }
        let holds = try await database.read { try HoldTable.holds($0) }
        shownHolds = holds
        return holds
    }

    package func actions(_ filter: ActionFilter, _ page: PageRequest) async throws -> Page<ActionView> {
        try await database.read { try ActionTable.page(filter, page, $0) }
    }

    package func action(_ id: String) async throws -> ActionView? {
        try await database.read { database in
            try Row.fetchOne(database, sql: "SELECT * FROM action WHERE id = ?", arguments: [id]).map(
                ActionTable.view)
        }
    }

    package func audit(_ page: PageRequest) async throws -> Page<DecisionView> {
        try await database.read { try DecisionTable.page(page, $0) }
    }

    /// Looks through the audit's whole chain.
    /// - Returns: the number of the first line that was tampered with, or nil.
    package func auditBreak() async throws -> Int64? {
        try await database.read { try DecisionTable.firstBroken($0) }
    }

    // MARK: Deciding

    package func decide(_ order: DecisionOrder) async throws(IdentityRefusal) -> DecisionResult {
        let (now, expiry) = (world.time.wall, expiryOfRules())
        do {
            let result = try await database.write { database in
                try DecisionDesk(database: database, now: now, expiry: expiry).decide(order)
            }
            shownHolds = nil
            try await gates.refresh(database, at: now)
            return try result.get()
        } catch {
            throw Self.refusal(error)
        }
    }

    package func issueOverride(_ order: OverrideOrder) async throws(IdentityRefusal) -> OverrideView {
        let now = world.time.wall
        let key = try OverrideKey(order, id: newID(), at: now)
        do {
            try await database.write { database in
                try MemoryTable.add(key, database)
                try DecisionTable.append(
                    DecisionLine(
                        at: now, verb: "unlock", which: "override \(key.id)", from: "", to: key.term.rawValue,
                        person: order.person, reason: "\(order.reason) (with \(order.second.name))",
                        fingerprint: key.silo ?? "", count: 1), database)
            }
        } catch {
            throw Self.refusal(error)
        }
        return Self.view(key)
    }

    package func overrides() async -> [OverrideView] {
        let keys = (try? await database.read { try MemoryTable.overrides($0) }) ?? []
        return keys.map(Self.view)
    }

    private static func view(_ key: OverrideKey) -> OverrideView {
        OverrideView(
            id: key.id, term: key.term, silo: key.silo, issuedBy: key.issuedBy, second: key.second, from: key.from,
            until: key.until, reason: key.reason)
    }

    // MARK: Scans

    package func scan(silo: String?, full: Bool) async throws(IdentityRefusal) -> [ScanView] {
        let kinds = keeper.kinds.filter { silo == nil || $0.silo == silo }
        guard !kinds.isEmpty else {
            throw IdentityRefusal(.unknown, code: "no_silo", text: "there is no silo `\(silo ?? "")`")
        }
        var views: [ScanView] = []
        for kind in kinds { views.append(await keeper.scan(kind, isFull: full, id: newID())) }
        return views
    }

    package func acceptScan(_ id: String, by person: Person, reason: String) async throws(IdentityRefusal) {
        try await keeper.accept(scan: id, by: person, reason: reason)
        let now = world.time.wall
        do {
            try await database.write { database in
                try DecisionTable.append(
                    DecisionLine(
                        at: now, verb: "accept", which: "scan \(id)", from: "quarantined", to: "accepted",
                        person: person, reason: reason, fingerprint: "", count: 1), database)
            }
        } catch {
            throw Self.refusal(error)
        }
    }

    /// The objects of one identity as their silos have them now.
    func refresh(_ text: String) async -> [SyncView.Problem] {
        guard let snapshot = try? await keeper.snapshot(), let identity = find(text, snapshot) else { return [] }
        var problems: [SyncView.Problem] = []
        for object in snapshot.objects(of: identity) {
            guard let provider = keeper.provider(object.kind.silo) else { continue }
            do {
                let now = try await provider.read(object.kind, anchor: object.anchor, name: object.name)
                try await keeper.refresh(object.kind, anchor: object.anchor, now)
            } catch {
                let text = (error as? ScanFailure)?.text ?? "\(error)"
                problems.append(
                    SyncView.Problem(
                        rule: nil, identity: snapshot.id(of: identity), code: "scan-incomplete",
                        text: "\(object.kind) \(object.name): \(text)"))
            }
        }
        return problems
    }

    // MARK: Identities

    /// By id, or `silo:anchor`, or `silo/type:anchor`.
    func find(_ text: String, _ snapshot: any IdentitySnapshot) -> Int? {
        if let identity = snapshot.identity(text) { return identity }
        guard let colon = text.firstIndex(of: ":") else { return nil }
        let (head, anchor) = (text[..<colon], text[text.index(after: colon)...])
        let parts = head.split(separator: "/", maxSplits: 1)
        for kind in keeper.kinds where kind.silo == parts.first.map({ String($0) }) {
            if parts.count == 2, kind.type != String(parts[1]) { continue }
            for identity in 0..<snapshot.count {
                if snapshot.hasObject(identity, kind), snapshot.object(of: identity, kind)?.anchor == String(anchor) {
                    return identity
                }
            }
        }
        return nil
    }

    private func current() async throws -> any IdentitySnapshot {
        if let last, try await keeper.sequence() == last.sequence { return last }
        let snapshot = try await keeper.snapshot()
        last = snapshot
        return snapshot
    }

    package func identities(matching text: String, _ page: PageRequest) async throws -> Page<IdentitySummary> {
        let snapshot = try await current()
        let pass = try self.pass(snapshot)
        let wanted = text.lowercased()
        let start = page.after.flatMap { Int($0) } ?? 0
        var found: [IdentitySummary] = []
        var (total, next) = (0, String?.none)
        for identity in 0..<snapshot.count {
            if !wanted.isEmpty, !pass.label(identity).lowercased().contains(wanted), snapshot.id(of: identity) != text,
                !snapshot.objects(of: identity).contains(where: {
                    $0.anchor.lowercased() == wanted || $0.name.lowercased().contains(wanted)
                })
            {
                continue
            }
            total += 1
            guard identity >= start else { continue }
            if found.count < page.count {
                found.append(summary(identity, pass))
            } else if next == nil {
                next = String(identity)
            }
        }
        return Page(items: found, total: total, next: next)
    }

    private func summary(_ identity: Int, _ pass: EvaluationPass) -> IdentitySummary {
        let snapshot = pass.evaluator.snapshot
        let vip = pass.evaluator.book.vip.map { expression in
            (try? expression.evaluate(identity, in: snapshot, pass.evaluator.scope)) != .bool(false)
        }
        return IdentitySummary(
            id: snapshot.id(of: identity), label: pass.label(identity),
            objects: snapshot.objects(of: identity).map(\.kind), isVIP: vip ?? false)
    }

    package func identity(_ id: String) async throws -> IdentityView? {
        let snapshot = try await current()
        guard let identity = find(id, snapshot) else { return nil }
        let pass = try self.pass(snapshot)
        let (rules, now) = (settings.rules, world.time.wall)
        let part = pass.first([identity], remembersVIP: false)
        let counted = part.candidates.isEmpty ? nil : pass.counted(part.candidates, now: now)
        var triggers = part.triggers
        if let counted { for place in triggers.indices { triggers[place] += counted.triggers[place] } }
        let all = triggers
        let persistent = snapshot.id(of: identity)
        let (kept, important, overrides, history) = try await database.read { database in
            var filter = ActionFilter()
            filter.states = []
            filter.identity = persistent
            return (
                try MemoryTable.read(rules, all, now: now, database), try MemoryTable.important(now: now, database),
                try MemoryTable.overrides(database),
                try ActionTable.page(filter, PageRequest(count: 100), database).items
            )
        }
        let verdicts = rules.enumerated().map { place, rule -> IdentityView.Verdict in
            if let problem = pass.disabled[place] {
                return .init(rule: rule.name, text: "the rule cannot be used: \(problem)", trigger: nil)
            }
            guard let trigger = all[place].first else {
                let text =
                    switch pass.evaluator.first(place, identity) {
                    case .none(let cause): "no trigger: \(cause.text)"
                    case .failed(let text): "no trigger: \(text)"
                    case .candidate, .triggered: "no trigger: \(RuleFinding.Cause.condition.text)"
                    }
                return .init(rule: rule.name, text: text, trigger: nil)
            }
            let context = RulePlan.Context(
                now: now, kind: .single, base: snapshot.live(rule.base),
                isUnlocked: overrides.contains { $0.isActive(for: rule.target.silo, at: now) }, important: important)
            let plan = RulePlan(rule, [trigger], kept.memories[place], context)
            guard let item = plan.items.first else {
                return .init(rule: rule.name, text: "no trigger: it was told already", trigger: nil)
            }
            return Self.verdict(item, rule)
        }
        return IdentityView(
            summary: summary(identity, pass), objects: snapshot.objects(of: identity), verdicts: verdicts,
            history: history, dispute: snapshot.dispute(of: identity))
    }

    private static func verdict(_ item: RulePlan.Item, _ rule: Rule) -> IdentityView.Verdict {
        var view = TriggerView(
            rule: rule.name, identity: item.trigger.identity, label: item.trigger.label, outcome: .skipped,
            reason: .preview, isVIP: item.isVIP, changes: item.trigger.changes)
        let text: String
        switch item.planned {
        case .ready(let action, _): text = action == nil ? "would run" : "approved: runs in the next committed sync"
        case .throttled(let until, _):
            (view.outcome, view.reason, view.until) = (.throttled, .throttled, until)
            text = "would wait until \(until): \(ActionReason.throttled.text)"
        case .suspended(let reason, let action, _):
            (view.outcome, view.reason, view.action) = (.suspended, reason, action)
            text = (action == nil ? "would be held: " : "is held: ") + reason.text
        case .postponed(let reason, let until):
            (view.outcome, view.reason, view.until) = (.postponed, reason, until)
            text = "would be put off until \(until): \(reason.text)"
        case .skipped(let reason, let words):
            view.reason = reason
            text = "left out: \(words)"
        case .failed(let reason, let words):
            (view.outcome, view.reason) = (.failed, reason)
            text = words
        }
        view.text = text
        return .init(rule: rule.name, text: text, trigger: view)
    }
}
