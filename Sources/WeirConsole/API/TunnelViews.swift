import WeirGates
import WeirNode
import WeirTunnel
import WeirWorld

/// A connector of the tunnel as the API shows it. Times are RFC 3339, UTC; what is not known is left out.
package struct TunnelView: Codable, Sendable, Hashable {
    package var connector: String
    /// Where clients come in.
    package var listeners: [String]
    /// Connected agents that serve it.
    package var agents: [String]
    /// Agents that serve it at other hubs of the mesh.
    package var elsewhere: [OwnerView]
    package var connections: Int
    /// Connections that wait for their receiver.
    package var blocked: Int
    /// Come from an agent and not yet taken by its client, of the connection with the fullest window.
    package var queueBytes: Int
    package var queueLimitBytes: Int
    package var bytesToTarget: UInt64
    package var bytesToClient: UInt64
    package var write: QuantilesView?
    package var drain: QuantilesView?
    package var dial: QuantilesView?
    package var finSent: UInt64
    package var finReceived: UInt64
    package var rstSent: UInt64
    package var rstReceived: UInt64
    /// What became of clients: `opened`, `denied`, `refused`, `no_agent`, `limit`, …
    package var results: [String: UInt64]
    /// Decisions of the policy by result.
    package var decisions: [String: UInt64]
    package var errors: [String: UInt64]
    /// Seconds that connections waited, by cause.
    package var waitedSeconds: [String: Double]
    package var troubles: [TunnelTroubleView]
    /// Longest waiting first; only in the answer for one connector.
    package var open: [ConnectionView]?

    /// Bounds that half and 95 % of all stay under, in seconds; left out past the last bound.
    package struct QuantilesView: Codable, Sendable, Hashable {
        package var p50: Double?
        package var p95: Double?
        package var count: UInt64

        init?(_ buckets: LatencyBuckets) {
            guard let half = buckets.quantile(0.5), let most = buckets.quantile(0.95) else { return nil }
            p50 = half.isFinite ? half : nil
            p95 = most.isFinite ? most : nil
            count = buckets.total
        }
    }

    init(_ status: TunnelStatus) {
        let figures = status.figures
        connector = status.connector
        listeners = status.listeners
        agents = status.agents
        elsewhere = status.elsewhere.map(OwnerView.init)
        connections = status.connections
        blocked = status.blocked
        queueBytes = status.queued
        queueLimitBytes = status.queueMost
        bytesToTarget = figures.bytesToTarget
        bytesToClient = figures.bytesToClient
        write = QuantilesView(figures.write)
        drain = QuantilesView(figures.drain)
        dial = QuantilesView(figures.dials)
        finSent = figures.finishesSent
        finReceived = figures.finishesReceived
        rstSent = figures.resetsSent
        rstReceived = figures.resetsReceived
        results = Dictionary(
            ConnectionResult.allCases.map { ($0.rawValue, figures.results[$0, default: 0]) },
            uniquingKeysWith: { first, _ in first })
        decisions = figures.verdicts.reduce(into: [:]) { $0[$1.key.result.rawValue, default: 0] += $1.value }
        errors = Dictionary(
            ConnectorFigures.ErrorType.allCases.map { ($0.rawValue, figures.errors[$0, default: 0]) },
            uniquingKeysWith: { first, _ in first })
        waitedSeconds = figures.waited.reduce(into: [:]) {
            $0[$1.key.cause.rawValue, default: 0] += Double($1.value) / 1e9
        }
        troubles = status.troubles.map(TunnelTroubleView.init)
    }
}

package struct TunnelTroubleView: Codable, Sendable, Hashable {
    package var code: String
    package var sentence: String
    package var advice: String
    package var since: String?
    package var runbook: String?

    init(_ trouble: TunnelTrouble) {
        code = trouble.code
        sentence = trouble.sentence
        advice = trouble.advice
        since = trouble.since?.description
        runbook = Runbook.tunnel(trouble.code)
    }
}

