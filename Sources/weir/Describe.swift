import ArgumentParser
import FoundationEssentials
import WeirConsole

struct Describe: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show all that is known of one gate, source, destination, connector, tunnel, rule, identity …",
        discussion: """
            EXAMPLES:
              weir describe gate siem
              weir describe destination siem
              weir describe connector kev
              weir describe tunnel addomain
              weir describe agent site-01
              weir describe identity "Anna Meier"
              weir describe rule offboard
              weir describe sync 84a353b48baca38ba998e1fe2e27f117
            """)

    @Argument(
        help: """
            gate, source, destination, route, queue, connector, tunnel, agent, silo, rule, sync, review or identity.
            """)
    var kind: String

    @Argument(help: "Its name; a connector's may be its id.")
    var name: String

    @Option(name: .shortAndLong, help: "table, json, jsonl or yaml.")
    var output = OutputFormat.table

    @OptionGroup var embedded: EmbeddedOptions
    @OptionGroup var node: NodeOptions

    func validate() throws { _ = try Kind(named: kind) }

    func run() async throws {
        let kind = try Kind(named: kind)
        try await Embedded.client(embedded.config, node) { client in
            let tree = try await describe(kind, client)
            let out = Terminal.out
            guard output == .table else {
                if let text = output.text(tree) { out.line(text) }
                return
            }
            if kind == .gates {
                let view = try await client.get(GateView.self, "\(kind.path)/\(PathSegment.encode(name))")
                for line in Listing.why(WhyText(view), hasColours: out.hasColours) { out.line(line) }
                out.line("")
            }
            if kind == .tunnels {
                let view = try JSONText.decode(TunnelView.self, from: Data(tree.json.utf8))
                for line in Listing.why(Listing.why(view), hasColours: out.hasColours) { out.line(line) }
                out.line("")
                out.table(Listing.connections(view.open ?? []))
                return
            }
            if kind == .identities {
                let view = try JSONText.decode(IdentityAPI.Identity.self, from: Data(tree.json.utf8))
                for line in Listing.identity(view) { out.line(line) }
                return
            }
            if kind == .rules {
                let why = Listing.why(try JSONText.decode(IdentityAPI.Rule.self, from: Data(tree.json.utf8)))
                for line in Listing.why(why, hasColours: out.hasColours) { out.line(line) }
                out.line("")
            }
            if kind == .syncs {
                let sync = try JSONText.decode(IdentityAPI.Sync.self, from: Data(tree.json.utf8))
                return try await describe(sync, client)
            }
            if kind == .connectors {
                let view = try JSONText.decode(ConnectorView.self, from: Data(tree.json.utf8))
                for line in ConnectorDescription(view).lines(width: out.size?.columns, hasColours: out.hasColours) {
                    out.line(line)
                }
                return
            }
            // Every field, under its name in the API. YAML escapes controls, so a name cannot play tricks on a
            // terminal.
            out.line(tree.yaml)
        }
    }

    private func describe(_ sync: IdentityAPI.Sync, _ client: APIClient) async throws {
        let rows = try await SyncCall.triggers(sync.id, rule: nil, most: 200, client)
        let rules = try await client.get([IdentityAPI.Rule].self, "/api/v1/rules")
        let end = sync.ended.map { "ended \($0)" } ?? "has not ended"
        Terminal.out.line("\(sync.kind) \(sync.mode) \(sync.id), began \(sync.began), \(end)")
        Terminal.out.line("")
        SyncCall.print(SyncText(sync: sync, rows: rows, rules: rules), again: embedded.again)
    }

    private func describe(_ kind: Kind, _ client: APIClient) async throws -> Tree {
        switch kind {
        case .gates, .connectors, .tunnels, .agents, .rules, .syncs, .identities:
            return try await client.tree("\(kind.path)/\(PathSegment.encode(name))")
        case .sources, .destinations, .routes, .queues, .silos, .reviews: return try await find(kind, client)
        }
    }

    private func find(_ kind: Kind, _ client: APIClient) async throws -> Tree {
        guard case .list(let elements) = try await client.tree(kind.path) else {
            throw Unknown.failure(kind.singular, name, [])
        }
        guard let found = elements.first(where: { $0[key: kind.key]?.text == name }) else {
            throw Unknown.failure(kind.singular, name, elements.compactMap { $0[key: kind.key]?.text })
        }
        return found
    }
}
