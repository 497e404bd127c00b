import GRDB
import Synchronization
import WeirGates
import WeirStore
import WeirWorld

/// A gate for each rule: level, limit, whether it waits for a person, and what went through. Console, metrics and
/// `weir why rule/NAME` read it from the registry like any other.
///
/// Counters since the start: taken (+ recovered: what waited at the start) = delivered (executed) + held (waits or is
/// approved) + dropped (rejected, expired, superseded, obsolete, failed).
final class RuleGates: Sendable {
    private struct State {
        var readings: [String: GateReading] = [:]
        var paused: [String: Reason] = [:]
        /// Counts of the database when this process began.
        var base: [String: [String: Int]] = [:]
        var recovered: [String: Int] = [:]
        var rules: [String: RuleView] = [:]
    }

    private let state: Mutex<State>
    private let order: [Rule]

    static func id(_ rule: String) -> String { "rule/\(rule)" }

    init(registry: GateRegistry, rules: [Rule]) {
        order = rules
        state = Mutex(State())
        let now = WallTime(nanoseconds: 0)
        state.withLock { state in
            for rule in rules {
                state.rules[rule.name] = RuleView(rule: rule)
                state.readings[rule.name] = GateReading(
                    id: Self.id(rule.name), kind: .identity, state: .open,
                    reason: Reason("open", "No sync has run yet."), since: now, level: 0, limit: Limit(.max, .actions),
                    reopens: "", receiver: rule.target.description)
            }
        }
        registry.publish(
            rules.map { rule in
                GateRegistry.Entry(
                    id: Self.id(rule.name), read: { [self] in self.reading(rule) },
                    order: { [self] in self.obey($0, rule.name) })
            })
    }

    /// Rules that a person holds: nothing of theirs is carried out.
    var paused: Set<String> { state.withLock { Set($0.paused.keys) } }

    private func obey(_ order: GateRegistry.Order, _ rule: String) {
        state.withLock { state in
            switch order {
            case .hold(let person):
                state.paused[rule] = Reason("paused", "\(person) holds the rule: it is planned, and nothing runs.")
            case .release: state.paused[rule] = nil
            }
        }
    }

    private func reading(_ rule: Rule) -> GateReading {
        state.withLock { state in
            var reading =
                state.readings[rule.name]
                ?? GateReading(
                    id: Self.id(rule.name), kind: .identity, state: .unknown,
                    reason: Reason("unmeasured", "The rule is not known."), since: WallTime(nanoseconds: 0), level: nil,
                    limit: Limit(.max, .actions), reopens: "", receiver: "")
            if let paused = state.paused[rule.name] {
                (reading.state, reading.reason, reading.reopens) = (.paused, paused, "when a person releases it")
            }
            return reading
        }
    }

    /// What the database holds is the start of counting.
    func begin(_ database: IdentityDatabase, at now: WallTime) async throws(StoreFailure) {
        let counts = try await database.read { try Self.counts($0) }
        state.withLock { state in
            state.base = counts
            for (rule, byState) in counts { state.recovered[rule] = Self.held(byState) }
        }
        try await refresh(database, at: now)
    }

    /// After a sync, a decision, an expiry.
    func refresh(_ database: IdentityDatabase, at now: WallTime) async throws(StoreFailure) {
        let (counts, last) = try await database.read { (try Self.counts($0), try Self.lastSyncs($0)) }
        state.withLock { state in
            for rule in order { Self.set(rule, counts[rule.name] ?? [:], last[rule.name], now, &state) }
        }
    }

    func views(_ snapshot: (any IdentitySnapshot)?, problems: [String: String]) -> [RuleView] {
        state.withLock { state in
            order.map { rule in
                var view = state.rules[rule.name] ?? RuleView(rule: rule)
                view.error = problems[rule.name]
                if view.base == 0, let snapshot { view.base = snapshot.live(rule.base) }
                return view
            }
        }
    }

    // MARK: Counting

    private struct Last: Sendable {
        var limit: Int?
        var base: Int
        var lookback: Int
        var level: Int
        var reason: String?
    }

    private static func held(_ counts: [String: Int]) -> Int {
        ["suspended", "approved", "executing", "unknown"].reduce(0) { $0 + (counts[$1] ?? 0) }
    }

