internal import WeirGates
internal import WeirSettings
package import WeirTunnel
internal import WeirWorld

extension NodeTunnel: TunnelAccess {
    package var givesNowConnectNames: Bool { plan.settings.metrics.tunnelNames == .nowconnect }

    package var refusedAgents: [String: UInt64] { meters.agentFigures.refused }

    package var doorEnds: [DoorEnd: UInt64] { meters.agentFigures.doorEnds }

    package var tunnels: [TunnelStatus] {
        let roster = hub?.roster
        let owners = mesh?.owners ?? []
        return settings.connectors.entries.map { entry in
            let agents = (roster?.agents.values.filter { $0.connectors.contains(entry.name) }.map(\.id) ?? []).sorted()
            let connections = meters.connections(of: entry.name)
            let fullest = connections.max { $0.fullness < $1.fullness }
            let depth = settings.limits.queueDepth << 14
            let figures = meters.figures(of: entry.name) ?? ConnectorFigures()
            let elsewhere = owners.filter { !$0.isHere && $0.connectors.contains(entry.name) }
            var status = TunnelStatus(
                connector: entry.name, listeners: entry.value.listen.values, agents: agents,
                connections: connections.count, blocked: connections.count { $0.isBlocked },
                queued: fullest?.queued ?? 0, queueMost: fullest.map { $0.queued + $0.room } ?? depth,
                queueDepth: depth,
                figures: figures,
                troubles: troubles(entry.name, agents: agents, elsewhere, connections, figures))
            status.elsewhere = elsewhere
            return status
        }.sorted { $0.connector < $1.connector }
    }

    package var agents: [AgentStatus] {
        let roster = hub?.roster.agents ?? [:]
        let members = trust?.members ?? []
        let figures = meters.agentFigures.agents
        let owners = Dictionary((mesh?.owners ?? []).map { ($0.agent, $0) }, uniquingKeysWith: { first, _ in first })
        return Set(figures.keys).union(roster.keys).union(owners.keys).sorted().map { name in
            var status = AgentStatus(name: name, figures: figures[name] ?? AgentFigures(joined: world.time.wall))
            status.awaySince = status.figures.left
            status.owner = owners[name]
            if let owner = status.owner { status.connectors = owner.connectors }
            if let agent = roster[name] {
                status.version = agent.version
                status.connectors = agent.connectors.sorted()
                status.address = agent.address
                status.proof = agent.proof.rawValue
                status.connectedSince = status.figures.joined
                status.awaySince = nil
                status.links = agent.links.count
                status.streams = agent.links.reduce(0) { $0 + $1.streams }
                status.roundTrip = agent.links.compactMap(\.roundTrip).min()
                status.window = (
                    agent.links.reduce(0) { $0 + $1.granted }, agent.links.count * Int(clamping: settings.memory.bytes)
                )
                status.certificateExpiry = agent.certificateExpiry
            }
            if let expiry = members.first(where: { $0.agent == name })?.expiry {
                status.certificateExpiry = expiry
                status.certificateRenewal = WallTime(
                    nanoseconds: expiry.nanoseconds - (settings.certificateLife / 3).nanoseconds)
            }
            return status
        }
    }

    package func connections(of connector: String, limit: Int) -> [ConnectionFigures]? {
        guard settings.connectors[connector] != nil else { return nil }
        let now = world.time.now
        let all = meters.connections(of: connector).map { ($0, $0.waits.values.map { now - $0 }.max() ?? .zero) }
        return all.sorted { $0.1 > $1.1 }.prefix(limit).map(\.0)
    }

    package func probe(_ connector: String) async -> TunnelProbe? {
        guard settings.connectors[connector] != nil else { return nil }
        return await hub?.probe(connector)
    }

    package func token(
        agent: String, connectors: [String], life: Duration, by maker: String
    ) async throws(TunnelFailure) -> String {
        guard let trust else { throw Self.notOpen }
        for connector in connectors where settings.connectors[connector] == nil {
            let known = settings.connectors.names
            throw TunnelFailure(
                "connector_unknown", "There is no connector `\(connector)` under `tunnel.connectors`.",
                help: Nearest.word(connector, among: known).map { "Did you mean `\($0)`?" }
                    ?? "There are: \(known.joined(separator: ", ")).")
        }
        return try await trust.makeToken(agent: agent, connectors: connectors, life: life, by: maker)
    }

    package func authority() throws(TunnelFailure) -> String {
        guard !settings.isPlain else {
            throw TunnelFailure(
                "plain", "This hub has no TLS of its own: agents meet the certificate of the proxy before it.",
                help: "Give them the authority of that certificate.")
        }
        if let file = settings.tls?.certificate {
            throw TunnelFailure(
                "own_certificate", "This hub shows the certificate in \(file), which its own authority did not make.",
                help: "Give agents the authority of that certificate.")
        }
        guard let trust else { throw Self.notOpen }
        return trust.authority.certificatePEM
    }

    package func revoke(agent: String, by who: String, reason: String) async throws(TunnelFailure) -> Bool {
        guard let hub, let trust else { throw Self.notOpen }
        guard trust.members.contains(where: { $0.agent == agent }) else { return false }
        try await hub.revoke(agent, by: who, why: reason)
        return true
    }

    package func close(_ connector: String, client: String?, by who: String) -> Int {
        hub?.close(connector, client: client, by: who) ?? 0
    }

    private static var notOpen: TunnelFailure { TunnelFailure("not_open", "The hub is not open yet.") }
}
