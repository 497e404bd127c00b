/// What is said of a mesh of hubs, the same on the page and in the terminal.
enum MeshText {
    static func state(_ mesh: MeshView) -> String { mesh.troubles.isEmpty ? "open" : "degraded" }

    static func link(_ peer: MeshView.PeerView) -> String { peer.linked ? "linked" : "no link" }

    static func roundTrip(_ peer: MeshView.PeerView) -> String {
        peer.roundTripSeconds.map { Figures.duration($0) } ?? "not measured yet"
    }

    static func agents(_ mesh: MeshView, at hub: String) -> String {
        let names = mesh.agents.filter { $0.hub == hub }.map(\.agent)
        return names.isEmpty ? "none" : names.joined(separator: ", ")
    }

    /// `3 same, 1 remote`; what never happened is left out.
    static func counts(_ counts: [String: UInt64]) -> String {
        let parts = counts.filter { $0.value > 0 }.sorted { $0.key < $1.key }.map { "\($0.value) \($0.key)" }
        return parts.isEmpty ? "none" : parts.joined(separator: ", ")
    }
}

extension Listing {
    /// What `weir why mesh` says.
    package static func why(_ mesh: MeshView) -> WhyText {
        var lines = [
            WhyText.Line("this hub", mesh.hub, note: mesh.mode),
            WhyText.Line("registry", mesh.registry ? "answers" : "has not answered for a lease"),
            WhyText.Line("agents here", MeshText.agents(mesh, at: mesh.hub), note: "weir get agents"),
        ]
        for peer in mesh.hubs {
            let roundTrip = peer.linked ? ", round trip \(MeshText.roundTrip(peer))" : ""
            lines.append(
                WhyText.Line(
                    "hub \(peer.name)",
                    "\(MeshText.link(peer)) since \(TunnelText.at(peer.since))\(roundTrip), "
                        + "agents: \(MeshText.agents(mesh, at: peer.name))", note: peer.address))
        }
        lines += [
            WhyText.Line("sent on", MeshText.counts(mesh.forwards["out"] ?? [:])),
            WhyText.Line("taken over", MeshText.counts(mesh.forwards["in"] ?? [:])),
            WhyText.Line("compared", MeshText.counts(mesh.comparisons)),
        ]
        for trouble in mesh.troubles {
            lines.append(WhyText.Line("trouble", trouble.sentence, note: trouble.runbook ?? trouble.code))
            if let since = trouble.since { lines.append(WhyText.Line("since", since)) }
            lines.append(WhyText.Line("what helps", trouble.advice))
        }
        if mesh.troubles.isEmpty { lines.append(WhyText.Line("trouble", "none")) }
        return WhyText(headline: "the mesh is \(MeshText.state(mesh))", lines: lines)
    }
}
