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
            """)

    @Argument(help: "The gate; its name is that of its destination.")
    var gate: String

    @Option(name: .shortAndLong, help: "table, json, jsonl or yaml.")
    var output = OutputFormat.table

    @OptionGroup var node: NodeOptions

    func run() async throws {
        try await node.withClient { client in
            let path = "/api/v1/gates/\(PathSegment.encode(gate))"
            if output == .table {
                let view = try await client.get(GateView.self, path)
                let out = Terminal.out
                for line in Listing.why(WhyText(view), hasColours: out.hasColours) { out.line(line) }
            } else if let text = output.text(try await client.tree(path)) {
                Terminal.out.line(text)
            }
        }
    }
}
