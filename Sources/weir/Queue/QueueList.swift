import ArgumentParser
import WeirConsole
import WeirNode
import WeirStore
import WeirWorld

extension QueueCommand {
    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "ls", abstract: "List what is kept on disk.",
            discussion: """
                EXAMPLES:
                  weir queue ls
                  weir queue ls --data /var/lib/weir --json
                """)
        @OptionGroup var options: Options
        @Flag(help: "Print JSON.") var json = false

        func run() throws {
            // Every destination has a log of dead letters; one that never had any says nothing.
            let entries = try options.shelf.entries().filter { entry in
                if options.deadLetters && entry.part != .deadLetters { return false }
                return entry.part == .queue || entry.survey.events > 0 || !entry.survey.isSound
            }
            if json {
                let rows = entries.map { entry in
                    "{\"name\":\(Tree.string(entry.name).json),\"part\":\"\(entry.part.rawValue)\","
                        + "\"events\":\(entry.survey.events),"
                        + "\"bytes\":\(entry.survey.bytes),\"disk_bytes\":\(entry.survey.diskBytes),"
                        + "\"segments\":\(entry.survey.segments.count),\"sound\":\(entry.survey.isSound)}"
                }
                return Terminal.out.line("[\(rows.joined(separator: ","))]")
            }
            guard !entries.isEmpty else {
                return Terminal.out.line(
                    "Nothing is kept in \(options.data). A queue appears when a gate first writes to it; --data names "
                        + "another data directory.")
            }
            Terminal.out.table(QueueCommand.table(entries, now: LiveTime().wall))
        }
    }
}
