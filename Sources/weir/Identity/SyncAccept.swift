import ArgumentParser
import FoundationEssentials
import WeirConsole

struct SyncAccept: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "accept",
        abstract: "Say that a parked scan is right: what it did not find is gone.",
        discussion: """
            Nothing is deleted by it: rules see the next sync's graph without those objects, and their catches stand
            before whatever follows.

            EXAMPLES:
              weir get silos
              weir sync accept 7f3a --reason "the branch was sold"
            """)

    @Argument(help: "The scan, as `weir sync scan` and `weir get silos -o json` show it.") var scan: String
    @Option(
        name: [.long, .customLong("why")], help: ArgumentHelp("Why, for the audit.", valueName: "text")) var reason = ""
    @Flag(help: "Do not ask.") var yes = false
    @OptionGroup var embedded: EmbeddedOptions
    @OptionGroup var node: NodeOptions

    func run() async throws {
        try await Embedded.client(embedded.config, node) { client in
            let deed = "This takes what the scan \(Printable.line(scan)) did not find for gone"
            if !yes { try Confirmation.ask(deed, needsYes: true) }
            let done = try await client.post(
                IdentityAPI.Decided.self, "/api/v1/scans/\(PathSegment.encode(scan))/accept",
                body: AuditNote.body(why: reason))
            Terminal.out.line(Printable.line(done.text))
        }
    }
}
