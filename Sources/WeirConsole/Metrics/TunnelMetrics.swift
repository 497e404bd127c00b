import WeirGates
import WeirNode
import WeirTunnel
import WeirWorld

/// What `/metrics` says of the tunnel: every combination of labels that can be known is there from the start, so that a
/// first error is an increase. Names and labels of agents come and go with them (an hour after they left).
struct TunnelMetrics {
    private let tunnels: [TunnelStatus]
    private let agents: [AgentStatus]
    private let refused: [String: UInt64]
    private let doorEnds: [DoorEnd: UInt64]

    init(_ access: any TunnelAccess) {
        tunnels = access.tunnels
        agents = access.agents
        refused = access.refusedAgents
        doorEnds = access.doorEnds
    }

    func add(to out: inout Exposition) {
        addLatency(&out)
        addPressure(&out)
        addTraffic(&out)
        addEnds(&out)
        addPolicy(&out)
        addAgents(&out)
    }

    private func addLatency(_ out: inout Exposition) {
        out.family(
            "weir_tunnel_write_drain_seconds", .histogram,
            "What bytes take through the hub: until they are handed on (write), and until there is room (drain)."
        ) { samples in
            for tunnel in tunnels {
                samples.histogram(tunnel.figures.write, ["connector": tunnel.connector, "phase": "write"])
                samples.histogram(tunnel.figures.drain, ["connector": tunnel.connector, "phase": "drain"])
            }
        }
        out.family("weir_tunnel_dial_seconds", .histogram, "Until the target answered, or did not.") { samples in
            for tunnel in tunnels {
                samples.histogram(tunnel.figures.dials, ["connector": tunnel.connector, "result": "connected"])
                samples.histogram(tunnel.figures.failedDials, ["connector": tunnel.connector, "result": "failed"])
            }
        }
        out.family("weir_tunnel_connection_duration_seconds", .histogram, "How long connections lived.") { samples in
            for tunnel in tunnels { samples.histogram(tunnel.figures.durations, ["connector": tunnel.connector]) }
        }
    }

    private func addPressure(_ out: inout Exposition) {
        out.family(
            "weir_tunnel_inbound_queue_frames", .gauge,
            "Come from the agent and not taken by the client, in frames of 16 KiB; of the fullest connection."
        ) { samples in
            for tunnel in tunnels { samples.add(Self.frames(tunnel.queued), ["connector": tunnel.connector]) }
        }
        out.family("weir_tunnel_inbound_queue_limit_frames", .gauge, "That connection's window.") { samples in
            for tunnel in tunnels { samples.add(Self.frames(tunnel.queueMost), ["connector": tunnel.connector]) }
        }
        out.family("weir_tunnel_inbound_queue_bytes", .gauge, "The same in bytes.") { samples in
            for tunnel in tunnels { samples.add(tunnel.queued, ["connector": tunnel.connector]) }
        }
        out.family("weir_tunnel_inbound_queue_limit_bytes", .gauge, "That connection's window.") { samples in
            for tunnel in tunnels { samples.add(tunnel.queueMost, ["connector": tunnel.connector]) }
        }
        out.family("weir_tunnel_streams_blocked", .gauge, "Connections that wait for their receiver now.") { samples in
            for tunnel in tunnels { samples.add(tunnel.blocked, ["connector": tunnel.connector]) }
        }
        out.family(
            "weir_tunnel_blocked_seconds_total", .counter, "Time that connections waited, by what they waited for."
        ) { samples in
            for tunnel in tunnels {
                for direction in ConnectorFigures.Direction.allCases {
                    for cause in ConnectorFigures.Cause.allCases {
                        let wait = ConnectorFigures.Wait(direction: direction, cause: cause)
                        samples.add(
                            Double(tunnel.figures.waited[wait, default: 0]) / 1e9,
                            [
                                "connector": tunnel.connector, "direction": direction.rawValue, "cause": cause.rawValue,
                            ])
                    }
                }
            }
        }
    }

