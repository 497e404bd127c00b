import WeirNode
import WeirTunnel
import WeirWorld

/// What the page of the tunnel shows at one time.
struct TunnelListing: Sendable {
    let tunnels: [TunnelView]
    let agents: [AgentView]
    /// `nil` for a hub alone.
    let mesh: MeshView?
    let version: String

    init(_ node: any NodeAccess) {
        tunnels = (node.tunnel?.tunnels ?? []).map(TunnelView.init)
        agents = (node.tunnel?.agents ?? []).map(AgentView.init)
        mesh = node.tunnel?.mesh.map(MeshView.init)
        version = node.version
    }

    var agentFaces: [TunnelFace] { agents.map { TunnelFace($0, inMesh: mesh != nil) } }

    /// Changes when a row comes or goes.
    var structure: String {
        var print = StructurePrint()
        print.add(tunnels.map(\.connector) + ["agents"] + agents.map(\.name) + [version])
        // Rows of the mesh change rarely: the page is made anew for them.
        if let mesh {
            print.add(mesh.hubs.map { "\($0.name) \(MeshText.link($0))" } + mesh.agents.map(\.place))
            print.add(mesh.troubles.map(\.code))
        }
        return print.text
    }

    var tiles: [Tiles.Tile] {
        let wait = tunnels.reduce(0) { $0 + $1.blocked }
        return [
            Tiles.Tile(key: "tunnels", label: "Tunnels", value: "\(tunnels.count)"),
            Tiles.Tile(
                key: "agents", label: "Agents connected",
                value: "\(agents.filter(\.connected).count) of \(agents.count)"),
            Tiles.Tile(key: "open", label: "Open", value: "\(tunnels.reduce(0) { $0 + $1.connections })"),
            Tiles.Tile(key: "wait", label: "Wait for their receiver", value: "\(wait)"),
            Tiles.Tile(
                key: "carried", label: "Carried since start",
                value: Figures.bytes(
                    Int64(clamping: tunnels.reduce(UInt64(0)) { $0 &+ $1.bytesToTarget &+ $1.bytesToClient }))),
        ]
    }
}

/// The tunnel: each connector with its pressure, each agent with its health.
struct TunnelsPage: Sendable {
    let seen: TunnelListing

    var markup: Markup {
        Frame(title: "Tunnels", structure: seen.structure, place: .tunnels, live: "/live/tunnels").markup {
            tag("h1") { "Tunnels" }
            if seen.tunnels.isEmpty {
                absence
            } else {
                Tiles.markup(seen.tiles)
                for view in seen.tunnels {
                    for trouble in view.troubles {
                        tag("div", ["class": "warning"]) {
                            "\(view.connector): \(trouble.sentence) \(trouble.advice)"
                            if let page = trouble.runbook {
                                tag("br")
                                "What to do: "
                                tag("code") { page }
                            }
                        }
                    }
                }
                tag("section", ["class": "panel", "aria-label": "Tunnels"]) {
                    table(TunnelFace.tunnelColumns, seen.tunnels.map(TunnelFace.init), "t")
                }
                tag("section", ["class": "panel", "aria-labelledby": "figures"]) {
                    tag("h2", ["id": "figures"]) { "Latency, ends, decisions" }
                    Self.figures(seen.tunnels.map(TunnelFace.init))
                }
                tag("section", ["class": "panel", "aria-labelledby": "agents", "tabindex": "0"]) {
                    tag("h2", ["id": "agents"]) { "Agents" }
                    if seen.agents.isEmpty {
                        tag("p") { "None has come yet. A token lets one enrol, once:" }
                        tag("pre", ["tabindex": "0", "aria-label": "Commands for an agent"]) {
                            Self.commands(seen.tunnels.first?.connector ?? "addomain")
                        }
                    } else {
                        table(TunnelFace.agentColumns(inMesh: seen.mesh != nil), seen.agentFaces, "a")
                    }
                }
                if let mesh = seen.mesh { MeshPanel(mesh: mesh).markup }
            }
        }
    }

    private var absence: Markup {
        tag("section", ["class": "panel empty", "aria-labelledby": "empty"]) {
            tag("h2", ["id": "empty"]) { "No tunnel yet" }
            tag("p") {
                "A system behind a firewall is reached through an agent that dials out to this hub. It needs a few "
                    + "lines in weir.yaml, then "
                tag("code") { "weir check weir.yaml" }
                " and a start of Weir:"
            }
            tag("pre", ["tabindex": "0", "aria-label": "A hub in YAML"]) { Self.yaml }
            tag("p") { "and on the other side, with a token made here:" }
            tag("pre", ["tabindex": "0", "aria-label": "Commands for an agent"]) { Self.commands("addomain") }
            tag("p") { "The guide docs/guides/tunnel.md says more." }
        }
    }

    static let yaml = """
        tunnel:
          listen: 127.0.0.1:8765
          connectors:
            addomain: { listen: 127.0.0.1:1389 }
        """

    static func commands(_ connector: String) -> String {
        """
        weir tunnel token --agent site-01 --connector \(connector) > token
        weir agent --hub wss://127.0.0.1:8765/tunnel --token-file token --serve \(connector)=127.0.0.1:389
        """
    }

    private func table(_ columns: [String], _ faces: [TunnelFace], _ kind: String) -> Markup {
        Self.frame(columns) {
            for face in faces {
                tag("tr", ["role": "row"]) {
                    tag("th", ["scope": "row", "role": "rowheader"]) {
                        face.id
                        tag("span", ["class": "shown trouble", "id": "\(kind)trouble:\(face.id)"]) { face.trouble }
                    }
                    tag("td", ["role": "cell"]) { Icon.chip(face.state, id: "\(kind)/\(face.id)") }
                    Self.row(face.cells, of: face.id)
                }
            }
        }
    }

    private static func figures(_ faces: [TunnelFace]) -> Markup {
        frame(TunnelFace.figureColumns) {
            for face in faces {
                tag("tr", ["role": "row"]) {
                    tag("th", ["scope": "row", "role": "rowheader"]) { face.id }
                    row(face.more, of: face.id)
                }
            }
        }
    }

    private static func frame(_ columns: [String], @MarkupBuilder rows: () -> Markup) -> Markup {
        tag("table", ["role": "table", "class": "stack"]) {
            tag("thead", ["role": "rowgroup"]) {
                tag("tr", ["role": "row"]) {
                    for name in columns { tag("th", ["scope": "col", "role": "columnheader"]) { name } }
                }
            }
            tag("tbody", ["role": "rowgroup"]) { rows() }
        }
    }

    @MarkupBuilder private static func row(_ cells: [FaceCell], of id: String) -> Markup {
        for cell in cells {
            tag("td", ["role": "cell", "data-label": cell.label]) {
                tag("span", ["class": cell.tone, "id": "\(cell.key):\(id)"]) { cell.text }
            }
        }
    }
}
