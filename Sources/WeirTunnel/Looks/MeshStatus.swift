package import WeirWorld

/// Which hub of a mesh has an agent: `site-01 at hub-b, epoch 7`.
package struct AgentOwner: Sendable, Hashable {
    package var agent: String
    package var hub: String
    package var epoch: UInt64
    package var connectors: [String]
    /// It is this very hub.
    package var isHere: Bool

    package init(agent: String, hub: String, epoch: UInt64, connectors: [String], isHere: Bool) {
        self.agent = agent
        self.hub = hub
        self.epoch = epoch
        self.connectors = connectors
        self.isHere = isHere
    }

    package var place: String { "at \(hub), epoch \(epoch)" }
}

/// A hub's mesh as it sees it now. Made from snapshots.
package struct MeshStatus: Sendable {
    package struct Peer: Sendable {
        package var name: String
        package var address: String
        package var isUp: Bool
        /// Since when it is so.
        package var since: WallTime
        package var roundTrip: Duration?
        package var streams: Int
        /// Why there is no link.
        package var failure: String?

        package init(name: String, address: String, isUp: Bool, since: WallTime, roundTrip: Duration?, streams: Int) {
            self.name = name
            self.address = address
            self.isUp = isUp
            self.since = since
            self.roundTrip = roundTrip
            self.streams = streams
        }
    }

    /// `shadow` or `active`.
    package var mode: String
    package var hub: String
    /// The registry has answered within a lease.
    package var isLeased: Bool
    package var peers: [Peer]
    /// All agents that somebody has, by name.
    package var owners: [AgentOwner]
    package var figures: MeshFigures
    /// What is wrong: then this hub is degraded, and serves its own agents all the same.
    package var troubles: [TunnelTrouble]

    package init(mode: String, hub: String, isLeased: Bool, peers: [Peer], owners: [AgentOwner]) {
        self.mode = mode
        self.hub = hub
        self.isLeased = isLeased
        self.peers = peers
        self.owners = owners
        figures = MeshFigures()
        troubles = []
    }

    package var owned: Int { owners.count { $0.isHere } }
}
