import Foundation
import Synchronization
package import WeirGates
package import WeirStore
package import WeirWorld

/// One sync at a time: scans, plans, asks the catches, seals, carries out. And everything else that may be asked of
/// identity; the engine is what `IdentityService` speaks to.
package actor IdentityEngine: IdentityService {
    let settings: EngineSettings
    let keeper: any SiloKeeper
    let database: IdentityDatabase
    let world: World
    let gates: RuleGates
    let exporter: Exporter
    /// Of the fingerprints' HMAC; made once for the database.
    let key: [UInt8]

    /// The book and the snapshot that was looked at last.
    var book: RuleBook?
    var last: (any IdentitySnapshot)?
    /// What is shown of holds; nil when something has changed since.
    var shownHolds: [HoldView]?
    private var progress: SyncProgress?
    private let evaluating: [any BlockingLane]

    /// How long what is over is kept, in seconds: 90 days. The audit is kept for ever.
    private static let keptFor: Int64 = 90 * 86_400
    /// A delta takes in what arrives while it runs, so often.
    static let enrolmentsMost = 10

    private init(
        settings: EngineSettings, keeper: any SiloKeeper, database: IdentityDatabase,
        channels: [String: any EventChannel], gates: GateRegistry, world: World, key: [UInt8]
    ) {
        self.settings = settings
        self.keeper = keeper
        self.database = database
        self.world = world
        self.key = key
        self.gates = RuleGates(registry: gates, rules: settings.rules)
        let channelOfRule = Dictionary(
            settings.rules.map { ($0.name, $0.channel ?? "") }, uniquingKeysWith: { first, _ in first })
        exporter = Exporter(
            database: database, provider: { keeper.provider($0) },
            channel: { rule in channelOfRule[rule].flatMap { channels[$0] } }, time: world.time,
            writesAtOnce: settings.writesAtOnce)
        evaluating = (0..<2).map { world.blocking.lane("evaluate.\($0)") }
    }

    deinit { for lane in evaluating { lane.close() } }

    /// The tables that the database must be opened with.
    package static let tables = EngineTables.tables

    /// Settles what an earlier run of the server left open, and publishes a gate for each rule.
    /// - Throws: what the database says.
    package static func open(
        settings: EngineSettings, keeper: any SiloKeeper, database: IdentityDatabase,
        channels: [String: any EventChannel] = [:], gates: GateRegistry, world: World
    ) async throws(StoreFailure) -> IdentityEngine {
        let fresh = (0..<4).flatMap { _ in withUnsafeBytes(of: world.random.next()) { Array($0) } }
        let now = world.time.wall
        let key = try await database.write { database in
            if let kept = try MemoryTable.value("fingerprint-key", database) { return Array(kept) }
            try MemoryTable.set("fingerprint-key", Data(fresh), database)
            return fresh
        }
        let engine = IdentityEngine(
            settings: settings, keeper: keeper, database: database, channels: channels, gates: gates, world: world,
            key: key)
        _ = try await engine.exporter.settle()
        try await database.write { database in
            try SyncTable.endAll(at: now, database)
            try ActionTable.forget(before: now + .seconds(-keptFor), database)
        }
        try await engine.gates.begin(database, at: now)
        return engine
    }

    // MARK: One sync

    package func sync(
        _ request: SyncRequest, progress report: @Sendable (SyncProgress) -> Void
    ) async throws(IdentityRefusal) -> SyncView {
        if let progress {
            throw IdentityRefusal(
                .busy, code: "sync_running",
                text: "sync \(progress.sync) is \(progress.phase.rawValue); wait for it to end")
        }
        let id = newID()
        set(SyncProgress(sync: id, phase: .scanning, at: "", done: 0, all: 0), report)
        defer { progress = nil }
        do {
            let now = world.time.wall
            let number = try await database.write { try SyncTable.begin(id, request, at: now, $0) }
            var failure: (any Error)?
            do {
                try await run(id, number, request, report)
            } catch {
                failure = error
            }
            let ended = world.time.wall
            let text = failure.map { ($0 as? IdentityRefusal)?.text ?? "\($0)" }
            try await database.write { try SyncTable.end(number, at: ended, failure: text, $0) }
            shownHolds = nil
            try await gates.refresh(database, at: ended)
            set(SyncProgress(sync: id, phase: .ended, at: "", done: 1, all: 1), report)
            if let failure { throw failure }
            guard let view = try await database.read({ try SyncTable.view(id: id, $0) }) else {
                throw IdentityRefusal(.unavailable, code: "sync_lost", text: "the sync's record is gone")
            }
            return view
        } catch {
            throw Self.refusal(error)
        }
    }

    package func running() async -> SyncProgress? { progress }

    private func run(
        _ id: String, _ number: Int64, _ request: SyncRequest, _ report: @Sendable (SyncProgress) -> Void
    ) async throws {
        let began = world.time.wall
        var problems: [SyncView.Problem] = []
        if request.mode == .commit {
            problems += try await exporter.settle()
            let expiry = expiryOfRules()
            _ = try await database.write { database in
                try DecisionDesk(database: database, now: began, expiry: expiry).expire(only: nil)
            }
        }
        if request.scans { problems += await scan(request, id, report) }
        let unseen = try await keeper.kindsWithoutPreview()
        if request.mode == .commit, !unseen.isEmpty { throw Self.previewNeeded(unseen) }
        let work = try await evaluate(request, id, report)
        set(SyncProgress(sync: id, phase: .deciding, at: "", done: 0, all: 0), report)
        let plan = try await decide(work, id, number, request, problems)
        set(
            SyncProgress(
                sync: id, phase: .sealing, at: "", done: 0, all: plan.plans.reduce(0) { $0 + $1.items.count }), report)
        // A full sync has looked at everybody.
        let looked = request.kind == .full ? nil : work.part.evaluated.map { work.snapshot.id(of: $0) }
        let intents = try await database.write { database in
            if request.mode == .commit { try MemoryTable.clearTimers(of: looked, at: began, database) }
            return try plan.seal(database)
        }
        if request.mode == .preview, request.kind == .full { try await keeper.notePreview(of: unseen) }
        shownHolds = nil
        guard !intents.isEmpty else { return }
        set(SyncProgress(sync: id, phase: .executing, at: "", done: 0, all: intents.count), report)
        let done = try await exporter.carryOut(intents, sync: id, number: number) { count in
            report(SyncProgress(sync: id, phase: .executing, at: "", done: count, all: intents.count))
        }
        let now = world.time.wall
        try await database.write { database in
            for (identity, rule) in done.again { try MemoryTable.setTimer(identity, rule, at: now, database) }
        }
    }

    private func scan(
        _ request: SyncRequest, _ id: String, _ report: @Sendable (SyncProgress) -> Void
    ) async -> [SyncView.Problem] {
        var problems: [SyncView.Problem] = []
        // One object's sync reads this one, not the silos.
        if request.kind == .single {
            guard let identity = request.identity else { return [] }
            return await refresh(identity)
        }
        for (place, kind) in keeper.kinds.enumerated() {
            set(
                SyncProgress(
                    sync: id, phase: .scanning, at: kind.description, done: place, all: keeper.kinds.count), report)
            let view = await keeper.scan(kind, isFull: request.kind == .full, id: newID())
            guard view.status != .complete, view.status != .accepted else { continue }
            let code =
                switch view.status {
                case .quarantined: "scan-shrunk"
                default: "scan-incomplete"
                }
            problems.append(SyncView.Problem(rule: nil, identity: nil, code: code, text: "\(kind): \(view.text)"))
        }
        return problems
    }

    // MARK: Evaluation

    struct Work: Sendable {
        var snapshot: any IdentitySnapshot
        var pass: EvaluationPass
        var part: EvaluationPass.Part
        var now: WallTime
    }

    /// Evaluates who is in the sync. Into a delta comes, until it is sealed, what arrives while it runs.
    private func evaluate(
        _ request: SyncRequest, _ id: String, _ report: @Sendable (SyncProgress) -> Void
    ) async throws -> Work {
        var work: Work?
        for _ in 0..<Self.enrolmentsMost {
            set(SyncProgress(sync: id, phase: .joining, at: "", done: 0, all: 0), report)
            // Let go first, so that there is never memory for two.
            last = nil
            let snapshot = try await keeper.snapshot()
            last = snapshot
            let pass = try self.pass(snapshot)
            let identities = try await enrolled(request, snapshot)
            let part = try await evaluate(identities, pass, id, remembersVIP: request.mode == .commit, report)
            work = Work(snapshot: snapshot, pass: pass, part: part, now: world.time.wall)
            guard request.kind == .delta, try await keeper.sequence() > snapshot.sequence else { break }
        }
        guard let work else { throw IdentityRefusal(.unavailable, code: "no_snapshot", text: "no identities") }
        return work
    }

    func pass(_ snapshot: any IdentitySnapshot) throws -> EvaluationPass {
        let made: RuleBook
        if let book {
            made = book
        } else {
            made = try RuleBook(
                rules: settings.rules, label: settings.label, vip: settings.vip, snapshot: snapshot)
            book = made
        }
        let evaluator = RuleEvaluator(
            book: made, snapshot: snapshot, scope: .at(world.time.wall, env: settings.env))
        return EvaluationPass(evaluator: evaluator, env: settings.env, key: key)
    }

    private func enrolled(_ request: SyncRequest, _ snapshot: any IdentitySnapshot) async throws -> [Int] {
        if request.kind == .full { return Array(0..<snapshot.count) }
        let now = world.time.wall
        let (watermark, due) = try await database.read { database in
            (try MemoryTable.watermark(database), try MemoryTable.due(at: now, database))
        }
        // What was approved runs in the next committed sync of any kind, whoever that is about.
        var all = Set(due.approved.compactMap { snapshot.identity($0) })
        if request.kind == .single {
            guard let text = request.identity, let identity = find(text, snapshot) else {
                throw IdentityRefusal(
                    .unknown, code: "no_such_identity", text: "there is no identity `\(request.identity ?? "")`")
            }
            all.insert(identity)
        } else {
            all.formUnion(snapshot.changed(since: watermark))
            all.formUnion(due.timed.compactMap { snapshot.identity($0) })
        }
        return all.sorted()
    }

    private func evaluate(
        _ identities: [Int], _ pass: EvaluationPass, _ id: String, remembersVIP: Bool,
        _ report: @Sendable (SyncProgress) -> Void
    ) async throws -> EvaluationPass.Part {
        let size = 10_000
        var part = EvaluationPass.Part(rules: pass.evaluator.book.entries.count)
        for start in stride(from: 0, to: identities.count, by: size * evaluating.count) {
            set(
                SyncProgress(sync: id, phase: .evaluating, at: "", done: start, all: identities.count), report)
            var parts = Array(repeating: EvaluationPass.Part?.none, count: evaluating.count)
            try await withThrowingTaskGroup(of: (Int, EvaluationPass.Part).self) { group in
                for (number, lane) in evaluating.enumerated() {
                    let from = min(start + number * size, identities.count)
                    let run = Array(identities[from..<min(from + size, identities.count)])
                    if run.isEmpty { continue }
                    group.addTask {
                        (number, try await lane.run { pass.first(run, remembersVIP: remembersVIP) })
                    }
                }
                for try await (number, found) in group { parts[number] = found }
            }
            for found in parts { if let found { part.add(found) } }
        }
        let (candidates, now) = (part.candidates, world.time.wall)
        if !candidates.isEmpty {
            part.candidates = []
            part.add(try await evaluating[0].run { pass.counted(candidates, now: now) })
        }
        return part
    }

    // MARK: Deciding

    private func decide(
        _ work: Work, _ id: String, _ number: Int64, _ request: SyncRequest, _ before: [SyncView.Problem]
    ) async throws -> SealedPlan {
        let (rules, now) = (settings.rules, work.now)
        let triggers = work.part.triggers
        let (kept, important, overrides) = try await database.read { database in
            (
                try MemoryTable.read(rules, triggers, now: now, database),
                try MemoryTable.important(now: now, database), try MemoryTable.overrides(database)
            )
        }
        var errors = Array(repeating: 0, count: rules.count)
        for failure in work.part.failures { errors[failure.rule] += 1 }
        let paused = gates.paused
        let (counted, part, snapshot) = (errors, work.part, work.snapshot)
        let plans = try await evaluating[0].run {
            rules.enumerated().map { place, rule in
                var context = RulePlan.Context(
                    now: now, kind: request.kind, base: snapshot.live(rule.base),
                    isUnlocked: overrides.contains { $0.isActive(for: rule.target.silo, at: now) },
                    important: important, errors: counted[place], evaluated: part.evaluated.count)
                context.isPaused = paused.contains(rule.name)
                return RulePlan(rule, triggers[place], kept.memories[place], context)
            }
        }
        let world = self.world
        return SealedPlan(
            sync: id, number: number, request: request, now: now, plans: plans, memories: kept.memories,
            evaluation: part, snapshot: snapshot, disabled: work.pass.disabled,
            problems: before + problems(work, plans), orphans: kept.orphans,
            newID: { IdentityEngine.newID(world) }, vipUntil: now + settings.vipFor)
    }

    private func problems(_ work: Work, _ plans: [RulePlan]) -> [SyncView.Problem] {
        var problems: [SyncView.Problem] = []
        for (place, text) in work.pass.disabled.sorted(by: { $0.key < $1.key }) {
            problems.append(
                SyncView.Problem(
                    rule: settings.rules[place].name, identity: nil, code: "rule-disabled",
                    text: "the rule is left out of this sync: \(text)"))
        }
        for plan in plans where plan.threshold.isClamped {
            let configured = plan.threshold.configured.map { String($0) } ?? "none"
            problems.append(
                SyncView.Problem(
                    rule: plan.rule.name, identity: nil, code: "threshold-clamped",
                    text: "the limit of \(configured) is over 5 % of the \(plan.threshold.base) objects of "
                        + "\(plan.rule.base): \(plan.threshold.effective ?? 0) holds, unless an override key is issued"
                ))
        }
        for identity in 0..<work.snapshot.count {
            guard problems.count < SyncTable.problemsMost, let dispute = work.snapshot.dispute(of: identity) else {
                continue
            }
            problems.append(
                SyncView.Problem(
                    rule: nil, identity: work.snapshot.id(of: identity), code: "disputed-join", text: dispute))
        }
        for failure in work.part.failures.prefix(max(0, SyncTable.problemsMost - problems.count)) {
            problems.append(
                SyncView.Problem(
                    rule: settings.rules[failure.rule].name, identity: work.snapshot.id(of: failure.identity),
                    code: "eval-error", text: failure.text))
        }
        return problems
    }

    private static func previewNeeded(_ kinds: [ObjectKind]) -> IdentityRefusal {
        let names = kinds.map(\.description).joined(separator: ", ")
        return IdentityRefusal(
            .conflict, code: "preview_needed",
            text:
                "what is read of \(names) has another base, filter or table than before, so that people may only seem "
                + "to be gone; nothing was changed. Look at `weir sync preview --full`; the next sync then runs")
    }

    // MARK: Parts

    private func set(_ progress: SyncProgress, _ report: @Sendable (SyncProgress) -> Void) {
        self.progress = progress
        report(progress)
    }

    func newID() -> String { Self.newID(world) }

    /// 128 bits of chance: an action's id is not to be guessed.
    static func newID(_ world: World) -> String {
        let words = [world.random.next(), world.random.next()]
        return words.map { word in
            let text = String(word, radix: 16)
            return String(repeating: "0", count: 16 - text.count) + text
        }.joined()
    }

    func expiryOfRules() -> @Sendable (String) -> Duration {
        let all = Dictionary(
            settings.rules.map { ($0.name, $0.review.expiry) }, uniquingKeysWith: { first, _ in first })
        return { all[$0] ?? Rule.Review().expiry }
    }

    static func refusal(_ error: any Error) -> IdentityRefusal {
        switch error {
        case let refusal as IdentityRefusal: refusal
        case let failure as StoreFailure:
            IdentityRefusal(.unavailable, code: failure.code, text: failure.description)
        default: IdentityRefusal(.unavailable, code: "failed", text: "\(error)")
        }
    }
}
