import WeirGates
import WeirIdentity
import WeirNode
import WeirSettings
import WeirWorld

// From the engine's views to the API's.

extension IdentityAPI.Silo {
    init(_ view: SiloView) {
        self.init(
            name: view.name, provider: view.provider,
            types: view.types.map { IdentityAPI.SiloType(type: $0.type, live: $0.live) },
            scans: view.scans.map(IdentityAPI.Scan.init))
    }
}

extension IdentityAPI.Scan {
    init(_ view: ScanView) {
        self.init(
            id: view.id, objects: view.kind.description, full: view.isFull, status: view.status.rawValue,
            began: view.began.description, ended: view.ended?.description, seen: view.seen, added: view.added,
            changed: view.changed, gone: view.gone, text: view.text,
            refused: view.refused.map { IdentityAPI.Refused(place: $0.place, reason: $0.reason) })
    }
}

extension IdentityAPI.Rule {
    init(_ view: RuleView) {
        let rule = view.rule
        self.init(
            name: rule.name, kind: rule.kind.rawValue, target: rule.kind == .event ? "" : rule.target.description,
            scopes: rule.scopes, condition: rule.condition, throttle: ThrottleSetting(rule.throttle).plain.text,
            threshold: ThresholdSetting(rule.threshold).plain.text, limit: view.limit, clamped: view.isClamped,
            base: view.base, level: view.level, suspended: view.suspended, approved: view.approved,
            asksVip: rule.asksForVIP, quotas: rule.quotas.map { "\($0.most)/\($0.per.rawValue)" },
            expirySeconds: Double(rule.review.expiry.nanoseconds) / 1e9, onExpiry: rule.review.onExpiry.rawValue,
            approvers: rule.review.approvers, links: rule.review.links.rawValue, fourEyes: rule.review.needsTwo,
            simulated: rule.isSimulated, error: view.error)
    }
}

extension IdentityAPI.Sync {
    init(_ view: SyncView) {
        self.init(
            id: view.id, kind: view.request.kind.rawValue, mode: view.request.mode.rawValue,
            identity: view.request.identity, began: view.began.description, sealed: view.sealed?.description,
            ended: view.ended?.description, identities: view.identities,
            rules: view.rules.map { count in
                IdentityAPI.RuleCount(
                    rule: count.rule, triggered: count.triggered,
                    outcomes: Dictionary(
                        TriggerOutcome.allCases.map { ($0.rawValue, count.outcomes[$0, default: 0]) },
                        uniquingKeysWith: { first, _ in first }),
                    limit: count.limit, base: count.base, lookback: count.lookback, held: count.isHeld)
            },
            problems: view.problems.map {
                IdentityAPI.SyncProblem(rule: $0.rule, identity: $0.identity, code: $0.code, text: $0.text)
            }, failure: view.failure)
    }
}

extension IdentityAPI.Progress {
    init(_ progress: SyncProgress) {
        self.init(
            sync: progress.sync, phase: progress.phase.rawValue, at: progress.at, done: progress.done,
            all: progress.all)
    }
}

extension IdentityAPI.SyncRefusal {
    init(_ refusal: IdentityRefusal) {
        self.init(kind: refusal.kind.rawValue, code: refusal.code, text: refusal.text)
    }
}

extension IdentityAPI.Edit {
    static func all(_ changes: [Change]) -> [IdentityAPI.Edit] {
        ChangeText(changes).lines.map { IdentityAPI.Edit(what: $0.what, before: $0.before, after: $0.after) }
    }
}

extension IdentityAPI.Trigger {
    init(_ view: TriggerView) {
        self.init(
            rule: view.rule, identity: view.identity, label: view.label, outcome: view.outcome.rawValue,
            reason: view.reason.rawValue, until: view.until?.description, vip: view.isVIP,
            change: IdentityAPI.Edit.all(view.changes), action: view.action, text: view.text)
    }
}

extension IdentityAPI.Review {
    init(_ view: HoldView) {
        self.init(
            run: view.sync, rule: view.rule, at: view.at.description, reason: view.reason.rawValue,
            suspended: view.suspended, vip: view.vip, limit: view.limit, base: view.base, lookback: view.lookback,
            expires: view.expires.description, onExpiry: view.onExpiry.rawValue, digest: view.digest)
    }
}

extension IdentityAPI.Action {
    init(_ view: ActionView) {
        self.init(
            id: view.id, run: view.sync, rule: view.rule, identity: view.identity, label: view.label,
            state: view.state.rawValue, reason: view.reason.rawValue, vip: view.isVIP,
            change: IdentityAPI.Edit.all(view.changes), fingerprint: view.fingerprint,
            created: view.created.description, expires: view.expires.description, decidedBy: view.decidedBy?.name,
            decidedAt: view.decidedAt?.description, decision: view.decision, text: view.text)
    }
}

extension IdentityAPI.Decided {
    init(_ result: DecisionResult) {
        self.init(
            changed: result.changed, already: result.already, text: result.text,
            waitsForSecond: result.waitsForSecond)
    }
}

extension IdentityAPI.Summary {
    init(_ view: IdentitySummary) {
        self.init(id: view.id, label: view.label, objects: view.objects.map(\.description), vip: view.isVIP)
    }
}

extension IdentityAPI.Identity {
    init(_ view: IdentityView) {
        self.init(
            id: view.summary.id, label: view.summary.label, vip: view.summary.isVIP, dispute: view.dispute,
            objects: view.objects.map {
                IdentityAPI.Object(
                    kind: $0.kind.description, anchor: $0.anchor, name: $0.name, attributes: $0.attributes)
            },
            verdicts: view.verdicts.map {
                IdentityAPI.Verdict(
                    rule: $0.rule, text: $0.text, trigger: $0.trigger.map(IdentityAPI.Trigger.init))
            }, history: view.history.map(IdentityAPI.Action.init))
    }
}

extension IdentityAPI.Override {
    init(_ view: OverrideView) {
        self.init(
            id: view.id, term: view.term.rawValue, silo: view.silo, issuedBy: view.issuedBy, second: view.second,
            from: view.from.description, until: view.until?.description, reason: view.reason)
    }
}

extension IdentityAPI.Decision {
    init(_ view: DecisionView) {
        self.init(
            at: view.at.description, verb: view.verb, which: view.which, from: view.from, to: view.to,
            who: view.person.name, how: view.person.kind.rawValue, reason: view.reason,
            fingerprint: view.fingerprint, hash: view.hash)
    }
}

extension IdentityAPI.Notice {
    init(_ entry: NoticeBook.Entry) {
        self.init(
            rule: entry.rule, recipient: entry.recipient, sent: entry.sent, lastSent: entry.lastSent?.description,
            failures: entry.failures, nextTry: entry.nextTry.description, lastFailure: entry.lastFailure)
    }
}
