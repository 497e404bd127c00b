internal import WeirGates
internal import WeirSettings
internal import WeirTunnel
internal import WeirWorld

/// Why clients of a connector are refused or held now, in words: what `weir why tunnel/NAME` says.
extension NodeTunnel {
    /// A receiver that takes nothing for so long is told as one that has stopped.
    private static let stalled = Duration.seconds(60)
    /// A certificate that is to be renewed and has less left is told; as its alert has it.
    private static let expiresSoon = Duration.seconds(3 * 86_400)

    /// - Returns: the most pressing first; empty when all is well.
    func troubles(
        _ connector: String, agents: [String], _ elsewhere: [AgentOwner], _ connections: [ConnectionFigures],
        _ figures: ConnectorFigures
    ) -> [TunnelTrouble] {
        [
            absence(connector, agents, elsewhere), full(connector), failing(connector),
            slow(connections, .toClient), slow(connections, .toTarget), held(connector), heldByPolicy(connector),
            undecided(connector, figures), expiring(agents),
        ].compactMap(\.self)
    }

    private func absence(_ connector: String, _ agents: [String], _ elsewhere: [AgentOwner]) -> TunnelTrouble? {
        guard agents.isEmpty, !(hub?.reachesElsewhere(connector) ?? false) else { return nil }
        guard let owner = elsewhere.first else {
            return TunnelTrouble(
                code: "no_agent", sentence: "No agent serves it: clients are refused.",
                advice: "`weir get agents` shows who is there; `weir tunnel token` lets one enrol.")
        }
        guard mesh?.mode == Mesh.Mode.active.rawValue else {
            return TunnelTrouble(
                code: "no_agent", sentence: "Its agent `\(owner.agent)` is \(owner.place): clients are refused here.",
                advice: "`tunnel.mesh.mode: active` lets them be forwarded.")
        }
        return TunnelTrouble(
            code: "mesh_down",
            sentence: "Its agent `\(owner.agent)` is \(owner.place), which is not reached: clients are refused here.",
            advice: "`weir why mesh` says why.")
    }

    private func full(_ connector: String) -> TunnelTrouble? {
        guard let refusal = hub?.fullness(of: connector) else { return nil }
        let (whose, setting) =
            switch refusal {
            case .connectorLimit: ("this connector", "`max_connections` of the connector")
            case .listenerLimit, .clientLimit: ("its listener", "`max_connections` of the connector")
            case .hubLimit, .address: ("the hub", "`tunnel.limits.max_conn_total`")
            }
        return TunnelTrouble(
            code: "connection_limit",
            sentence: "All connections that \(whose) may have are in use: new clients are refused.",
            advice: "`weir describe tunnel \(connector)` shows who is connected; \(setting) is the limit.")
    }

    private func failing(_ connector: String) -> TunnelTrouble? {
        let failing = hub?.roster.failing(connector) ?? []
        guard let first = failing.first else { return nil }
        let times = first.dials.count == 1 ? "the last time" : "\(first.dials.count) times in a row"
        let others = failing.count > 1 ? " So have \(failing.count - 1) other agents." : ""
        return TunnelTrouble(
            code: "dial_failed",
            sentence: "`\(first.agent)` has not reached its target \(times): \(first.dials.reason.name).\(others)",
            advice:
                "Look there whether the target runs and may be reached; `weir tunnel probe \(connector)` dials it now.",
            since: wall(first.dials.since))
    }

    private func slow(
        _ connections: [ConnectionFigures], _ direction: ConnectorFigures.Direction
    ) -> TunnelTrouble? {
        let wait = ConnectorFigures.Wait(direction: direction, cause: direction == .toClient ? .receiver : .credit)
        let waiting = connections.compactMap { one in one.waits[wait].map { (one, $0) } }.min { $0.1 < $1.1 }
        guard let (one, since) = waiting else { return nil }
        let passed = world.time.now - since
        guard passed >= .seconds(1) else { return nil }
        let client = one.opening.client ?? "a client"
        let who = direction == .toClient ? client : "The target of \(client)"
        guard passed >= Self.stalled else {
            let bytes = direction == .toClient ? ": \(ByteCount(Int64(one.queued))) wait for it" : ""
            return TunnelTrouble(
                code: "slow_receiver", sentence: "\(who) takes its data slowly\(bytes).",
                advice: "Nothing is lost and nobody else waits. Look at that receiver and its network.",
                since: wall(since))
        }
        return TunnelTrouble(
            code: "stalled", sentence: "\(who) has taken nothing for \(passed.components.seconds) s.",
            advice:
                "Nobody else waits for it. Look whether that program hangs; `weir tunnel close` ends the connection.",
            since: wall(since))
    }

    private func held(_ connector: String) -> TunnelTrouble? {
        guard let gate = hub?.gates[connector], let since = gate.holdsSince(at: world.time.now) else { return nil }
        return TunnelTrouble(
            code: "bandwidth",
            sentence: "Its bandwidth limit of \(ByteRate(perSecond: ByteCount(gate.rate))) holds back.",
            advice: "Nothing is lost: senders wait their turn. `tunnel.connectors.\(connector).bandwidth` sets it.",
            since: wall(since))
    }

    private func heldByPolicy(_ connector: String) -> TunnelTrouble? {
        let held = hub?.held(connector) ?? []
        guard let first = held.first else { return nil }
        let others = held.count > 1 ? " So do \(held.count - 1) others with limits of their own." : ""
        return TunnelTrouble(
            code: "decision_rate",
            sentence: "The policy's limit of \(ByteRate(perSecond: ByteCount(first.rate))) for "
                + "\(first.client ?? "a client") holds back.\(others)",
            advice: "Nothing is lost: its sender waits. `rate_bytes_per_s` in the decision's context sets it.",
            since: wall(first.since))
    }

    private func undecided(_ connector: String, _ figures: ConnectorFigures) -> TunnelTrouble? {
        let errors = OpenDecision.Source.allCases.reduce(0) {
            $0 + figures.verdicts[.init(result: .error, source: $1), default: 0]
        }
        let decided = figures.verdicts.values.reduce(0, +)
        guard errors > 0, errors * 20 >= decided else { return nil }
        return TunnelTrouble(
            code: "policy_error", sentence: "\(errors) of \(decided) decisions could not be made.",
            advice: "`weir tunnel probe \(connector)` asks the decision point and says what it answered.")
    }

    private func expiring(_ agents: [String]) -> TunnelTrouble? {
        let now = world.time.wall
        let late = self.agents.filter { agent in
            guard agents.contains(agent.name), let end = agent.certificateExpiry, let due = agent.certificateRenewal
            else { return false }
            return due < now && end - now < Self.expiresSoon
        }
        guard let first = late.first, let end = first.certificateExpiry else { return nil }
        return TunnelTrouble(
            code: "certificate_expires",
            sentence: "The certificate of `\(first.name)` ends at \(end) and was not renewed.",
            advice: "The agent's log says why; with a token of `weir tunnel token` it enrols anew.",
            since: first.certificateRenewal)
    }

    private func wall(_ moment: Moment) -> WallTime {
        WallTime(nanoseconds: world.time.wall.nanoseconds - (world.time.now - moment).nanoseconds)
    }
}
