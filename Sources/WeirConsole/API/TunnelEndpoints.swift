import FoundationEssentials
import HTTPTypes
import Hummingbird
import WeirNode
import WeirTunnel
import WeirWorld

/// The rows of the API about the tunnel: its connectors, agents and open connections.
struct TunnelEndpoints: Sendable {
    /// Open connections in the answer for one connector.
    static let connectionsMost = 100
    /// Until a token must be used.
    static let lifeStandard = 3_600
    static let lifeMost = 7 * 86_400

    let node: any NodeAccess

    var all: [Endpoint] { [list, one, probe, close, agents, agent, token, authority, revoke, mesh] }

    // MARK: Looking

    private var list: Endpoint {
        Endpoint(
            method: .get, path: "/api/v1/tunnels", operation: "list_tunnels",
            summary: "Connectors of the tunnel: who serves each, what is open, what is held.",
            answer: .json(Schema([TunnelView].self))
        ) { _, _ in try Answer.json((node.tunnel?.tunnels ?? []).map(TunnelView.init)) }
    }

    private var one: Endpoint {
        Endpoint(
            method: .get, path: "/api/v1/tunnels/{connector}", operation: "get_tunnel",
            summary: "One connector of the tunnel with its open connections, longest waiting first.",
            answer: .json(Schema(TunnelView.self)), problems: [404]
        ) { _, context in
            let status = try tunnel(try APIEndpoints.name("connector", context))
            var view = TunnelView(status)
            view.open = node.tunnel?.connections(of: status.connector, limit: Self.connectionsMost)?
                .map(ConnectionView.init)
            return try Answer.json(view)
        }
    }

    func tunnel(_ name: String) throws(APIProblem) -> TunnelStatus {
        let all = node.tunnel?.tunnels ?? []
        guard let found = all.first(where: { $0.connector == name }) else {
            throw APIProblem.unknown("tunnel", name, known: all.map(\.connector))
        }
        return found
    }

    private var mesh: Endpoint {
        Endpoint(
            method: .get, path: "/api/v1/mesh", operation: "get_mesh",
            summary: "The other hubs and who has which agent, as this hub sees it.",
            answer: .json(Schema(MeshView.self)), problems: [404]
        ) { _, _ in
            guard let mesh = node.tunnel?.mesh else {
                throw APIProblem(
                    404, "no_mesh", "This hub is alone.",
                    help: "`tunnel.mesh` in the configuration makes it one of several.")
            }
            return try Answer.json(MeshView(mesh))
        }
    }

    private var agents: Endpoint {
        Endpoint(
            method: .get, path: "/api/v1/agents", operation: "list_agents",
            summary: "Agents that are connected, and those that left within the past hour.",
            answer: .json(Schema([AgentView].self))
        ) { _, _ in try Answer.json((node.tunnel?.agents ?? []).map(AgentView.init)) }
    }

    private var agent: Endpoint {
        Endpoint(
            method: .get, path: "/api/v1/agents/{name}", operation: "get_agent",
            summary: "One agent, with the last ends of its links.", answer: .json(Schema(AgentView.self)),
            problems: [404]
        ) { _, context in
            let name = try APIEndpoints.name("name", context)
            let all = node.tunnel?.agents ?? []
            guard let found = all.first(where: { $0.name == name }) else {
                throw APIProblem.unknown("agent", name, known: all.map(\.name))
            }
            return try Answer.json(AgentView(found))
        }
    }

    // MARK: Doing

    private var probe: Endpoint {
        Endpoint(
            method: .post, path: "/api/v1/tunnels/{connector}/probe", operation: "probe_tunnel",
            summary:
                "Opens one connection as a client would, and says how long each hop takes. The target gets no byte.",
            answer: .json(Schema(ProbeView.self)), problems: [404]
        ) { _, context in
            let status = try tunnel(try APIEndpoints.name("connector", context))
            guard let probe = await node.tunnel?.probe(status.connector) else {
                throw APIProblem.unknown("tunnel", status.connector, known: [])
            }
            return try Answer.json(ProbeView(probe))
        }
    }

    private static let client = Endpoint.Query(
        name: "client", meaning: "only connections of this address, with or without its port", kind: .text)

