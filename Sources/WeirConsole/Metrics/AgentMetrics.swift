import WeirGates
import WeirNode
import WeirTunnel
import WeirWorld

/// What an agent's own `/metrics` says. Directions are a hub's: to the target, and to the client.
enum AgentMetrics {
    static func text(_ look: AgentLook, _ meters: TunnelMeters, process: ProcessReading, now: Moment) -> String {
        var out = Exposition()
        addLinks(look, meters, &out)
        addTargets(look, meters, &out)
        NodeMetrics.add(process, to: &out)
        return out.text
    }

    private static func addLinks(_ look: AgentLook, _ meters: TunnelMeters, _ out: inout Exposition) {
        let book = meters.agentFigures
        let own = book.agents[look.name]
        out.family("weir_agent_info", .gauge, "Always 1; the labels say what runs.") {
            $0.add(1, ["agent": look.name, "version": look.version])
        }
        out.family("weir_agent_connected", .gauge, "1 while the hub has welcomed at least one link.") {
            $0.add(look.isConnected ? 1 : 0)
        }
        out.family("weir_agent_connected_change_timestamp_seconds", .gauge, "When it was connected, or lost, last.") {
            $0.add(look.since.secondsSince1970)
        }
        out.family("weir_agent_links", .gauge, "Links that stand.") { $0.add(look.links) }
        out.family("weir_agent_links_wanted", .gauge, "Links that should stand.") { $0.add(look.linksWanted) }
        out.family("weir_agent_link_attempts", .gauge, "Times that the link was tried in vain since it stood last.") {
            $0.add(look.linkAttempts)
        }
        out.family("weir_agent_link_ends_total", .counter, "Links that ended, by why.") { samples in
            for reason in LinkEnd.names { samples.add(own?.ends[reason] ?? 0, ["reason": reason]) }
        }
        out.family("weir_agent_link_rtt_seconds", .histogram, "Round trips of pings.") {
            $0.histogram(own?.roundTrips ?? LatencyBuckets(ConnectorFigures.writes), [:])
        }
        out.family("weir_agent_opens_refused_total", .counter, "What the hub asked for and was not dialled, by why.") {
            for status in [DialStatus.notAllowed, .busy] {
                $0.add(book.opensRefused[status, default: 0], ["reason": status.reason?.name ?? ""])
            }
        }
        if let expiry = look.certificateExpiry, let renewal = look.certificateRenewal {
            out.family("weir_agent_certificate_expiry_timestamp_seconds", .gauge, "When its certificate ends.") {
                $0.add(expiry.secondsSince1970)
            }
            out.family(
                "weir_agent_certificate_renewal_timestamp_seconds", .gauge, "When its certificate is to be renewed."
            ) { $0.add(renewal.secondsSince1970) }
        }
    }

    private static func addTargets(_ look: AgentLook, _ meters: TunnelMeters, _ out: inout Exposition) {
        let all = look.targets.map { ($0, meters.figures(of: $0.connector) ?? ConnectorFigures()) }
        out.family("weir_agent_serves", .gauge, "1 while the hub lets it serve this.") { samples in
            for (target, _) in all { samples.add(target.isServed ? 1 : 0, ["connector": target.connector]) }
        }
        out.family("weir_agent_connections", .gauge, "Open connections to targets.") { samples in
            for (target, _) in all {
                samples.add(meters.connections(of: target.connector).count, ["connector": target.connector])
            }
        }
        out.family("weir_agent_dial_seconds", .histogram, "Until a target answered, or did not.") { samples in
            for (target, figures) in all {
                samples.histogram(figures.dials, ["connector": target.connector, "result": "connected"])
                samples.histogram(figures.failedDials, ["connector": target.connector, "result": "failed"])
            }
        }
        // A hub sends to the target what it puts into a stream; an agent sends to the client.
        out.family("weir_agent_tcp_bytes_total", .counter, "Bytes carried.") { samples in
            for (target, figures) in all {
                samples.add(figures.bytesToClient, ["connector": target.connector, "direction": "to_target"])
                samples.add(figures.bytesToTarget, ["connector": target.connector, "direction": "to_client"])
            }
        }
        out.family("weir_agent_stream_ends_total", .counter, "Connections that ended, by why.") { samples in
            for (target, figures) in all {
                var counts = ["none": UInt64(0)]
                for (end, count) in figures.ends { counts[end.reason, default: 0] += count }
                for (reason, count) in counts.sorted(by: { $0.key < $1.key }) {
                    samples.add(count, ["connector": target.connector, "reason": reason])
                }
            }
        }
    }
}
