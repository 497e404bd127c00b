import Synchronization
internal import WeirWorld

/// How a client may reach an agent: a link of its own, or one to the hub that has it.
struct Way: Sendable {
    struct Name: Hashable {
        var agent: String
        var link: UInt64
    }

    var agent: String
    var link: LinkHandle
    var forward: Forward?

    var name: Name { Name(agent: agent, link: link.id) }
}

extension Hub {
    /// Ways to a connector, best first: agents of this hub before those of others.
    /// - Returns: also whether there would be more if all links between hubs stood.
    func ways(to connector: String) -> (ways: [Way], isCut: Bool) {
        let here = roster.links(for: connector, at: world.time.now).map { Way(agent: $0.agent, link: $0.link) }
        guard let mesh else { return (here, false) }
        let (routes, isCut) = mesh.routes(to: connector)
        let ids = Set(here.map(\.agent))
        let there = routes.filter { !ids.contains($0.agent) }
        return (here + there.map { Way(agent: $0.agent, link: $0.link, forward: $0.forward) }, isCut)
    }
}

extension Hub {
    /// A client of the connector would be forwarded to another hub.
    package func reachesElsewhere(_ connector: String) -> Bool { !(mesh?.routes(to: connector).routes.isEmpty ?? true) }
}

extension MeshFigures.Result {
    /// `nil` when the client has left meanwhile.
    init?(_ outcome: StreamOpening.Outcome) {
        switch outcome {
        case .opened: self = .opened
        case .refused(.staleOwner): self = .stale
        case .refused(.sessionLost), .refused(.draining): self = .noLink
        case .refused: self = .refused
        case .clientLeft: return nil
        }
    }
}
