package import WeirExpressions
import WeirWorld

/// All identities at one moment, as rules see them: what the planner needs of the graph. Read-only and safe to use
/// from many threads. Identities are numbered `0..<count` in ascending order of their persistent id.
package protocol IdentitySnapshot: Sendable {
    var count: Int { get }
    /// The store's last sequence number when this was read: the next delta begins after it.
    var sequence: Int64 { get }
    func id(of identity: Int) -> String
    /// By persistent id, also by one that was merged into another.
    func identity(_ id: String) -> Int?
    /// Why the identity is left out (a disputed join); nil for all others.
    func dispute(of identity: Int) -> String?
    /// Identities with an object that was added, changed or deleted after a sequence number, ascending.
    func changed(since sequence: Int64) -> [Int]
    /// Ids that were merged into others after a sequence number.
    func merges(since sequence: Int64) -> [IdentityMerge]

    /// Live objects of a kind, joined or not: the base of a percent threshold.
    func live(_ kind: ObjectKind) -> Int
    /// The identity's live object of a kind; nil where it has none. Several make the identity disputed.
    func object(of identity: Int, _ kind: ObjectKind) -> SiloObject?
    func hasObject(_ identity: Int, _ kind: ObjectKind) -> Bool
    /// Whether the attribute of the identity's object has exactly these values (sorted, each once). Asked for every
    /// flow of every identity, so it should read the record in place.
    func holds(_ identity: Int, _ kind: ObjectKind, _ attribute: String, exactly values: [String]) -> Bool
    /// Equal for two spellings of one object's name in this silo (two DNs).
    func nameKey(_ name: String, _ kind: ObjectKind) -> String
    /// All live objects of the identity.
    func objects(of identity: Int) -> [SiloObject]
    /// All live objects of a kind, joined or not: the groups of a membership rule.
    func objects(_ kind: ObjectKind) -> [SiloObject]
    /// Whether the silo's schema says that the attribute may have several values.
    func isMulti(_ attribute: String, _ kind: ObjectKind) -> Bool

    /// Reads and checks an expression over the silos' names, `id`, `env`, `now`, `old`, `rule` and `extra`.
    func compile(
        _ source: String, extra: [String: CheckedType]
    ) throws(ExpressionProblem) -> any IdentityExpression
}

extension IdentitySnapshot {
    package func hasObject(_ identity: Int, _ kind: ObjectKind) -> Bool { object(of: identity, kind) != nil }

    package func holds(_ identity: Int, _ kind: ObjectKind, _ attribute: String, exactly values: [String]) -> Bool {
        (object(of: identity, kind)?.attributes[attribute] ?? []).sorted() == values
    }

    package func nameKey(_ name: String, _ kind: ObjectKind) -> String { name.lowercased() }
}

/// One that was compiled by a snapshot; it fits later snapshots of the same silos too.
package protocol IdentityExpression: Sendable {
    var source: String { get }
    /// `bool`, `list(string)`, `dyn` …
    var resultType: String { get }
    /// - Parameter identity: nil where the expression is not about one (`managed` asks about `group` alone).
    func evaluate(
        _ identity: Int?, in snapshot: any IdentitySnapshot, _ scope: EvaluationScope
    ) throws(ExpressionFailure) -> Value
}

/// What an expression sees beside the identity.
package struct EvaluationScope: Sendable {
    /// Frozen for the sync.
    package var now: Instant
    package var env: ValueMap
    /// The rule's name.
    package var rule: String
    /// Values of `extra`: `group`, hoisted counts.
    package var extra: [String: Value]
    /// The silos' names mean what `old` means: the last known good state.
    package var isOld: Bool

    package init(
        now: Instant, env: ValueMap = ValueMap(), rule: String = "", extra: [String: Value] = [:], isOld: Bool = false
    ) {
        self.now = now
        self.env = env
        self.rule = rule
        self.extra = extra
        self.isOld = isOld
    }
}

/// Two identities became one.
package struct IdentityMerge: Sendable, Hashable {
    package var from: String
    package var into: String

    package init(from: String, into: String) {
        self.from = from
        self.into = into
    }
}

extension EvaluationScope {
    /// - Parameter env: resolved once for a sync.
    static func at(_ wall: WallTime, env: [String: String]) -> EvaluationScope {
        var map = ValueMap()
        for (name, value) in env.sorted(by: { $0.key < $1.key }) { map[.string(name)] = .string(value) }
        return EvaluationScope(now: Instant(wall), env: map)
    }
}
