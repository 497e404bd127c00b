import WeirIdentity
import WeirWorld

/// What the API says about identity. Times are RFC 3339, UTC; what is not known is left out. Names inside belong to
/// the API and stay.
package enum IdentityAPI {
    package struct Silo: Codable, Sendable, Hashable {
        package var name: String
        package var provider: String
        package var types: [SiloType]
        /// Newest first.
        package var scans: [Scan]
    }

    package struct SiloType: Codable, Sendable, Hashable {
        package var type: String
        package var live: Int
    }

    package struct Scan: Codable, Sendable, Hashable {
        package var id: String
        package var objects: String
        package var full: Bool
        package var status: String
        package var began: String
        package var ended: String?
        package var seen: Int
        package var added: Int
        package var changed: Int
        package var gone: Int
        package var text: String
        package var refused: [Refused]
    }

    package struct Refused: Codable, Sendable, Hashable {
        package var place: String
        package var reason: String
    }

    package struct Rule: Codable, Sendable, Hashable {
        package var name: String
        package var kind: String
        package var target: String
        package var scopes: [String]
        package var condition: String?
        package var throttle: String
        /// As configured.
        package var threshold: String
        /// The largest number that passes now; absent: no limit.
        package var limit: Int?
        package var clamped: Bool
        package var base: Int
        package var level: Int
        package var suspended: Int
        package var approved: Int
        package var asksVip: Bool
        package var quotas: [String]
        package var expirySeconds: Double
        package var onExpiry: String
        package var approvers: [String]
        package var links: String
        package var fourEyes: Bool
        package var simulated: Bool
        package var error: String?
    }

    package struct RuleCount: Codable, Sendable, Hashable {
        package var rule: String
        package var triggered: Int
        /// `executed`, `throttled`, `suspended`, `postponed`, `skipped`, `failed`; they add up to `triggered`.
        package var outcomes: [String: Int]
        package var limit: Int?
        package var base: Int
        package var lookback: Int
        package var held: Bool
    }

    package struct SyncProblem: Codable, Sendable, Hashable {
        package var rule: String?
        package var identity: String?
        package var code: String
        package var text: String
    }

    package struct Sync: Codable, Sendable, Hashable {
        package var id: String
        package var kind: String
        package var mode: String
        package var identity: String?
        package var began: String
        package var sealed: String?
        package var ended: String?
        package var identities: Int
        package var rules: [RuleCount]
        package var problems: [SyncProblem]
        package var failure: String?

        package var triggered: Int { rules.reduce(0) { $0 + $1.triggered } }
        package func count(_ outcome: String) -> Int { rules.reduce(0) { $0 + $1.outcomes[outcome, default: 0] } }
    }

    package struct Progress: Codable, Sendable, Hashable {
        package var sync: String
        package var phase: String
        package var at: String
        package var done: Int
        /// 0 where it is not known.
        package var all: Int
    }

    /// One line while a sync runs: how far it is, at the end what came of it, or why it was not done.
    package struct SyncLine: Codable, Sendable, Hashable {
        package var progress: Progress?
        package var sync: Sync?
        package var problem: SyncRefusal?
    }

    package struct SyncRefusal: Codable, Sendable, Hashable {
        package var kind: String
        package var code: String
        package var text: String
    }

    package struct Edit: Codable, Sendable, Hashable {
        /// An attribute, or `create`, `delete`, `rename`, `event`.
        package var what: String
        package var before: String
        package var after: String
    }

    package struct Trigger: Codable, Sendable, Hashable {
        package var rule: String
        package var identity: String
        package var label: String
        package var outcome: String
        package var reason: String
        package var until: String?
        package var vip: Bool
        package var change: [Edit]
        package var action: String?
        package var text: String
    }

    package struct Review: Codable, Sendable, Hashable {
        package var run: String
        package var rule: String
        package var at: String
        package var reason: String
        package var suspended: Int
        package var vip: Int
        package var limit: Int?
        package var base: Int
        package var lookback: Int
        package var expires: String
        package var onExpiry: String
        package var digest: String
    }

    package struct Action: Codable, Sendable, Hashable {
        package var id: String
        package var run: String
        package var rule: String
        package var identity: String
        package var label: String
        package var state: String
        package var reason: String
        package var vip: Bool
        package var change: [Edit]
        package var fingerprint: String
        package var created: String
        package var expires: String
        package var decidedBy: String?
        package var decidedAt: String?
        package var decision: String?
        package var text: String
    }

    package struct Decided: Codable, Sendable, Hashable {
        package var changed: Int
        package var already: Int
        package var text: String
        package var waitsForSecond: Bool
    }

    package struct Summary: Codable, Sendable, Hashable {
        package var id: String
        package var label: String
        package var objects: [String]
        package var vip: Bool
    }

    package struct Object: Codable, Sendable, Hashable {
        package var kind: String
        package var anchor: String
        package var name: String
        package var attributes: [String: [String]]
    }

    package struct Verdict: Codable, Sendable, Hashable {
        package var rule: String
        package var text: String
        package var trigger: Trigger?
    }

    package struct Identity: Codable, Sendable, Hashable {
        package var id: String
        package var label: String
        package var vip: Bool
        package var dispute: String?
        package var objects: [Object]
        package var verdicts: [Verdict]
        package var history: [Action]
    }

    package struct Override: Codable, Sendable, Hashable {
        package var id: String
        package var term: String
        package var silo: String?
        package var issuedBy: String
        package var second: String
        package var from: String
        package var until: String?
        package var reason: String
    }

    /// One line of the audit.
    package struct Decision: Codable, Sendable, Hashable {
        package var at: String
        package var verb: String
        package var which: String
        package var from: String
        package var to: String
        package var who: String
        package var how: String
        package var reason: String
        package var fingerprint: String
        package var hash: String
    }

    /// Who was told what a rule holds, and whether it could be sent.
    package struct Notice: Codable, Sendable, Hashable {
        package var rule: String
        package var recipient: String
        package var sent: Int
        package var lastSent: String?
        package var failures: Int
        package var nextTry: String
        package var lastFailure: String?
    }

    package struct SyncList: Codable, Sendable, Hashable {
        package var items: [Sync]
        package var total: Int
        package var next: String?
    }

    package struct TriggerList: Codable, Sendable, Hashable {
        package var items: [Trigger]
        package var total: Int
        package var next: String?
    }

    package struct ActionList: Codable, Sendable, Hashable {
        package var items: [Action]
        package var total: Int
        package var next: String?
    }

    package struct IdentityList: Codable, Sendable, Hashable {
        package var items: [Summary]
        package var total: Int
        package var next: String?
    }

    package struct DecisionList: Codable, Sendable, Hashable {
        package var items: [Decision]
        package var total: Int
        package var next: String?
    }
}
