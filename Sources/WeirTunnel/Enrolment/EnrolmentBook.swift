package import WeirWorld

/// Who may enrol, and who has. A value: the shell writes what changed to the ledger before it answers.
///
/// An agent's certificate is good while its serial stands here: to revoke an agent is to strike out its serials, and no
/// list of revocations has to reach anybody.
package struct EnrolmentBook: Sendable {
    /// A one-time right to enrol.
    package struct Token: Sendable, Hashable, Codable {
        /// Hash of its secret.
        package var id: String
        package var agent: String
        /// What the agent may serve; `nil` for all.
        package var connectors: [String]?
        package var made: WallTime
        package var expiry: WallTime
        package var maker: String
        package var used: WallTime?
    }

    package struct Member: Sendable, Hashable, Codable {
        package var agent: String
        package var connectors: [String]?
        package var since: WallTime
        /// The newest last.
        package var certificates: [Issue] = []
        package var revoked: WallTime?
        package var why: String?
        /// Rises when it enrols and when it is revoked: of two hubs' records the later counts.
        package var era = 0

        package struct Issue: Sendable, Hashable, Codable {
            package var serial: String
            package var expiry: WallTime
        }

        package var expiry: WallTime? { certificates.last?.expiry }
    }

    package enum Refusal: String, Error, Sendable, Hashable, CaseIterable {
        case tokenUnknown = "token_unknown"
        case tokenUsed = "token_used"
        case tokenExpired = "token_expired"
        case agentMismatch = "agent_mismatch"
        case agentUnknown = "agent_unknown"
        case agentRevoked = "agent_revoked"
        case certificateUnknown = "certificate_unknown"
        case certificateExpired = "certificate_expired"

        var sentence: String {
            switch self {
            case .tokenUnknown: "This hub did not issue the token."
            case .tokenUsed: "The token was used before; each is good for one enrolment."
            case .tokenExpired: "The token has expired."
            case .agentMismatch: "The token was issued for another agent."
            case .agentUnknown: "This hub does not know the agent; it has to enrol."
            case .agentRevoked: "The agent was revoked; it has to enrol anew."
            case .certificateUnknown: "The certificate is none of those that the agent was given."
            case .certificateExpired: "The certificate has expired."
            }
        }
    }

    /// Certificates of one agent that are good at the same time: one for each renewal within a life, and some more.
    static let certificatesMost = 16
    /// Spent tokens are remembered for a week, so that one used twice is told from one never seen.
    static let memory = Duration.seconds(7 * 86_400)

    package private(set) var tokens: [String: Token] = [:]
    package private(set) var members: [String: Member] = [:]

    package init(tokens: [Token] = [], members: [Member] = []) {
        for token in tokens { self.tokens[token.id] = token }
        for member in members { self.members[member.agent] = member }
    }

    /// In the place of what was known of it.
    mutating func put(_ token: Token) { tokens[token.id] = token }
    mutating func put(_ member: Member) { members[member.agent] = member }

    /// - Returns: ids of tokens that are forgotten now.
    package mutating func add(_ token: Token) -> [String] {
        let old = tokens.values.filter { $0.expiry + Self.memory < token.made }.map(\.id).sorted()
        for id in old { tokens[id] = nil }
        tokens[token.id] = token
        return old
    }

    /// Spends a token. Whatever comes after, it is spent.
    package mutating func use(
        _ id: String, by agent: String, at now: WallTime
    ) throws(Refusal) -> Token {
        guard var token = tokens[id] else { throw .tokenUnknown }
        guard token.used == nil else { throw .tokenUsed }
        guard now < token.expiry else { throw .tokenExpired }
        guard token.agent == agent else { throw .agentMismatch }
        token.used = now
        tokens[id] = token
        return token
    }

    /// A token gives an agent a new beginning: what it had before is good no more.
    package mutating func enrolled(_ token: Token, _ issue: Member.Issue, at now: WallTime) -> Member {
        var member = Member(agent: token.agent, connectors: token.connectors, since: now, certificates: [issue])
        member.era = (members[token.agent]?.era ?? 0) + 1
        members[token.agent] = member
        return member
    }

    package mutating func renewed(
        _ agent: String, _ issue: Member.Issue, at now: WallTime
    ) throws(Refusal) -> Member {
        guard var member = members[agent] else { throw .agentUnknown }
        guard member.revoked == nil else { throw .agentRevoked }
        member.certificates.removeAll { $0.expiry < now }
        member.certificates.append(issue)
        member.certificates.removeFirst(max(0, member.certificates.count - Self.certificatesMost))
        members[agent] = member
        return member
    }

    /// - Returns: `nil` when there is no such agent.
    package mutating func revoke(_ agent: String, why: String, at now: WallTime) -> Member? {
        guard var member = members[agent] else { return nil }
        member.certificates = []
        member.revoked = now
        member.why = why
        member.era += 1
        members[agent] = member
        for (id, token) in tokens where token.agent == agent && token.used == nil { tokens[id]?.used = now }
        return member
    }

    /// - Throws: why a certificate of this hub's authority is not good, or no longer.
    package func check(_ agent: String, serial: String, at now: WallTime) throws(Refusal) -> Member {
        guard let member = members[agent] else { throw .agentUnknown }
        guard member.revoked == nil else { throw .agentRevoked }
        guard let issue = member.certificates.first(where: { $0.serial == serial }) else { throw .certificateUnknown }
        guard now < issue.expiry else { throw .certificateExpired }
        return member
    }
}

extension EnrolmentBook.Member {
    // By hand for records that were kept before there were eras.
    package init(from decoder: any Decoder) throws {
        let fields = try decoder.container(keyedBy: CodingKeys.self)
        agent = try fields.decode(String.self, forKey: .agent)
        connectors = try fields.decodeIfPresent([String].self, forKey: .connectors)
        since = try fields.decode(WallTime.self, forKey: .since)
        certificates = try fields.decode([Issue].self, forKey: .certificates)
        revoked = try fields.decodeIfPresent(WallTime.self, forKey: .revoked)
        why = try fields.decodeIfPresent(String.self, forKey: .why)
        era = try fields.decodeIfPresent(Int.self, forKey: .era) ?? 0
    }
}
