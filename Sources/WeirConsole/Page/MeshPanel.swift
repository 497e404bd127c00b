/// The other hubs, on the page of the tunnel.
struct MeshPanel: Sendable {
    let mesh: MeshView

    var markup: Markup {
        tag("section", ["class": "panel", "aria-labelledby": "mesh"]) {
            tag("h2", ["id": "mesh"]) { "Mesh" }
            tag("p") {
                "This is \(mesh.hub), \(mesh.mode). The registry "
                    + (mesh.registry ? "answers." : "has not answered for a lease.")
            }
            for trouble in mesh.troubles {
                tag("div", ["class": "warning"]) { "\(trouble.sentence) \(trouble.advice)" }
            }
            if mesh.hubs.isEmpty {
                tag("p") { "No other hub has come yet." }
            } else {
                table
            }
        }
    }

    private static let columns = ["Hub", "Link", "Since", "Address", "Agents", "Round trip"]

    private var table: Markup {
        tag("table", ["role": "table", "class": "stack"]) {
            tag("thead", ["role": "rowgroup"]) {
                tag("tr", ["role": "row"]) {
                    for name in Self.columns { tag("th", ["scope": "col", "role": "columnheader"]) { name } }
                }
            }
            tag("tbody", ["role": "rowgroup"]) { for peer in mesh.hubs { row(peer) } }
        }
    }

    private func row(_ peer: MeshView.PeerView) -> Markup {
        let cells = [
            MeshText.link(peer), TunnelText.at(peer.since), peer.address, MeshText.agents(mesh, at: peer.name),
            peer.linked ? MeshText.roundTrip(peer) : "",
        ]
        return tag("tr", ["role": "row"]) {
            tag("th", ["scope": "row", "role": "rowheader"]) { peer.name }
            for (label, text) in zip(Self.columns.dropFirst(), cells) {
                tag("td", ["role": "cell", "data-label": label]) { text }
            }
        }
    }
}
