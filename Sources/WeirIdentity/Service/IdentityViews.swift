package import WeirWorld

/// A silo and its last scans.
package struct SiloView: Sendable {
    package var name: String
    /// `csv`, `ldap`, `sql`, `scim`, `exec`, `memory`.
    package var provider: String
    package var types: [TypeView]
    package var scans: [ScanView]

    package struct TypeView: Sendable {
        package var type: String
        package var live: Int

        package init(type: String, live: Int) {
            self.type = type
            self.live = live
        }
    }

    package init(name: String, provider: String, types: [TypeView], scans: [ScanView]) {
        self.name = name
        self.provider = provider
        self.types = types
        self.scans = scans
    }
}

package struct ScanView: Sendable {
    package enum Status: String, Sendable, Codable { case running, complete, partial, failed, quarantined, accepted }
    package var id: String
    package var kind: ObjectKind
    package var isFull: Bool
    package var status: Status
    package var began: WallTime
    package var ended: WallTime?
    package var seen = 0
    package var added = 0
    package var changed = 0
    package var gone = 0
    /// Why it is not complete, in words.
    package var text = ""
    package var refused: [RefusedRow] = []

    package init(id: String, kind: ObjectKind, isFull: Bool, status: Status, began: WallTime) {
        self.id = id
        self.kind = kind
        self.isFull = isFull
        self.status = status
        self.began = began
    }
}

package struct RuleView: Sendable {
    package var rule: Rule
    /// The largest number that passes now, after percent, floor and cap; nil: no limit.
    package var limit: Int?
    /// The configured limit is above 5 % of a large silo and was reduced.
    package var isClamped = false
    /// Live objects of the target.
    package var base = 0
    /// Actions of the last sync, and of the look-back.
    package var level = 0
    package var suspended = 0
    package var approved = 0
    package var error: String?

    package init(rule: Rule) { self.rule = rule }
}

package struct SyncView: Sendable {
    package struct RuleCounts: Sendable {
        package var rule: String
        package var triggered = 0
        package var outcomes: [TriggerOutcome: Int] = [:]
        package var limit: Int?
        package var base = 0
        package var lookback = 0
        /// The catch tripped and holds the rule's actions of this sync.
        package var isHeld = false

        package init(rule: String) { self.rule = rule }
    }

    package struct Problem: Sendable, Codable {
        package var rule: String?
        package var identity: String?
        /// `threshold-clamped`, `eval-error`, `disputed-join`, …
        package var code: String
        package var text: String

        package init(rule: String?, identity: String?, code: String, text: String) {
            self.rule = rule
            self.identity = identity
            self.code = code
            self.text = text
        }
    }

    package var id: String
    package var request: SyncRequest
    package var began: WallTime
    package var sealed: WallTime?
    package var ended: WallTime?
    package var identities = 0
    package var rules: [RuleCounts] = []
    /// At most 1,000.
    package var problems: [Problem] = []
    /// Why it did not end well; nil else.
    package var failure: String?

    package init(id: String, request: SyncRequest, began: WallTime) {
        self.id = id
        self.request = request
        self.began = began
    }
}

package struct TriggerView: Sendable {
    package var rule: String
    package var identity: String
    package var label: String
    package var outcome: TriggerOutcome
    package var reason: ActionReason
    /// For `throttled`: until when.
    package var until: WallTime?
    package var isVIP: Bool
    package var changes: [Change]
    package var action: String?
    package var text: String

    package init(
        rule: String, identity: String, label: String, outcome: TriggerOutcome, reason: ActionReason,
        until: WallTime? = nil, isVIP: Bool = false, changes: [Change], action: String? = nil, text: String = ""
    ) {
        self.rule = rule
        self.identity = identity
        self.label = label
        self.outcome = outcome
        self.reason = reason
        self.until = until
        self.isVIP = isVIP
        self.changes = changes
        self.action = action
        self.text = text
    }
}

