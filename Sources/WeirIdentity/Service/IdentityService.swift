/// The engine as console, API, command line and mail know it. Answers are values and pages; nothing of them is live.
package protocol IdentityService: Sendable {
    func silos() async -> [SiloView]
    func rules() async -> [RuleView]
    func syncs(_ page: PageRequest) async throws -> Page<SyncView>
    func sync(_ id: String) async throws -> SyncView?
    /// The sealed triggers of a sync.
    func triggers(sync: String, rule: String?, outcome: TriggerOutcome?, _ page: PageRequest) async throws -> Page<
        TriggerView
    >
    /// Held actions by run and rule, newest first.
    func holds() async throws -> [HoldView]
    func actions(_ filter: ActionFilter, _ page: PageRequest) async throws -> Page<ActionView>
    func action(_ id: String) async throws -> ActionView?
    func identities(matching text: String, _ page: PageRequest) async throws -> Page<IdentitySummary>
    /// The graph of one identity and every rule's verdict, as a preview would give it now.
    func identity(_ id: String) async throws -> IdentityView?

    /// Reads silos (all when nil) without syncing.
    func scan(silo: String?, full: Bool) async throws(IdentityRefusal) -> [ScanView]
    /// "This scan is right": parked data is taken.
    func acceptScan(_ id: String, by person: Person, reason: String) async throws(IdentityRefusal)
    /// Scans if asked, plans, and in `commit` carries out what passes. Returns when the sync has ended.
    func sync(
        _ request: SyncRequest, progress: @Sendable (SyncProgress) -> Void
    ) async throws(IdentityRefusal) -> SyncView
    /// The sync that runs now.
    func running() async -> SyncProgress?

    func decide(_ order: DecisionOrder) async throws(IdentityRefusal) -> DecisionResult
    func issueOverride(_ order: OverrideOrder) async throws(IdentityRefusal) -> OverrideView
    func overrides() async -> [OverrideView]
    func audit(_ page: PageRequest) async throws -> Page<DecisionView>
}

package struct PageRequest: Sendable {
    /// Where the last page ended; nil for the first.
    package var after: String?
    /// 1 to 1,000; default 100.
    package var count: Int

    package init(after: String? = nil, count: Int = 100) {
        self.after = after
        self.count = min(max(count, 1), 1_000)
    }
}

package struct Page<Item: Sendable>: Sendable {
    package var items: [Item]
    package var total: Int
    /// For the next page; nil on the last.
    package var next: String?

    package init(items: [Item], total: Int, next: String?) {
        self.items = items
        self.total = total
        self.next = next
    }
}

/// Who decides: what the audit keeps.
package struct Person: Sendable, Hashable, Codable {
    package enum Kind: String, Sendable, Codable {
        /// Signed in, or the operator at the loopback API.
        case user
        /// A mailed link, named by its recipient.
        case token
        case api, policy
    }

    package var kind: Kind
    /// Mail address or account name.
    package var name: String
    package var address: String?
    package var agent: String?

    package init(kind: Kind, name: String, address: String? = nil, agent: String? = nil) {
        self.kind = kind
        self.name = name
        self.address = address
        self.agent = agent
    }
}

package struct SyncRequest: Sendable, Hashable {
    package enum Kind: String, Sendable, Codable, CaseIterable { case full, delta, single }
    package enum Mode: String, Sendable, Codable, CaseIterable { case preview, commit }

    package var kind: Kind
    package var mode: Mode
    /// For `single`: the identity's id, or `silo:anchor`.
    package var identity: String?
    /// Reads the silos first. Default: true.
    package var scans: Bool

    package init(kind: Kind, mode: Mode, identity: String? = nil, scans: Bool = true) {
        self.kind = kind
        self.mode = mode
        self.identity = identity
        self.scans = scans
    }
}

package struct SyncProgress: Sendable, Hashable {
    package enum Phase: String, Sendable, Codable {
        case scanning, joining, evaluating, deciding, sealing, executing, ended
    }
    package var sync: String
    package var phase: Phase
    /// What the phase is at: a silo, a rule.
    package var at: String
    package var done: Int
    /// 0 where it is not known.
    package var all: Int

    package init(sync: String, phase: Phase, at: String, done: Int, all: Int) {
        self.sync = sync
        self.phase = phase
        self.at = at
        self.done = done
        self.all = all
    }
}

package struct ActionFilter: Sendable, Hashable {
    package var states: Set<ActionState> = [.suspended]
    package var sync: String?
    package var rule: String?
    package var identity: String?
    package var reason: ActionReason?

    package init() {}
}

package struct DecisionOrder: Sendable {
    package enum Verb: String, Sendable, Codable { case approve, reject, revoke, extend }
    package enum Which: Sendable, Hashable {
        case action(String)
        /// All of a rule in a run.
        case hold(sync: String, rule: String, exceptVIP: Bool)
    }

    package var verb: Verb
    package var which: Which
    package var person: Person
    package var reason: String
    /// What the person saw: of one action its fingerprint, of a hold its digest. Nil: whatever it is now.
    package var fingerprint: String?
    /// With `reject`: not asked again until the change is another one.
    package var mutes: Bool

    package init(
        verb: Verb, which: Which, person: Person, reason: String = "", fingerprint: String? = nil, mutes: Bool = false
    ) {
        self.verb = verb
        self.which = which
        self.person = person
        self.reason = reason
        self.fingerprint = fingerprint
        self.mutes = mutes
    }
}

package struct DecisionResult: Sendable, Hashable {
    /// Actions whose state changed.
    package var changed: Int
    /// Already decided, with who and when for one action.
    package var already: Int
    package var text: String
    /// True where one more person must approve.
    package var waitsForSecond: Bool

    package init(changed: Int, already: Int, text: String, waitsForSecond: Bool = false) {
        self.changed = changed
        self.already = already
        self.text = text
        self.waitsForSecond = waitsForSecond
    }
}

package struct OverrideOrder: Sendable {
    package enum Term: String, Sendable, Codable, CaseIterable {
        case permanent
        case week = "7d"
        case day = "24h"
    }
    package var term: Term
    /// Nil: all silos.
    package var silo: String?
    package var person: Person
    /// A second person, not the first.
    package var second: Person
    package var reason: String

    package init(term: Term, silo: String?, person: Person, second: Person, reason: String) {
        self.term = term
        self.silo = silo
        self.person = person
        self.second = second
        self.reason = reason
    }
}

/// Why something asked of the engine is not done.
package struct IdentityRefusal: Error, Sendable, Equatable {
    package enum Kind: String, Sendable {
        case unknown, notAllowed, conflict, gone, busy, unavailable, invalid
    }

    package var kind: Kind
    package var code: String
    /// What, where, why and what to do.
    package var text: String

    package init(_ kind: Kind, code: String, text: String) {
        self.kind = kind
        self.code = code
        self.text = text
    }
}