    /// Begun frames count as frames.
    static func frames(_ bytes: Int) -> Int { (bytes + (16 << 10) - 1) >> 14 }

    private func addTraffic(_ out: inout Exposition) {
        out.family("weir_tunnel_tcp_connections", .gauge, "Open connections.") { samples in
            for tunnel in tunnels { samples.add(tunnel.connections, ["connector": tunnel.connector]) }
        }
        out.family("weir_tunnel_tcp_connections_total", .counter, "Clients that came, by what became of them.") {
            samples in
            for tunnel in tunnels {
                for result in ConnectionResult.allCases {
                    samples.add(
                        tunnel.figures.results[result, default: 0],
                        ["connector": tunnel.connector, "result": result.rawValue])
                }
            }
        }
        out.family("weir_tunnel_tcp_bytes_total", .counter, "Bytes carried.") { samples in
            for tunnel in tunnels {
                samples.add(
                    tunnel.figures.bytesToTarget, ["connector": tunnel.connector, "direction": "to_target"])
                samples.add(
                    tunnel.figures.bytesToClient, ["connector": tunnel.connector, "direction": "to_client"])
            }
        }
        out.family("weir_tunnel_listener_errors_total", .counter, "What went wrong at a listener, by type.") {
            samples in
            for tunnel in tunnels {
                for type in ConnectorFigures.ErrorType.allCases {
                    samples.add(
                        tunnel.figures.errors[type, default: 0],
                        ["connector": tunnel.connector, "type": type.rawValue])
                }
            }
        }
    }

    private func addEnds(_ out: inout Exposition) {
        out.family("weir_tunnel_stream_ends_total", .counter, "Connections that ended: how, who began it, and why.") {
            samples in
            for tunnel in tunnels {
                let none = ConnectorFigures.End(kind: "fin", side: "client", reason: "none")
                for (end, count) in tunnel.figures.ends.merging([none: 0], uniquingKeysWith: +).sorted(by: {
                    $0.key < $1.key
                }) {
                    samples.add(
                        count,
                        [
                            "connector": tunnel.connector, "kind": end.kind, "side": end.side, "reason": end.reason,
                        ])
                }
            }
        }
        out.family("weir_tunnel_fin_frames_total", .counter, "Half-closes carried over links.") { samples in
            for tunnel in tunnels {
                samples.add(tunnel.figures.finishesSent, ["connector": tunnel.connector, "direction": "sent"])
                samples.add(tunnel.figures.finishesReceived, ["connector": tunnel.connector, "direction": "received"])
            }
        }
        out.family("weir_tunnel_rst_frames_total", .counter, "Resets carried over links.") { samples in
            for tunnel in tunnels {
                samples.add(tunnel.figures.resetsSent, ["connector": tunnel.connector, "direction": "sent"])
                samples.add(tunnel.figures.resetsReceived, ["connector": tunnel.connector, "direction": "received"])
            }
        }
    }

    private func addPolicy(_ out: inout Exposition) {
        out.family("weir_pdp_decisions_total", .counter, "Decisions on opens, by result and by who made them.") {
            samples in
            for tunnel in tunnels {
                for result in OpenDecision.Result.allCases {
                    for source in OpenDecision.Source.allCases {
                        samples.add(
                            tunnel.figures.verdicts[.init(result: result, source: source), default: 0],
                            [
                                "connector": tunnel.connector, "result": result.rawValue, "source": source.rawValue,
                            ])
                    }
                }
            }
        }
        out.family("weir_pdp_request_seconds", .histogram, "Until the decision point answered, or did not.") {
            samples in
            for tunnel in tunnels { samples.histogram(tunnel.figures.decisions, ["connector": tunnel.connector]) }
        }
    }

