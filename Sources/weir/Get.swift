import ArgumentParser
import FoundationEssentials
import WeirConsole
import WeirSettings

/// What can be listed.
enum Kind: String, CaseIterable, Sendable {
    case gates, sources, destinations, routes, queues, connectors, tunnels, agents, silos, rules, syncs, reviews
    case identities

    var singular: String { self == .identities ? "identity" : String(rawValue.dropLast()) }

    /// - Throws: `ValidationError` that names the nearest kind.
    init(named name: String) throws {
        let found = Self.allCases.first { $0.rawValue == name || $0.singular == name }
        guard let found else {
            let all = Self.allCases.map(\.rawValue)
            let nearest = Nearest.word(name, among: all)
            throw ValidationError(
                "'\(Printable.line(name))' cannot be listed. "
                    + (nearest.map { "Did you mean '\($0)'?" } ?? "There are \(all.joined(separator: ", "))."))
        }
        self = found
    }

    /// What to say when there is none.
    var absence: String {
        switch self {
        case .gates: "No gates: every destination in the configuration makes one."
        case .sources: "No sources: no event comes in. Add one under `sources` in the configuration."
        case .destinations: "No destinations: events go nowhere. Add one under `destinations` in the configuration."
        case .routes: "No routes: a single destination, or `default`, takes everything."
        case .queues: "No queues: a destination has one with `on_backpressure: queue`."
        case .tunnels: "No tunnels: declare connectors under `tunnel` in the configuration."
        case .agents: "No agents: `weir tunnel token` makes a token with which one enrols."
        case .connectors: "No connectors: declare one under `connectors`, or open the door with `opencti`."
        case .silos: "No silos: declare one under `identity.silos` in the configuration."
        case .rules: "No rules: declare one under `identity.rules` in the configuration."
        case .syncs: "No syncs yet: `weir sync preview` shows what one would do."
        case .reviews: "Nothing waits for a decision."
        case .identities: "No identities: silos have not been read yet, or nothing fits."
        }
    }

    var path: String { "/api/v1/\(rawValue)" }

    /// By which its elements are named.
    var key: String {
        switch self {
        case .gates: "id"
        case .tunnels: "connector"
        case .syncs, .identities: "id"
        case .reviews: "rule"
        default: "name"
        }
    }
}

