package import WeirWorld

/// Which hub of a mesh has an agent: `site-01 at hub-b, epoch 7`.
package struct AgentOwner: Sendable, Hashable {
    package var agent: String
    package var hub: String
    package var epoch: UInt64
    package var connectors: [String]
    /// It is this very hub.
    package var isHere: Bool

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

    package var owned: Int { owners.count { $0.isHere } }
}
