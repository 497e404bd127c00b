internal import Synchronization
internal import WeirGates
internal import WeirWorld

extension Mesh {
    package var status: MeshStatus {
        let now = world.time.now
        return state.withLock { state in
            let ownership = state.ownership
            let peers = state.peers.map { name, peer in
                var status = MeshStatus.Peer(
                    name: name, address: ownership.peers[name]?.address ?? "", isUp: peer.link != nil,
                    since: peer.since, roundTrip: peer.link?.roundTrip, streams: peer.link?.streams ?? 0)
                status.failure = peer.failure
                return status
            }.sorted { $0.name < $1.name }
            let owners = ownership.view.agents.keys.sorted().compactMap { agent -> AgentOwner? in
                guard let owner = ownership.view.owner(of: agent) else { return nil }
                return AgentOwner(
                    agent: agent, hub: owner.hub, epoch: owner.number, connectors: owner.connectors.sorted(),
                    isHere: owner.hub == settings.ownership.hub)
            }
            var figures = state.figures
            figures.bytes = bytes.value
            var status = MeshStatus(
                mode: settings.mode.rawValue, hub: settings.ownership.hub, isLeased: ownership.isLeased(at: now),
                peers: peers, owners: owners)
            status.figures = figures
            status.troubles = troubles(state, peers)
            return status
        }
    }

    private func troubles(_ state: State, _ peers: [MeshStatus.Peer]) -> [TunnelTrouble] {
        var troubles: [TunnelTrouble] = []
        if state.ownership.isNameTaken {
            troubles.append(
                TunnelTrouble(
                    code: "name_taken", sentence: "Another hub calls itself `\(settings.ownership.hub)`.",
                    advice: "Give each hub its own `tunnel.name`. After a crash it passes by itself within "
                        + "\(settings.ownership.lease.shortText)."))
        } else if !state.ownership.isLeased(at: world.time.now) {
            let reason = state.ownership.failure.map { " " + $0 } ?? ""
            troubles.append(
                TunnelTrouble(
                    code: "registry_down",
                    sentence: "The registry has not answered for a lease; agents of other hubs are not reached."
                        + reason,
                    advice: "Agents of this hub go on, and so do open connections. Look at the server at "
                        + "`tunnel.mesh.registry`.",
                    since: state.failingSince))
        }
        if let failure = state.bookFailure {
            troubles.append(
                TunnelTrouble(
                    code: failure.code == "registry_down" ? "book_behind" : failure.code,
                    sentence: "What hubs know of agents is not shared: \(failure.message)",
                    advice: failure.help ?? "It is tried again each second. Until then agents that enrolled here are "
                        + "not known elsewhere, and one that was revoked here is not revoked there."))
        }
        for peer in peers where !peer.isUp {
            troubles.append(
                TunnelTrouble(
                    code: "mesh_down",
                    sentence: "There is no link to hub `\(peer.name)` at \(peer.address)"
                        + (peer.failure.map { ": \($0)." } ?? "."),
                    advice: "Its agents are not reached from here. Look whether it runs, and whether its "
                        + "`tunnel.mesh.advertise` leads to it from this machine.",
                    since: peer.since))
        }
        return troubles
    }
}