    /// Actions by rule and state; `passed` and `refused` are what ran without one.
    private static func counts(_ database: Database) throws -> [String: [String: Int]] {
        var counts: [String: [String: Int]] = [:]
        for row in try Row.fetchAll(
            database,
            sql: """
                SELECT rule, state, count(*) FROM action GROUP BY rule, state
                UNION ALL SELECT rule, CASE result WHEN 'executed' THEN 'passed' ELSE 'refused' END, count(*)
                    FROM execution WHERE action IS NULL AND result IS NOT NULL GROUP BY 1, 2
                """)
        {
            counts[row[0], default: [:]][row[1]] = row[2]
        }
        return counts
    }

    private static func lastSyncs(_ database: Database) throws -> [String: Last] {
        var last: [String: Last] = [:]
        for row in try Row.fetchAll(
            database,
            sql: """
                SELECT rule, most, base, lookback, level, reason FROM sync_rule WHERE sync =
                    (SELECT max(n) FROM sync WHERE mode = 'commit' AND sealed IS NOT NULL)
                """)
        {
            last[row[0]] = Last(limit: row[1], base: row[2], lookback: row[3], level: row[4], reason: row[5])
        }
        return last
    }

    private static func set(
        _ rule: Rule, _ counts: [String: Int], _ last: Last?, _ now: WallTime, _ state: inout State
    ) {
        let suspended = counts["suspended"] ?? 0
        let level = (last?.level ?? 0) + (last?.lookback ?? 0)
        let limit = Limit(Int64(max(1, last?.limit ?? Int.max)), .actions)
        let shown: (GateState, Reason)
        if suspended > 0 {
            shown = (
                .suspended,
                Reason(
                    "threshold_exceeded",
                    "\(suspended) actions wait for a person"
                        + (last?.reason.flatMap(ActionReason.init(rawValue:)).map { ": \($0.text)." } ?? "."))
            )
        } else if let most = last?.limit, most > 0, level * 4 >= most * 3 {
            shown = (.filling, Reason("filling", "\(level) of \(most) actions ran; all passed."))
        } else {
            shown = (.open, Reason("open", "Actions within the limit run."))
        }
        let before = state.readings[rule.name]
        var reading = GateReading(
            id: id(rule.name), kind: .identity, state: shown.0, reason: shown.1,
            since: before.flatMap { $0.state == shown.0 && $0.since.nanoseconds > 0 ? $0.since : nil } ?? now,
            level: Int64(suspended > 0 ? max(suspended, level) : level), limit: limit,
            reopens: suspended > 0 ? "when they are approved, rejected, or their time is over" : "",
            details: [
                .init("waiting", "\(suspended)"), .init("approved", "\(counts["approved"] ?? 0)"),
                .init("passes", last?.limit.map { "up to and including \($0)" } ?? "all"),
                .init("objects of \(rule.base)", "\(last?.base ?? 0)"),
                .init("in the look-back", "\(last?.lookback ?? 0)"),
            ], receiver: rule.target.description)
        let base = state.base[rule.name] ?? [:]
        func since(_ name: String) -> UInt64 { UInt64(max(0, (counts[name] ?? 0) - (base[name] ?? 0))) }
        reading.counters.recoveredEvents = UInt64(state.recovered[rule.name] ?? 0)
        reading.counters.heldEvents = Int64(held(counts))
        reading.counters.deliveredEvents = since("passed") + UInt64(max(0, executed(counts) - executed(base)))
        for name in ["rejected", "expired", "superseded", "obsolete", "failed", "refused"] where since(name) > 0 {
            reading.counters.droppedEvents[name] = since(name)
        }
        reading.counters.takenEvents =
            reading.counters.deliveredEvents &+ reading.counters.droppedTotal
            &+ UInt64(bitPattern: reading.counters.heldEvents) &- reading.counters.recoveredEvents
        state.readings[rule.name] = reading
        var view = RuleView(rule: rule)
        view.limit = last?.limit
        view.base = last?.base ?? 0
        view.level = level
        view.suspended = suspended
        view.approved = counts["approved"] ?? 0
        let catches = ThresholdCatch(rule.threshold, base: view.base, isUnlocked: false)
        view.isClamped = catches.isClamped && last?.limit == catches.effective
        state.rules[rule.name] = view
    }

    /// A confirmed action was executed before: together they only grow.
    private static func executed(_ counts: [String: Int]) -> Int {
        (counts["executed"] ?? 0) + (counts["confirmed"] ?? 0)
    }
}