struct Get: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "List gates, sources, destinations, connectors, tunnels, rules, reviews … of a running node.",
        discussion: """
            EXAMPLES:
              weir get gates                    most pressed first
              weir get gates siem relay         only these
              weir get destinations -o json     the API's own document
              weir get queues -o jsonl | jq .queue.bytes
              weir get connectors --state trouble
              weir get connectors --search cisa --sort size --limit 20
              weir get connectors --watch       again every 2 s, until Ctrl-C
              weir get tunnels                  connections to systems behind a firewall
              weir get agents
              weir get reviews                  what waits for a decision
              weir get identities meier         whose label or key has this
              weir get reviews --config weir.yaml   without a server
            """)

    @Argument(
        help: """
            gates, sources, destinations, routes, queues, connectors, tunnels, agents, silos, rules, syncs, reviews \
            or identities.
            """)
    var kind: String

    @Argument(help: "Only these names.")
    var names: [String] = []

    @Option(name: .shortAndLong, help: "table, json, jsonl or yaml.")
    var output = OutputFormat.table

    @Flag(help: "List them again every 2 s, until Ctrl-C.")
    var watch = false

    @OptionGroup var choice: ConnectorChoice

    @OptionGroup var embedded: EmbeddedOptions
    @OptionGroup var node: NodeOptions

    func validate() throws {
        let kind = try Kind(named: kind)
        guard choice.isGiven, kind != .connectors || !names.isEmpty else { return }
        throw ValidationError(
            kind == .connectors
                ? "Names and a choice (--state, --search, --sort, --limit) do not go together."
                : "--state, --search, --sort and --limit are for connectors.")
    }

    func run() async throws {
        let kind = try Kind(named: kind)
        try await Embedded.client(embedded.config, node) { client in
            let out = Terminal.out
            while true {
                if watch, out.isTerminal { out.write("\u{1B}[H\u{1B}[J") }
                try await list(kind, client)
                guard watch else { return }
                try await Task.sleep(for: .seconds(2))
                if !out.isTerminal, output == .table { out.line("") }
            }
        }
    }

    private func list(_ kind: Kind, _ client: APIClient) async throws {
        let chosen: Tree
        var remark: String?
        if kind == .connectors {
            (chosen, remark) = try await connectors(client)
        } else if kind == .identities || kind == .syncs {
            (chosen, remark) = try await page(kind, client)
        } else {
            chosen = try choose(try await client.tree(kind.path), kind)
        }
        if let text = output.text(chosen) {
            if !text.isEmpty { Terminal.out.line(text) }
        } else if let remark, case .list(let elements) = chosen, elements.isEmpty {
            Terminal.error.line(remark)
        } else {
            try table(kind, chosen)
            if let remark, Terminal.out.isTerminal { Terminal.error.line(remark) }
        }
    }

    /// - Returns: also what to say of those that are not listed.
    private func connectors(_ client: APIClient) async throws -> (Tree, remark: String?) {
        if !names.isEmpty {
            var found: [Tree] = []
            for name in names { found.append(try await client.tree(ConnectorPath.of(name))) }
            return (.list(found), nil)
        }
        let (found, totals) = try await choice.fetch(client)
        guard found.count < totals.total else { return (.list(found), nil) }
        let matching = found.count < totals.matching ? " \(totals.matching) fit." : ""
        return (.list(found), "\(found.count) of \(totals.total) connectors.\(matching)")
    }

    /// The first page of a list that may be very long; words choose among identities.
    private func page(_ kind: Kind, _ client: APIClient) async throws -> (Tree, remark: String?) {
        let words =
            kind == .identities && !names.isEmpty ? "&q=\(PathSegment.encode(names.joined(separator: " ")))" : ""
        let answer = try await client.tree("\(kind.path)?limit=200\(words)")
        guard case .list(let items)? = answer[key: "items"] else { throw client.foreign }
        if case .integer(let total)? = answer[key: "total"], Int(total) > items.count {
            return (.list(items), "\(items.count) of \(total).")
        }
        return (kind == .syncs ? try choose(.list(items), kind) : .list(items), nil)
    }

    private func choose(_ all: Tree, _ kind: Kind) throws -> Tree {
        guard !names.isEmpty, case .list(let elements) = all else { return all }
        let known = elements.compactMap { $0[key: kind.key]?.text }
        for name in names where !known.contains(name) { throw Unknown.failure(kind.singular, name, known) }
        return .list(elements.filter { $0[key: kind.key]?.text.map { names.contains($0) } == true })
    }

    private func table(_ kind: Kind, _ tree: Tree) throws {
        let data = Data(tree.json.utf8)
        let table =
            switch kind {
            case .gates:
                Listing.gates(try JSONText.decode([GateView].self, from: data), hasSigns: Terminal.out.hasSigns)
            case .sources: Listing.sources(try JSONText.decode([SourceView].self, from: data))
            case .destinations: Listing.destinations(try JSONText.decode([DestinationView].self, from: data))
            case .routes: Listing.routes(try JSONText.decode([RouteView].self, from: data))
            case .queues: Listing.queues(try JSONText.decode([StoredQueueView].self, from: data))
            case .tunnels: Listing.tunnels(try JSONText.decode([TunnelView].self, from: data))
            case .agents: Listing.agents(try JSONText.decode([AgentView].self, from: data))
            case .connectors: Listing.connectors(try JSONText.decode([ConnectorView].self, from: data))
            case .silos: Listing.silos(try JSONText.decode([IdentityAPI.Silo].self, from: data))
            case .rules: Listing.rules(try JSONText.decode([IdentityAPI.Rule].self, from: data))
            case .syncs: Listing.syncs(try JSONText.decode([IdentityAPI.Sync].self, from: data))
            case .reviews: Listing.reviews(try JSONText.decode([IdentityAPI.Review].self, from: data))
            case .identities: Listing.identities(try JSONText.decode([IdentityAPI.Summary].self, from: data))
            }
        if table.isEmpty {
            Terminal.error.line(kind.absence)
        } else {
            Terminal.out.table(table)
        }
    }
}

/// A name that does not exist, with the nearest one that does.
enum Unknown {
    static func failure(_ kind: String, _ name: String, _ known: [String]) -> APIClient.Failure {
        let nearest = Nearest.word(name, among: known).map { " Did you mean '\($0)'?" }
        let all =
            known.isEmpty ? " There are none." : " There are: \(known.sorted().prefix(20).joined(separator: ", "))."
        return APIClient.Failure(text: "there is no \(kind) named '\(name)'.\(nearest ?? all)", exit: .failed)
    }
}
