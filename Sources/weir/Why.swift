import ArgumentParser
import WeirConsole

struct Why: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Say why a gate is as it is, and what lets it go.",
        discussion: """
            Shows what was measured, the limit and the line that set it, since when, what reopens it, the forecast, \
            and what was not lost.

            EXAMPLES:
              weir why siem
              weir why siem -o json
              weir why kev                  a connector, by its name or id
              weir why tunnel/addomain      connections to a system behind a firewall
              weir why mesh                 the other hubs, and who has which agent
              weir why rule/offboard        what a rule of identity holds, and why
            """)

    @Argument(
        help: "The gate, which has the name of its destination; or a connector; or tunnel/CONNECTOR, mesh, rule/RULE.")
    var gate: String

    @Option(name: .shortAndLong, help: "table, json, jsonl or yaml.")
    var output = OutputFormat.table

    @OptionGroup var embedded: EmbeddedOptions
    @OptionGroup var node: NodeOptions

    func run() async throws {
        try await Embedded.client(embedded.config, node) { client in
            if gate == "mesh", try await mesh(client) { return }
            if gate.hasPrefix("rule/") { return try await rule(String(gate.dropFirst(5)), client) }
            if gate.hasPrefix("tunnel/") { return try await tunnel(String(gate.dropFirst(7)), client) }
            let path = "/api/v1/gates/\(PathSegment.encode(try await id(client)))"
            if output == .table {
                let view = try await client.get(GateView.self, path)
                let out = Terminal.out
                for line in Listing.why(WhyText(view), hasColours: out.hasColours) { out.line(line) }
            } else if let text = output.text(try await client.tree(path)) {
                Terminal.out.line(text)
            }
        }
    }

    /// - Returns: false when the hub is alone: then it may be a gate's name.
    private func mesh(_ client: APIClient) async throws -> Bool {
        let path = "/api/v1/mesh"
        do {
            if output == .table {
                let why = Listing.why(try await client.get(MeshView.self, path))
                let out = Terminal.out
                for line in Listing.why(why, hasColours: out.hasColours) { out.line(line) }
            } else if let text = output.text(try await client.tree(path)) {
                Terminal.out.line(text)
            }
            return true
        } catch let failure as APIClient.Failure where failure.code == "no_mesh" {
            return false
        }
    }

    private func rule(_ name: String, _ client: APIClient) async throws {
        let path = "/api/v1/rules/\(PathSegment.encode(name))"
        if output == .table {
            let why = Listing.why(try await client.get(IdentityAPI.Rule.self, path))
            let out = Terminal.out
            for line in Listing.why(why, hasColours: out.hasColours) { out.line(line) }
        } else if let text = output.text(try await client.tree(path)) {
            Terminal.out.line(text)
        }
    }

    private func tunnel(_ connector: String, _ client: APIClient) async throws {
        let path = "/api/v1/tunnels/\(PathSegment.encode(connector))"
        if output == .table {
            let why = Listing.why(try await client.get(TunnelView.self, path))
            let out = Terminal.out
            for line in Listing.why(why, hasColours: out.hasColours) { out.line(line) }
        } else if let text = output.text(try await client.tree(path)) {
            Terminal.out.line(text)
        }
    }

    /// A gate has this id, or a connector this name: then it is that connector's gate.
    private func id(_ client: APIClient) async throws -> String {
        do {
            return try await client.get(GateView.self, "/api/v1/gates/\(PathSegment.encode(gate))").id
        } catch let unknown as APIClient.Failure where unknown.exit == .failed {
            do {
                return "connector/" + (try await client.get(ConnectorView.self, ConnectorPath.of(gate)).id)
            } catch let failure as APIClient.Failure where failure.exit == .failed {
                // Several connectors with this name are worth being said; that there is none is not.
                throw failure.code == "ambiguous_name" ? failure : unknown
            }
        }
    }
}
