import ArgumentParser
import WeirConsole

/// Which connectors `weir get connectors` lists, and in what order.
struct ConnectorChoice: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Connectors only: those in this state, `held` (nothing starts) or `trouble`.", valueName: "state"))
    var state: String?

    @Option(help: ArgumentHelp("Connectors only: part of the name or the id.", valueName: "text"))
    var search: String?

    @Option(help: ArgumentHelp("Connectors only: name, state, last_run, next_run or size.", valueName: "order"))
    var sort: String?

    @Option(help: ArgumentHelp("Connectors only: list as many at the most; all unless given.", valueName: "number"))
    var limit: Int?

    var isGiven: Bool { state != nil || search != nil || sort != nil || limit != nil }

    func validate() throws {
        if let limit, limit < 1 { throw ValidationError("--limit is at least 1.") }
    }

    /// Asks for one page after the other.
    func fetch(_ client: APIClient) async throws -> (connectors: [Tree], list: ConnectorTotals) {
        var found: [Tree] = []
        var after: String?
        while true {
            var parts = ["limit=\(min(1_000, limit.map { $0 - found.count } ?? 1_000))"]
            for (name, value) in [("state", state), ("q", search), ("sort", sort), ("after", after)] {
                if let value { parts.append("\(name)=\(PathSegment.encode(value))") }
            }
            let page = try await client.tree(ConnectorPath.list + "?" + parts.joined(separator: "&"))
            guard case .list(let connectors)? = page[key: "connectors"] else { throw client.foreign }
            found += connectors
            after = page[key: "next"]?.text
            if after == nil || limit.map({ found.count >= $0 }) == true {
                return (found, ConnectorTotals(page))
            }
        }
    }
}

struct ConnectorTotals: Sendable {
    var total = 0
    var matching = 0

    init(_ page: Tree) {
        if case .integer(let total)? = page[key: "total"] { self.total = Int(clamping: total) }
        if case .integer(let matching)? = page[key: "matching"] { self.matching = Int(clamping: matching) }
    }
}
