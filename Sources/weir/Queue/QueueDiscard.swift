import ArgumentParser
import WeirNode
import WeirStore

extension QueueCommand {
    struct Discard: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Delete a queue or dead letters with all that is in them.",
            discussion: """
                EXAMPLES:
                  weir queue discard old               says what it would delete
                  weir queue discard old --yes old
                """)
        @Argument(help: "Name of the destination.") var name: String
        @Option(help: "The name once more: what is deleted is gone.") var yes: String?
        @OptionGroup var options: Options

        func run() throws {
            try options.check(name)
            guard yes == name else {
                let events = try options.shelf.entries(name).filter { $0.part == options.part }.reduce(0) {
                    $0 + $1.survey.events
                }
                Terminal.error.line(
                    "weir: this deletes \(events) events. Say `--yes \(name)` when that is what you want.")
                throw ExitCode.usage
            }
            try options.shelf.discard(name, options.part)
            Terminal.out.line("\(name): deleted")
        }
    }
}
