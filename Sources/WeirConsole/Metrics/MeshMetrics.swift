import WeirTunnel
import WeirWorld

/// What `/metrics` says of the mesh of hubs. Names of hubs come and go with them; all other series are there from the
/// start.
struct MeshMetrics {
    let mesh: MeshStatus

    func add(to out: inout Exposition) {
        out.family("weir_tunnel_mesh_registry_up", .gauge, "1: the registry has answered within a lease.") { samples in
            samples.add(mesh.isLeased ? 1 : 0)
        }
        out.family("weir_tunnel_mesh_beats_total", .counter, "Questions to the registry, by what became of them.") {
            samples in
            samples.add(mesh.figures.beats, ["result": "answered"])
            samples.add(mesh.figures.beatsFailed, ["result": "failed"])
        }
        out.family("weir_tunnel_mesh_degraded", .gauge, "1: something is wrong with the mesh; agents here go on.") {
            $0.add(mesh.troubles.isEmpty ? 0 : 1)
        }
        out.family("weir_tunnel_mesh_links", .gauge, "Links to other hubs, by state (up, down).") { samples in
            for peer in mesh.peers {
                samples.add(peer.isUp ? 1 : 0, ["peer": peer.name, "state": "up"])
                samples.add(peer.isUp ? 0 : 1, ["peer": peer.name, "state": "down"])
            }
        }
        out.family("weir_tunnel_mesh_link_ends_total", .counter, "Links to other hubs that ended, by reason.") {
            samples in
            for peer in mesh.peers {
                let none: [String: UInt64] = ["closed": 0, "dead_peer": 0, "drain": 0]
                let ends = none.merging(mesh.figures.ends[peer.name] ?? [:], uniquingKeysWith: +)
                for (reason, count) in ends.sorted(by: { $0.key < $1.key }) {
                    samples.add(count, ["peer": peer.name, "reason": reason])
                }
            }
        }
        out.family("weir_tunnel_mesh_rtt_seconds", .gauge, "Round trip to another hub, of the last pings.") { samples in
            for peer in mesh.peers {
                if let time = peer.roundTrip { samples.add(Double(time.nanoseconds) / 1e9, ["peer": peer.name]) }
            }
        }
        addOwnership(&out)
    }

    private func addOwnership(_ out: inout Exposition) {
        out.family("weir_tunnel_mesh_agents", .gauge, "Agents that hubs have, here and elsewhere.") { samples in
            samples.add(mesh.owned, ["place": "here"])
            samples.add(mesh.owners.count - mesh.owned, ["place": "elsewhere"])
        }
        out.family(
            "weir_tunnel_mesh_agents_lost_total", .counter, "Agents that another hub took while they had a link here."
        ) { $0.add(mesh.figures.lost) }
        out.family(
            "weir_tunnel_mesh_forwards_total", .counter,
            "Opens that went to other hubs (out) and came from them (in), by what became of them."
        ) { samples in
            for direction in MeshFigures.Direction.allCases {
                for result in MeshFigures.Result.allCases {
                    samples.add(
                        mesh.figures.forwards[direction]?[result] ?? 0,
                        ["direction": direction.rawValue, "result": result.rawValue])
                }
            }
        }
        out.family(
            "weir_tunnel_mesh_comparisons_total", .counter,
            "What the registry said of a client's agent, beside what was true here."
        ) { samples in
            for result in MeshFigures.Comparison.allCases {
                samples.add(mesh.figures.comparisons[result] ?? 0, ["result": result.rawValue])
            }
        }
        out.family(
            "weir_tunnel_mesh_bytes_total", .counter, "Carried for other hubs to agents of this one and back."
        ) { $0.add(mesh.figures.bytes) }
    }

    /// NowConnect's names, as far as there is such a thing here. Frames have no numbers to be told apart by, so none is
    /// dropped as a duplicate; a full link holds its senders, so none is dropped for that either.
    func addNowConnect(to out: inout Exposition) {
        out.family("nowconnect_mesh_links", .gauge, "Mesh links by peer and state.") { samples in
            for peer in mesh.peers {
                samples.add(peer.isUp ? 1 : 0, ["peer": peer.name, "state": "up"])
                samples.add(peer.isUp ? 0 : 1, ["peer": peer.name, "state": "down"])
            }
        }
        out.family("nowconnect_mesh_link_errors_total", .counter, "Mesh links that broke.") { samples in
            for peer in mesh.peers {
                let ends = mesh.figures.ends[peer.name] ?? [:]
                samples.add(ends.filter { $0.key != "drain" }.values.reduce(0, +), ["peer": peer.name])
            }
        }
        out.family("nowconnect_mesh_link_reconnects_total", .counter, "Mesh links that were dialled again.") {
            samples in
            for peer in mesh.peers {
                samples.add((mesh.figures.ends[peer.name] ?? [:]).values.reduce(0, +), ["peer": peer.name])
            }
        }
        out.family("nowconnect_owner_epoch_mismatch_total", .counter, "Opens that named a stale epoch.") {
            $0.add(mesh.figures.forwards[.in]?[.stale] ?? 0)
        }
    }
}