/// What a rule holds of one run.
package struct HoldView: Sendable {
    package var sync: String
    package var rule: String
    package var at: WallTime
    package var reason: ActionReason
    package var suspended: Int
    package var vip: Int
    package var limit: Int?
    package var base: Int
    package var lookback: Int
    package var expires: WallTime
    package var onExpiry: Rule.Expiry
    /// Of all its suspended actions; what a bulk decision is bound to.
    package var digest: String

    package init(
        sync: String, rule: String, at: WallTime, reason: ActionReason, suspended: Int, vip: Int, limit: Int?,
        base: Int, lookback: Int, expires: WallTime, onExpiry: Rule.Expiry, digest: String
    ) {
        self.sync = sync
        self.rule = rule
        self.at = at
        self.reason = reason
        self.suspended = suspended
        self.vip = vip
        self.limit = limit
        self.base = base
        self.lookback = lookback
        self.expires = expires
        self.onExpiry = onExpiry
        self.digest = digest
    }
}

package struct ActionView: Sendable {
    package var id: String
    package var sync: String
    package var rule: String
    package var identity: String
    /// What a person calls the identity.
    package var label: String
    package var state: ActionState
    package var reason: ActionReason
    package var isVIP: Bool
    package var changes: [Change]
    package var fingerprint: String
    package var created: WallTime
    package var expires: WallTime
    package var decidedBy: Person?
    package var decidedAt: WallTime?
    package var decision: String?
    /// Result of the last attempt.
    package var text: String

    package init(
        id: String, sync: String, rule: String, identity: String, label: String, state: ActionState,
        reason: ActionReason, isVIP: Bool, changes: [Change], fingerprint: String, created: WallTime,
        expires: WallTime, decidedBy: Person? = nil, decidedAt: WallTime? = nil, decision: String? = nil,
        text: String = ""
    ) {
        self.id = id
        self.sync = sync
        self.rule = rule
        self.identity = identity
        self.label = label
        self.state = state
        self.reason = reason
        self.isVIP = isVIP
        self.changes = changes
        self.fingerprint = fingerprint
        self.created = created
        self.expires = expires
        self.decidedBy = decidedBy
        self.decidedAt = decidedAt
        self.decision = decision
        self.text = text
    }
}

package struct IdentitySummary: Sendable {
    package var id: String
    package var label: String
    package var objects: [ObjectKind]
    package var isVIP: Bool

    package init(id: String, label: String, objects: [ObjectKind], isVIP: Bool) {
        self.id = id
        self.label = label
        self.objects = objects
        self.isVIP = isVIP
    }
}

package struct IdentityView: Sendable {
    package struct Verdict: Sendable {
        package var rule: String
        /// `no trigger: scope 2 is false`, `would execute`, `would wait: VIP`, …
        package var text: String
        package var trigger: TriggerView?

        package init(rule: String, text: String, trigger: TriggerView?) {
            self.rule = rule
            self.text = text
            self.trigger = trigger
        }
    }

    package var summary: IdentitySummary
    package var objects: [SiloObject]
    package var verdicts: [Verdict]
    package var history: [ActionView]
    /// Why it is left out, e.g. a disputed join.
    package var dispute: String?

    package init(
        summary: IdentitySummary, objects: [SiloObject], verdicts: [Verdict], history: [ActionView],
        dispute: String? = nil
    ) {
        self.summary = summary
        self.objects = objects
        self.verdicts = verdicts
        self.history = history
        self.dispute = dispute
    }
}

package struct OverrideView: Sendable {
    package var id: String
    package var term: OverrideOrder.Term
    package var silo: String?
    package var issuedBy: String
    package var second: String
    package var from: WallTime
    package var until: WallTime?
    package var reason: String

    package init(
        id: String, term: OverrideOrder.Term, silo: String?, issuedBy: String, second: String, from: WallTime,
        until: WallTime?, reason: String
    ) {
        self.id = id
        self.term = term
        self.silo = silo
        self.issuedBy = issuedBy
        self.second = second
        self.from = from
        self.until = until
        self.reason = reason
    }
}

/// One line of the audit; each holds the hash of the one before it.
package struct DecisionView: Sendable {
    package var at: WallTime
    package var verb: String
    package var which: String
    package var from: String
    package var to: String
    package var person: Person
    package var reason: String
    package var fingerprint: String
    package var hash: String

    package init(
        at: WallTime, verb: String, which: String, from: String, to: String, person: Person, reason: String,
        fingerprint: String, hash: String
    ) {
        self.at = at
        self.verb = verb
        self.which = which
        self.from = from
        self.to = to
        self.person = person
        self.reason = reason
        self.fingerprint = fingerprint
        self.hash = hash
    }
}