    private func addAgents(_ out: inout Exposition) {
        out.family("weir_tunnel_agents_connected", .gauge, "Agents that serve the connector now.") { samples in
            for tunnel in tunnels { samples.add(tunnel.agents.count, ["connector": tunnel.connector]) }
        }
        out.family("weir_tunnel_agents_refused_total", .counter, "Agents that were not let in, by reason.") { samples in
            let none = Dictionary(RefusalAdvice.reasons.map { ($0, UInt64(0)) }) { first, _ in first }
            for (reason, count) in refused.merging(none, uniquingKeysWith: +).sorted(by: { $0.key < $1.key }) {
                samples.add(count, ["reason": reason])
            }
        }
        out.family(
            "weir_tunnel_door_closed_total", .counter,
            "Connections at the door that did not become an agent's link, by what was wrong."
        ) { samples in
            for end in DoorEnd.allCases { samples.add(doorEnds[end, default: 0], ["reason": end.rawValue]) }
        }
        out.family("weir_tunnel_agent_mistakes_total", .counter, "What agents did that no agent does, by type.") {
            samples in
            for agent in agents {
                for mistake in AgentMistake.allCases {
                    samples.add(
                        agent.figures.mistakes[mistake, default: 0], ["agent": agent.name, "type": mistake.rawValue])
                }
            }
        }
        out.family("weir_tunnel_link_ends_total", .counter, "Links of agents that ended, by why.") { samples in
            for agent in agents {
                let none = Dictionary(uniqueKeysWithValues: LinkEnd.names.map { ($0, UInt64(0)) })
                for (reason, count) in agent.figures.ends.merging(none, uniquingKeysWith: +).sorted(by: {
                    $0.key < $1.key
                }) {
                    samples.add(count, ["agent": agent.name, "reason": reason])
                }
            }
        }
        out.family("weir_tunnel_agent_reconnects_total", .counter, "Times that an agent came back, by why it left.") {
            samples in
            for agent in agents {
                let none = ["closed": UInt64(0), "dead_peer": 0, "drain": 0]
                for (reason, count) in agent.figures.reconnects.merging(none, uniquingKeysWith: +).sorted(by: {
                    $0.key < $1.key
                }) {
                    samples.add(count, ["agent": agent.name, "reason": reason])
                }
            }
        }
        out.family("weir_tunnel_link_rtt_seconds", .histogram, "Round trips of pings.") { samples in
            for agent in agents { samples.histogram(agent.figures.roundTrips, ["agent": agent.name]) }
        }
        out.family(
            "weir_tunnel_link_up_timestamp_seconds", .gauge, "Since when the agent is connected, in seconds since 1970."
        ) { samples in
            for agent in agents {
                if let since = agent.connectedSince { samples.add(since.secondsSince1970, ["agent": agent.name]) }
            }
        }
        out.family("weir_tunnel_link_window_bytes", .gauge, "Windows granted to its streams, and their budget.") {
            samples in
            for agent in agents {
                samples.add(agent.window.granted, ["agent": agent.name, "kind": "granted"])
                samples.add(agent.window.most, ["agent": agent.name, "kind": "limit"])
            }
        }
        out.family(
            "weir_tunnel_agent_cert_expiry_timestamp_seconds", .gauge,
            "When the agent's certificate ends, in seconds since 1970."
        ) { samples in
            for agent in agents {
                if let end = agent.certificateExpiry { samples.add(end.secondsSince1970, ["agent": agent.name]) }
            }
        }
        out.family(
            "weir_tunnel_agent_cert_renewal_timestamp_seconds", .gauge,
            "When the agent's certificate should be renewed, in seconds since 1970."
        ) { samples in
            for agent in agents {
                if let time = agent.certificateRenewal { samples.add(time.secondsSince1970, ["agent": agent.name]) }
            }
        }
    }
}

