import ArgumentParser
import WeirConsole

struct SyncRun: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run",
        abstract: "Carry out what passes; what trips a catch waits for a person.",
        discussion: """
            What was approved since the last sync is carried out too, if it is still the same change.
            Exits with 0 when all is done, with 3 when something waits for a person, with 1 when something failed.

            EXAMPLES:
              weir sync run
              weir sync run --delta
              weir sync run --only hr:1017
            """)

    @OptionGroup var choice: SyncChoice

    func run() async throws {
        try await Embedded.client(choice.embedded.config, choice.node) { client in
            let sync = try await SyncCall(choice: choice, mode: "commit").run(client)
            if sync.count("failed") > 0 { throw ExitCode.failed }
            if sync.count("suspended") > 0 { throw ExitCode.held }
        }
    }
}
