import ArgumentParser
import WeirNode
import WeirStore
import WeirWorld

extension QueueCommand {
    struct Verify: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Read and check every byte.",
            discussion: """
                EXAMPLES:
                  weir queue verify
                  weir queue verify siem        exit code 3 when something is damaged
                """)
        @Argument(help: "Name of the destination; all when absent.") var name: String?
        @OptionGroup var options: Options

        func run() throws {
            if let name { try options.check(name) }
            let entries = try options.shelf.entries(name, readsAll: true)
            Terminal.out.table(QueueCommand.table(entries, now: LiveTime().wall))
            let damaged = entries.filter { !$0.survey.isSound }
            for entry in damaged {
                for damage in entry.survey.damages {
                    let events = damage.events.map { "\($0) events" } ?? "an unknown number of events"
                    Terminal.out.line(
                        "\(entry.name): \(events) cannot be read in \(damage.segment), offsets \(damage.offsets)")
                }
                for file in entry.survey.unusableFiles {
                    Terminal.out.line("\(entry.name): \(file) is no segment of a queue")
                }
                if entry.survey.tornBytes > 0 {
                    Terminal.out.line(
                        "\(entry.name): \(entry.survey.tornBytes) bytes at the end were never finished (not "
                            + "acknowledged)"
                    )
                }
            }
            if !damaged.isEmpty {
                Terminal.out.line(
                    "`weir queue repair NAME` puts the damage aside; a node that starts does the same by itself.")
                throw ExitCode.held
            }
        }
    }
}
