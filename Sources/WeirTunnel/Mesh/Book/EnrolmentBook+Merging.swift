internal import WeirWorld

// Two hubs may change the book at the same time. What comes of it does not depend on who hears of whom first: merging
// is commutative, associative, and doing it twice changes nothing.
extension EnrolmentBook.Token {
    /// Once spent, always spent.
    func merged(with other: Self) -> Self {
        var merged = self
        merged.used = [used, other.used].compactMap(\.self).min()
        return merged
    }
}

extension EnrolmentBook.Member {
    /// The later beginning or end wins: enrolling and revoking each begin another era. Within an era certificates are
    /// put together, and a revocation is stronger than what was issued beside it.
    func merged(with other: Self) -> Self {
        guard era == other.era else { return era > other.era ? self : other }
        // The same on both sides, unless an agent was enrolled or revoked at two hubs at once.
        var merged = (since, why ?? "") >= (other.since, other.why ?? "") ? self : other
        merged.revoked = [revoked, other.revoked].compactMap(\.self).max()
        let issues = Dictionary(
            (certificates + other.certificates).map { ($0.serial, $0) }, uniquingKeysWith: { first, _ in first })
        merged.certificates =
            merged.revoked != nil
            ? []
            : issues.values.sorted { ($0.expiry, $0.serial) < ($1.expiry, $1.serial) }
                .suffix(EnrolmentBook.certificatesMost)
        return merged
    }
}

extension EnrolmentBook {
    /// Takes what other hubs have written.
    /// - Returns: what is different here now, and agents that were revoked by it.
    mutating func merge(tokens: [Token], members: [Member], at now: WallTime) -> (
        tokens: [Token], members: [Member], revoked: [String]
    ) {
        var changed: (tokens: [Token], members: [Member], revoked: [String]) = ([], [], [])
        for token in tokens where now < token.expiry + Self.memory {
            let merged = self.tokens[token.id]?.merged(with: token) ?? token
            guard merged != self.tokens[token.id] else { continue }
            put(merged)
            changed.tokens.append(merged)
        }
        for member in members {
            let known = self.members[member.agent]
            let merged = known?.merged(with: member) ?? member
            guard merged != known else { continue }
            put(merged)
            changed.members.append(merged)
            if merged.revoked != nil, known?.revoked == nil { changed.revoked.append(member.agent) }
        }
        return changed
    }
}