extension TunnelMetrics {
    /// NowConnect's names and labels, so that its panels, alerts and runbooks go on. Source: its reliability document
    /// and its metrics page; where these disagree, the document counts.
    func addNowConnect(to out: inout Exposition) {
        out.family("nowconnect_write_drain_seconds", .histogram, "Socket write and drain latency.") { samples in
            for tunnel in tunnels {
                samples.histogram(tunnel.figures.write, ["connector": tunnel.connector, "phase": "write"])
                samples.histogram(tunnel.figures.drain, ["connector": tunnel.connector, "phase": "drain"])
            }
        }
        out.family(
            "nowconnect_inbound_queue_size", .gauge,
            "How full the fullest session's window is, as frames of queue_depth_per_cid."
        ) { samples in
            // Windows begin small and grow up to that depth: its alert at 75 % of the depth is meant to find a session
            // whose client does not keep up, whatever its window is.
            for tunnel in tunnels {
                let frames = (tunnel.queueRatio * Double(tunnel.queueDepth >> 14)).rounded(.up)
                samples.add(Int(frames), ["connector": tunnel.connector])
            }
        }
        out.family("nowconnect_listener_errors_total", .counter, "Listener and session errors.") { samples in
            for tunnel in tunnels {
                for type in [ConnectorFigures.ErrorType.write, .session, .pdp] {
                    samples.add(
                        tunnel.figures.errors[type, default: 0],
                        ["connector": tunnel.connector, "type": type.rawValue])
                }
            }
        }
        out.family("nowconnect_tcp_connections_total", .counter, "Connections that were carried.") { samples in
            for tunnel in tunnels {
                samples.add(tunnel.figures.results[.opened, default: 0], ["connector": tunnel.connector])
            }
        }
        out.family("nowconnect_tcp_active_connections", .gauge, "Open connections.") { samples in
            for tunnel in tunnels { samples.add(tunnel.connections, ["connector": tunnel.connector]) }
        }
        out.family("nowconnect_tcp_bytes_total", .counter, "Bytes from cloud to agent and from agent to cloud.") {
            samples in
            for tunnel in tunnels {
                samples.add(tunnel.figures.bytesToTarget, ["direction": "c2a", "connector": tunnel.connector])
                samples.add(tunnel.figures.bytesToClient, ["direction": "a2c", "connector": tunnel.connector])
            }
        }
        let sums = tunnels.reduce(into: [UInt64](repeating: 0, count: 4)) { sums, tunnel in
            sums[0] += tunnel.figures.finishesSent
            sums[1] += tunnel.figures.finishesReceived
            sums[2] += tunnel.figures.resetsSent
            sums[3] += tunnel.figures.resetsReceived
        }
        out.family("nowconnect_fin_sent", .counter, "FIN frames sent.") { $0.add(sums[0]) }
        out.family("nowconnect_fin_recv", .counter, "FIN frames received.") { $0.add(sums[1]) }
        out.family("nowconnect_rst_sent", .counter, "RST frames sent.") { $0.add(sums[2]) }
        out.family("nowconnect_rst_recv", .counter, "RST frames received.") { $0.add(sums[3]) }
        out.family("nowconnect_pdp_decisions_total", .counter, "Decisions on opens.") { samples in
            for tunnel in tunnels {
                for result in OpenDecision.Result.allCases {
                    let count = OpenDecision.Source.allCases.reduce(0) {
                        $0 + tunnel.figures.verdicts[.init(result: result, source: $1), default: 0]
                    }
                    samples.add(count, ["result": result.rawValue, "connector": tunnel.connector])
                }
            }
        }
        out.family("nowconnect_connection_duration_seconds", .histogram, "How long connections lived.") { samples in
            for tunnel in tunnels { samples.histogram(tunnel.figures.durations, ["connector": tunnel.connector]) }
        }
        out.family("nowconnect_tunnel_reconnects_total", .counter, "Times that an agent came back.") { samples in
            for agent in agents {
                for (reason, count) in agent.figures.reconnects.sorted(by: { $0.key < $1.key }) {
                    samples.add(count, ["agent": agent.name, "reason": reason])
                }
            }
        }
    }
}
