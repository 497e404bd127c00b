package import WeirWorld

/// The right to go beyond 5 % on a large silo, for a time: issued by one person with a second one, and audited.
package struct OverrideKey: Sendable, Hashable {
    package var id: String
    package var term: OverrideOrder.Term
    /// Nil: all silos.
    package var silo: String?
    package var from: WallTime
    /// Nil: for ever.
    package var until: WallTime?
    package var issuedBy: String
    package var second: String
    package var reason: String

    package init(
        id: String, term: OverrideOrder.Term, silo: String?, from: WallTime, until: WallTime?, issuedBy: String,
        second: String, reason: String
    ) {
        self.id = id
        self.term = term
        self.silo = silo
        self.from = from
        self.until = until
        self.issuedBy = issuedBy
        self.second = second
        self.reason = reason
    }

    /// - Throws: `notAllowed` where one person is both, `invalid` where somebody has no name or no reason is given.
    package init(_ order: OverrideOrder, id: String, at now: WallTime) throws(IdentityRefusal) {
        guard !order.person.name.isEmpty, !order.second.name.isEmpty else {
            throw IdentityRefusal(
                .invalid, code: "second_person_missing",
                text: "an override key needs two people with names: the one who issues it and a second one")
        }
        guard !order.person.isSame(as: order.second) else {
            throw IdentityRefusal(
                .notAllowed, code: "second_person_same",
                text: "\(order.person.name) cannot be the second person too; ask somebody else")
        }
        guard !order.reason.isEmpty else {
            throw IdentityRefusal(.invalid, code: "reason_missing", text: "say why the limit is lifted: it is audited")
        }
        let until: WallTime? =
            switch order.term {
            case .permanent: nil
            case .week: now + .seconds(7 * 86_400)
            case .day: now + .seconds(86_400)
            }
        self.init(
            id: id, term: order.term, silo: order.silo, from: now, until: until, issuedBy: order.person.name,
            second: order.second.name, reason: order.reason)
    }

    package func isActive(for silo: String, at now: WallTime) -> Bool {
        (self.silo == nil || self.silo == silo) && from <= now && (until.map { now < $0 } ?? true)
    }
}

extension Person {
    /// Names of people are mail addresses and accounts: capitals make no difference.
    package func isSame(as other: Person) -> Bool { name.lowercased() == other.name.lowercased() }
}
