package import WeirWorld

/// Which agents are connected, what they serve, and which link takes the next stream.
///
/// Among the links of all agents that serve a connector, the one with the fewest streams is taken; one on the asking
/// event loop is worth two streams, because nothing then crosses threads. An agent whose dials failed `failuresMost`
/// times in a row rests for `rest` while others serve the connector.
package struct AgentRoster: Sendable {
    package struct Agent: Sendable {
        package var id: String
        package var version: String
        package var connectors: Set<String>
        package var since: WallTime
        package var links: [LinkHandle]
        package var certificateExpiry: WallTime?
        package var address: String?
        package var proof = AgentIdentity.Proof.none
        /// Which of its processes; `nil` when it does not say.
        package var instance: String?
        var failures: [String: FailedDials] = [:]
        var restsUntil: [String: Moment] = [:]
    }

    /// Dials of one connector that have failed since the last that went well.
    package struct FailedDials: Sendable, Hashable {
        package var count: Int
        /// Of the last one.
        package var reason: StreamReason
        package var since: Moment
    }

    package static let failuresMost = 3
    package static let rest = Duration.seconds(10)

    package private(set) var agents: [String: Agent] = [:]

    package init() {}

    /// - Returns: links of an older process of the same agent, which get no more streams: close them. Those that drain
    ///   are not among them: their streams may end.
    package mutating func joined(_ agent: Agent, _ link: LinkHandle) -> [LinkHandle] {
        var known = agents[agent.id] ?? agent
        var replaced: [LinkHandle] = []
        if let old = known.instance, let new = agent.instance, old != new {
            (replaced, known) = (known.links, agent)
        }
        known.instance = agent.instance ?? known.instance
        known.version = agent.version
        known.connectors = agent.connectors
        known.certificateExpiry = agent.certificateExpiry
        known.address = agent.address
        known.proof = agent.proof
        known.links.append(link)
        agents[agent.id] = known
        return replaced
    }

    package mutating func renewed(_ id: String, until expiry: WallTime) { agents[id]?.certificateExpiry = expiry }

    /// - Returns: true when it was the agent's last link.
    package mutating func left(_ link: UInt64, of id: String) -> Bool {
        guard var agent = agents[id] else { return false }
        agent.links.removeAll { $0.id == link }
        agents[id] = agent.links.isEmpty ? nil : agent
        return agent.links.isEmpty
    }

    package func agents(serving connector: String) -> [String] {
        agents.values.filter { $0.connectors.contains(connector) }.map(\.id).sorted()
    }

    /// Links for a connector, best first. Empty when no agent serves it.
    package func links(for connector: String, at now: Moment, on loop: (LinkHandle) -> Bool = { _ in false })
        -> [(agent: String, link: LinkHandle)]
    {
        var found: [(agent: String, link: LinkHandle, cost: Int, rests: Bool)] = []
        for agent in agents.values where agent.connectors.contains(connector) {
            let rests = agent.restsUntil[connector].map { $0 > now } ?? false
            for link in agent.links {
                found.append((agent.id, link, link.streams - (loop(link) ? 2 : 0), rests))
            }
        }
        found.sort {
            if $0.rests != $1.rests { return !$0.rests }
            return $0.cost == $1.cost ? $0.link.id < $1.link.id : $0.cost < $1.cost
        }
        return found.map { ($0.agent, $0.link) }
    }

    /// - Parameter reason: why the target was not reached; `nil` when it was.
    package mutating func dialled(_ connector: String, by id: String, _ reason: StreamReason?, at now: Moment) {
        guard let agent = agents[id] else { return }
        guard let reason else {
            agents[id]?.failures[connector] = nil
            agents[id]?.restsUntil[connector] = nil
            return
        }
        let before = agent.failures[connector]
        let failures = FailedDials(count: (before?.count ?? 0) + 1, reason: reason, since: before?.since ?? now)
        agents[id]?.failures[connector] = failures
        if failures.count >= Self.failuresMost { agents[id]?.restsUntil[connector] = now + Self.rest }
    }

    /// Agents that did not reach their target of this connector the last time, by name.
    package func failing(_ connector: String) -> [(agent: String, dials: FailedDials)] {
        agents.values.compactMap { agent in agent.failures[connector].map { (agent.id, $0) } }.sorted { $0.0 < $1.0 }
    }
}
