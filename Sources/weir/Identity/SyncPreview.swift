import ArgumentParser
import WeirConsole

struct SyncPreview: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "preview",
        abstract: "Show what would change and what would be held. Nothing is written.",
        discussion: """
            Exits with 0 when there is nothing to change, with 2 when there is, held or not.

            EXAMPLES:
              weir sync preview
              weir sync preview --only hr:1017
              weir sync preview --rule titles --limit 20
              weir sync preview -o jsonl | jq -r 'select(.outcome == "suspended") | .label'
            """)

    @OptionGroup var choice: SyncChoice

    func run() async throws {
        try await Embedded.client(choice.embedded.config, choice.node) { client in
            let sync = try await SyncCall(choice: choice, mode: "preview").run(client)
            if sync.triggered > 0 { throw ExitCode(Outcome.differences.rawValue) }
        }
    }
}