    private var close: Endpoint {
        Endpoint(
            method: .post, path: "/api/v1/tunnels/{connector}/close", operation: "close_tunnel_connections",
            summary: "Resets open connections; both sides see a reset. Takes `{\"who\", \"why\"}` for the audit.",
            query: [Self.client], answer: .json(Schema(ClosedView.self)), problems: [400, 404]
        ) { request, context in
            let status = try tunnel(try APIEndpoints.name("connector", context))
            let note = try await OrderNote.read(request)
            let count = node.tunnel?.close(
                status.connector, client: try Endpoint.text(Self.client, of: request), by: Self.who(note))
            return try Answer.json(ClosedView(connections: count ?? 0))
        }
    }

    private static func who(_ note: OrderNote) -> String { note.who.map { "\($0) (api)" } ?? "api" }

    private static let connectors = Endpoint.Query(
        name: "connectors", meaning: "what the agent may serve, with commas", kind: .text)
    private static let life = Endpoint.Query(
        name: "life", meaning: "seconds until it must be used", range: 60...lifeMost, standard: lifeStandard)

    private var token: Endpoint {
        Endpoint(
            method: .post, path: "/api/v1/agents/{name}/token", operation: "create_agent_token",
            summary: "Makes a one-time token with which the agent enrols. It is shown once and kept as a hash.",
            query: [Self.connectors, Self.life], answer: .json(Schema(TokenView.self)), problems: [400, 409, 503]
        ) { request, context in
            let name = try APIEndpoints.name("name", context)
            let served = (try Endpoint.text(Self.connectors, of: request) ?? "").split(separator: ",").map(String.init)
            guard !served.isEmpty else {
                throw APIProblem(
                    400, "bad_parameter", "No connector was named.",
                    help: "connectors: \(Self.connectors.meaning), such as connectors=addomain")
            }
            let life = try Endpoint.value(Self.life, of: request)
            let note = try await OrderNote.read(request)
            let text = try await orProblem { () async throws(TunnelFailure) in
                try await node.tunnel?.token(
                    agent: name, connectors: served, life: .seconds(life), by: Self.who(note))
            }
            return try Answer.json(TokenView(agent: name, connectors: served, token: text, lifeSeconds: life))
        }
    }

    private var authority: Endpoint {
        Endpoint(
            method: .get, path: "/api/v1/authority", operation: "get_tunnel_authority",
            summary: "The certificate of the hub's own authority, PEM, for agents that show bearer tokens.",
            answer: .json(Schema(AuthorityView.self)), problems: [409]
        ) { _, _ in
            try Answer.json(
                AuthorityView(
                    certificate: try await orProblem { () async throws(TunnelFailure) in
                        try node.tunnel?.authority()
                    }))
        }
    }

    private var revoke: Endpoint {
        Endpoint(
            method: .post, path: "/api/v1/agents/{name}/revoke", operation: "revoke_agent",
            summary: "Refuses the agent's certificates from now on and closes its links. Takes `{\"who\", \"why\"}`.",
            answer: .json(Schema(RevokedView.self)), problems: [400, 404, 409, 503]
        ) { request, context in
            let name = try APIEndpoints.name("name", context)
            let note = try await OrderNote.read(request)
            let wasKnown = try await orProblem { () async throws(TunnelFailure) in
                try await node.tunnel?.revoke(agent: name, by: Self.who(note), reason: note.why ?? "")
            }
            guard wasKnown else {
                throw APIProblem.unknown("agent", name, known: node.tunnel?.agents.map(\.name) ?? [])
            }
            return try Answer.json(RevokedView(agent: name))
        }
    }

    private func orProblem<Value: Sendable>(
        _ body: () async throws(TunnelFailure) -> Value?
    ) async throws(APIProblem) -> Value {
        do throws(TunnelFailure) {
            guard let value = try await body() else {
                throw TunnelFailure(
                    "no_tunnel", "This node has no tunnel.", help: "Declare one under `tunnel` in the configuration.")
            }
            return value
        } catch {
            throw APIProblem(
                error.code == "storage" ? 503 : 409, error.code, error.message, help: error.help ?? "")
        }
    }
}