/// One open connection through the tunnel.
package struct ConnectionView: Codable, Sendable, Hashable {
    package var client: String?
    package var listener: String
    package var agent: String
    package var since: String
    package var bytesToTarget: UInt64
    package var bytesToClient: UInt64
    package var queuedBytes: Int
    /// What it waits for: `to_target/credit`, …
    package var waitsFor: [String]
    package var decision: String?

    init(_ figures: ConnectionFigures) {
        client = figures.opening.client
        listener = figures.opening.listener
        agent = figures.opening.agent
        since = figures.opening.since.description
        bytesToTarget = figures.bytesToTarget
        bytesToClient = figures.bytesToClient
        queuedBytes = figures.queued
        waitsFor = figures.waits.keys.map { "\($0.direction.rawValue)/\($0.cause.rawValue)" }.sorted()
        decision = figures.opening.decision
    }
}

/// An agent of the tunnel as the API shows it.
package struct AgentView: Codable, Sendable, Hashable {
    package var name: String
    package var connected: Bool
    package var version: String?
    package var connectors: [String]
    package var address: String?
    /// `certificate`, `mtls` or `jwt`.
    package var proof: String?
    package var connectedSince: String?
    package var awaySince: String?
    package var certificateExpiry: String?
    package var certificateRenewal: String?
    /// The hub of the mesh that has it; absent for a hub alone, or when nobody has it.
    package var owner: OwnerView?
    package var links: Int
    package var streams: Int
    package var roundTripSeconds: Double?
    package var windowBytes: Int
    package var windowLimitBytes: Int
    /// Links that ended, by reason.
    package var ends: [String: UInt64]
    package var reconnects: UInt64
    /// Newest first.
    package var lastEnds: [EndView]

    package struct EndView: Codable, Sendable, Hashable {
        package var at: String
        package var reason: String
    }

    init(_ status: AgentStatus) {
        name = status.name
        connected = status.connectedSince != nil && status.awaySince == nil
        version = status.version
        connectors = status.connectors
        address = status.address
        proof = status.proof
        connectedSince = status.connectedSince?.description
        awaySince = status.awaySince?.description
        certificateExpiry = status.certificateExpiry?.description
        certificateRenewal = status.certificateRenewal?.description
        owner = status.owner.map(OwnerView.init)
        links = status.links
        streams = status.streams
        roundTripSeconds = status.roundTrip.map { Double($0.nanoseconds) / 1e9 }
        windowBytes = status.window.granted
        windowLimitBytes = status.window.most
        ends = status.figures.ends
        reconnects = status.figures.reconnects.values.reduce(0, &+)
        lastEnds = status.figures.lastEnds.map { EndView(at: $0.at.description, reason: $0.reason) }
    }
}

/// What a probe found, hop by hop.
package struct ProbeView: Codable, Sendable, Hashable {
    package var connector: String
    package var well: Bool
    package var hops: [HopView]

    package struct HopView: Codable, Sendable, Hashable {
        package var name: String
        package var seconds: Double?
        package var outcome: String
        package var well: Bool
    }

    init(_ probe: TunnelProbe) {
        connector = probe.connector
        well = probe.isWell
        hops = probe.hops.map {
            HopView(
                name: $0.name, seconds: $0.took.map { Double($0.nanoseconds) / 1e9 }, outcome: $0.outcome,
                well: $0.isWell)
        }
    }
}

/// A one-time token for an agent. It is shown once.
package struct TokenView: Codable, Sendable, Hashable {
    package var agent: String
    package var connectors: [String]
    package var token: String
    package var lifeSeconds: Int
}

/// The certificate of a hub's own authority, PEM.
package struct AuthorityView: Codable, Sendable, Hashable {
    package var certificate: String
}

package struct ClosedView: Codable, Sendable, Hashable {
    package var connections: Int
}

package struct RevokedView: Codable, Sendable, Hashable {
    package var agent: String
}
