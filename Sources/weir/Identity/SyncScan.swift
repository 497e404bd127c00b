import ArgumentParser
import FoundationEssentials
import WeirConsole

struct SyncScan: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "scan",
        abstract: "Read silos without syncing.",
        discussion: """
            Exits with 3 when a scan is not complete, or is parked until a person says that it is right.

            EXAMPLES:
              weir sync scan             all silos
              weir sync scan hr --delta
            """)

    @Argument(help: "The silo; all without one.") var silo: String?
    @Flag(help: "Read what changed only, where the silo can say that.") var delta = false
    @Option(name: .shortAndLong, help: "table, json, jsonl or yaml.") var output = OutputFormat.table
    @OptionGroup var embedded: EmbeddedOptions
    @OptionGroup var node: NodeOptions

    func run() async throws {
        try await Embedded.client(embedded.config, node) { client in
            let whose = silo.map { "&silo=\(PathSegment.encode($0))" } ?? ""
            let tree = try await client.post(Tree.self, "/api/v1/scans?full=\(delta ? 0 : 1)\(whose)", minutes: 60)
            let scans = try JSONText.decode([IdentityAPI.Scan].self, from: Data(tree.json.utf8))
            if let text = output.text(tree) {
                Terminal.out.line(text)
            } else {
                Terminal.out.table(Listing.scans(scans))
                for line in SyncText.scans(scans, again: embedded.again) { Terminal.error.line(line) }
            }
            if scans.contains(where: { !["complete", "accepted"].contains($0.status) }) { throw ExitCode.held }
        }
    }
}
