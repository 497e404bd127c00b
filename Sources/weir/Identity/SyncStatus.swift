import ArgumentParser
import FoundationEssentials
import WeirConsole

struct SyncStatus: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status",
        abstract: "Show the sync that runs, the last one, what waits, and how fresh the silos are.",
        discussion: """
            Exits with 3 when something waits for a person: an action, or a scan that is parked.

            EXAMPLES:
              weir sync status
              weir sync status -o json | jq .running
            """)

    @Option(name: .shortAndLong, help: "table, json, jsonl or yaml.") var output = OutputFormat.table
    @OptionGroup var embedded: EmbeddedOptions
    @OptionGroup var node: NodeOptions

    func run() async throws {
        try await Embedded.client(embedded.config, node) { client in
            let (running, last) = (try await running(client), try await last(client))
            let reviews = try await client.get([IdentityAPI.Review].self, "/api/v1/reviews")
            let silos = try await client.get([IdentityAPI.Silo].self, "/api/v1/silos")
            if output == .table {
                let out = Terminal.out
                for line in SyncText.status(running: running, last: last, reviews: reviews, again: embedded.again) {
                    out.line(line)
                }
                out.line("")
                out.table(Listing.silos(silos))
            } else {
                var parts: [String: Tree] = [
                    "reviews": try Tree(Data(JSONText.encode(reviews).utf8)),
                    "silos": try Tree(Data(JSONText.encode(silos).utf8)),
                ]
                if let running { parts["running"] = try Tree(Data(JSONText.encode(running).utf8)) }
                if let last { parts["last"] = try Tree(Data(JSONText.encode(last).utf8)) }
                if let text = output.text(.object(parts)) { Terminal.out.line(text) }
            }
            let isParked = silos.contains { $0.scans.first?.status == "quarantined" }
            if isParked || !reviews.isEmpty { throw ExitCode.held }
        }
    }

    /// Nil where none runs.
    private func running(_ client: APIClient) async throws -> IdentityAPI.Progress? {
        do {
            return try await client.get(IdentityAPI.Progress.self, "/api/v1/syncs/running/progress")
        } catch let failure as APIClient.Failure where failure.code == "no_sync_runs" {
            return nil
        }
    }

    private func last(_ client: APIClient) async throws -> IdentityAPI.Sync? {
        try await client.get(IdentityAPI.SyncList.self, "/api/v1/syncs?limit=1").items.first
    }
}
