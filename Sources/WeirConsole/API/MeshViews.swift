import WeirTunnel
import WeirWorld

/// Which hub has an agent, and under what number.
package struct OwnerView: Codable, Sendable, Hashable {
    package var agent: String
    package var hub: String
    package var epoch: UInt64
    /// It is the hub that answers.
    package var here: Bool

    init(_ owner: AgentOwner) {
        agent = owner.agent
        hub = owner.hub
        epoch = owner.epoch
        here = owner.isHere
    }

    var place: String { "at \(hub), epoch \(epoch)" }
}

/// The mesh of hubs as one of them sees it.
package struct MeshView: Codable, Sendable, Hashable {
    package var hub: String
    /// `shadow` or `active`.
    package var mode: String
    /// The registry has answered within a lease.
    package var registry: Bool
    package var hubs: [PeerView]
    package var agents: [OwnerView]
    /// Opens that went to other hubs (`out`) and came from them (`in`), by what became of them.
    package var forwards: [String: [String: UInt64]]
    /// What the registry said of agents beside what was true here, looked at with each client.
    package var comparisons: [String: UInt64]
    package var troubles: [TunnelTroubleView]

    package struct PeerView: Codable, Sendable, Hashable {
        package var name: String
        package var address: String
        package var linked: Bool
        package var since: String
        package var roundTripSeconds: Double?
        package var streams: Int
        /// Why there is no link.
        package var failure: String?
    }

    init(_ status: MeshStatus) {
        hub = status.hub
        mode = status.mode
        registry = status.isLeased
        hubs = status.peers.map { peer in
            PeerView(
                name: peer.name, address: peer.address, linked: peer.isUp, since: peer.since.description,
                roundTripSeconds: peer.roundTrip.map { Double($0.nanoseconds) / 1e9 }, streams: peer.streams,
                failure: peer.failure)
        }
        agents = status.owners.map(OwnerView.init)
        forwards = Dictionary(
            MeshFigures.Direction.allCases.map { direction in
                let counts = MeshFigures.Result.allCases.map {
                    ($0.rawValue, status.figures.forwards[direction]?[$0] ?? 0)
                }
                return (direction.rawValue, Dictionary(counts, uniquingKeysWith: { first, _ in first }))
            }, uniquingKeysWith: { first, _ in first })
        comparisons = Dictionary(
            MeshFigures.Comparison.allCases.map { ($0.rawValue, status.figures.comparisons[$0] ?? 0) },
            uniquingKeysWith: { first, _ in first })
        troubles = status.troubles.map(TunnelTroubleView.init)
    }
}
