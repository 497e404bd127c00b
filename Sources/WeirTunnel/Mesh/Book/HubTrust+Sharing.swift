internal import Logging
import Synchronization
internal import WeirStore
internal import WeirWorld

/// What a hub of a mesh does so that its agents are known at the others.
extension HubTrust {
    /// Takes what other hubs have written, and writes what they lack.
    /// - Returns: agents that were revoked elsewhere: their links are to be closed.
    package func share(_ answer: RegistryAnswer) async throws(TunnelFailure) -> [String] {
        guard let shared, shared.isBehind(answer) else { return [] }
        let revoked = try await learn()
        let there = try await shared.read(Self.tokens) as [String: EnrolmentBook.Token]
        let known = try await shared.read(Self.agents) as [String: EnrolmentBook.Member]
        for token in tokens where there[token.id] != token { try await publish(token) }
        for member in members where known[member.agent] != member { try await publish(member) }
        // A registry that was lost; one that has another authority by now is told of.
        let settled = try await shared.settle(authority, isNew: false)
        if settled.certificatePEM != authority.certificatePEM {
            throw TunnelFailure(
                "authority_differs", "The registry has another authority than this hub.",
                help: "Stop the hub that was added last, remove its data and the registry's key `settled`, and start "
                    + "it again.")
        }
        shared.hasSeen(answer)
        return revoked
    }

    /// Reads what other hubs have written.
    @discardableResult
    func learn() async throws(TunnelFailure) -> [String] {
        guard let shared else { return [] }
        let tokens = try await shared.read(Self.tokens) as [String: EnrolmentBook.Token]
        let members = try await shared.read(Self.agents) as [String: EnrolmentBook.Member]
        let now = world.time.wall
        let changed = book.withLock {
            $0.merge(tokens: Array(tokens.values), members: Array(members.values), at: now)
        }
        try await commit(
            changed.tokens.map { put(Self.tokens, $0.id, $0) } + changed.members.map { put(Self.agents, $0.agent, $0) })
        return changed.revoked
    }

    private func publish(_ token: EnrolmentBook.Token) async throws(TunnelFailure) {
        try await shared?.write(token, Self.tokens, token.id) { $0.merged(with: $1) }
    }

    private func publish(_ member: EnrolmentBook.Member) async throws(TunnelFailure) {
        try await shared?.write(member, Self.agents, member.agent) { $0.merged(with: $1) }
    }

    /// Tells the others. What cannot be told now is told with a later beat.
    func tell(tokens: [EnrolmentBook.Token] = [], members: [EnrolmentBook.Member] = [], forgotten: [String] = []) async
    {
        guard let shared else { return }
        do throws(TunnelFailure) {
            for token in tokens { try await publish(token) }
            for member in members { try await publish(member) }
            for id in forgotten { try await shared.remove(Self.tokens, id) }
        } catch {
            shared.fallBehind()
            world.log.warning(
                "The registry could not be told of a change; it will be.", metadata: ["detail": "\(error)"])
        }
    }

    /// What a certificate says, when another hub may have issued or renewed it a moment ago.
    func identify(again der: [UInt8]) async throws(TunnelFailure) -> AgentIdentity {
        do throws(TunnelFailure) {
            try await learn()
        } catch {
            // Nothing that ends the agent's certificate: another hub may know it.
            throw TunnelFailure("registry_down", "This hub does not know the agent, and cannot ask the others now.")
        }
        return try identify(certificate: der)
    }

    /// Another hub may know better.
    func isDoubtful(_ failure: TunnelFailure) -> Bool {
        let doubtful: [EnrolmentBook.Refusal] = [
            .agentUnknown, .agentRevoked, .certificateUnknown, .certificateExpired,
        ]
        return shared != nil && doubtful.contains { $0.rawValue == failure.code }
    }
}
