package import WeirWorld

/// A connector as a hub sees it now: who serves it, what is open, what is held and why. Made from snapshots.
package struct TunnelStatus: Sendable {
    package var connector: String
    /// Where clients come in: `127.0.0.1:1389`.
    package var listeners: [String]
    /// Names of the connected agents that serve it, ascending.
    package var agents: [String]
    /// Agents that serve it at other hubs of the mesh, by name.
    package var elsewhere: [AgentOwner] = []
    package var connections: Int
    /// Connections that wait, in either direction, for their receiver.
    package var blocked: Int
    /// Of the connection whose window is fullest: bytes that came from the agent and were not taken by its client.
    package var queued: Int
    /// What `queued` can be at the most until that client takes some, in bytes; without connections `queueDepth`.
    package var queueMost: Int
    /// What a connection's window may grow to, in bytes (`queue_depth_per_cid`).
    package var queueDepth: Int
    package var figures: ConnectorFigures
    /// Why its clients are refused or held now, most pressing first; empty when all is well.
    package var troubles: [TunnelTrouble]

    package init(
        connector: String, listeners: [String], agents: [String], connections: Int, blocked: Int, queued: Int,
        queueMost: Int, queueDepth: Int, figures: ConnectorFigures, troubles: [TunnelTrouble]
    ) {
        self.connector = connector
        self.listeners = listeners
        self.agents = agents
        self.connections = connections
        self.blocked = blocked
        self.queued = queued
        self.queueMost = queueMost
        self.queueDepth = queueDepth
        self.figures = figures
        self.troubles = troubles
    }

    /// Of the queue's limit, for its gate and the 75 % alert.
    package var queueRatio: Double { queueMost > 0 ? Double(queued) / Double(queueMost) : 0 }
}

/// One thing that is wrong with a tunnel, in words.
package struct TunnelTrouble: Sendable, Hashable {
    /// `no_agent`, `policy_error`, `dial_failed`, `slow_receiver`, `connection_limit`, `certificate_expires`, …
    package var code: String
    package var sentence: String
    /// What to do.
    package var advice: String
    package var since: WallTime?

    package init(code: String, sentence: String, advice: String, since: WallTime? = nil) {
        self.code = code
        self.sentence = sentence
        self.advice = advice
        self.since = since
    }
}

/// An agent as a hub sees it now, or saw it last within the past hour.
package struct AgentStatus: Sendable {
    package var name: String
    /// `nil` while it is away.
    package var version: String?
    package var connectors: [String]
    package var address: String?
    /// `certificate`, `mtls` or `jwt`.
    package var proof: String?
    package var connectedSince: WallTime?
    package var awaySince: WallTime?
    package var certificateExpiry: WallTime?
    /// When it will ask for the next one: at two thirds of the certificate's life.
    package var certificateRenewal: WallTime?
    package var links: Int
    package var streams: Int
    package var roundTrip: Duration?
    /// Granted to its streams, and what may be granted, in bytes.
    package var window: (granted: Int, most: Int)
    package var figures: AgentFigures
    /// Which hub of the mesh has it; `nil` for a hub alone, or when nobody has it.
    package var owner: AgentOwner?

    package init(name: String, figures: AgentFigures) {
        self.name = name
        self.figures = figures
        connectors = []
        links = 0
        streams = 0
        window = (0, 0)
    }
}

/// How long each hop of a connection takes, as `weir tunnel probe` prints it.
package struct TunnelProbe: Sendable {
    package struct Hop: Sendable {
        /// `policy`, `agent` (round trip), `dial`.
        package var name: String
        package var took: Duration?
        /// What came of it: `allow`, `site-01`, `connected`; or why it failed.
        package var outcome: String
        package var isWell: Bool

        package init(name: String, took: Duration?, outcome: String, isWell: Bool) {
            self.name = name
            self.took = took
            self.outcome = outcome
            self.isWell = isWell
        }
    }

    package var connector: String
    package var hops: [Hop]
    package var isWell: Bool { hops.allSatisfy(\.isWell) }

    package init(connector: String, hops: [Hop]) {
        self.connector = connector
        self.hops = hops
    }
}
