import Crypto
package import WeirWorld

/// One line of the audit, and the chain: each hash covers the hash of the line before it, so that no line can be
/// changed, left out or put in without all later ones telling.
package struct DecisionLine: Sendable, Hashable {
    package var at: WallTime
    package var verb: String
    /// `action ID`, `hold SYNC RULE`, `override ID`, `scan ID`.
    package var which: String
    package var from: String
    package var to: String
    package var person: Person
    package var reason: String
    package var fingerprint: String
    /// Actions that changed.
    package var count: Int

    package init(
        at: WallTime, verb: String, which: String, from: String, to: String, person: Person, reason: String,
        fingerprint: String, count: Int
    ) {
        self.at = at
        self.verb = verb
        self.which = which
        self.from = from
        self.to = to
        self.person = person
        self.reason = reason
        self.fingerprint = fingerprint
        self.count = count
    }

    /// Every part with its length before it, so that no two lines are the same bytes.
    package func hash(after previous: [UInt8]) -> [UInt8] {
        let parts = [
            String(at.nanoseconds), verb, which, from, to, person.kind.rawValue, person.name, person.address ?? "",
            person.agent ?? "", reason, fingerprint, String(count),
        ]
        var hash = SHA256()
        hash.update(data: previous)
        for part in parts { hash.update(data: Array("\(part.utf8.count):\(part),".utf8)) }
        return Array(hash.finalize())
    }
}
