import ArgumentParser
import FoundationEssentials
import NIOCore
import WeirConsole
import WeirExpressions
import WeirNode
import WeirSettings
import WeirStore
import WeirWorld

/// `weir queue`: what is kept on disk, with or without a running node.
struct QueueCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "queue",
        abstract: "Look into queues and dead letters on disk; drain, replay, repair and export them.",
        discussion: """
            Most of it works on the data directory, also while a node runs; `repair` and `discard` want a queue that \
            no node uses. `drain` and `replay` ask a running node, because they send through its gates.

            EXAMPLES:
              weir queue ls
              weir queue peek siem --limit 5
              weir queue show siem 2 --dead-letters        one dead letter, whole
              weir queue export siem --dead-letters > refused.ndjson
              weir queue replay siem                       its dead letters once more
              weir queue drain old --to siem               what nobody owns, elsewhere
            """,
        subcommands: [
            List.self, Peek.self, Show.self, Drain.self, Replay.self, Verify.self, Repair.self, Export.self,
            Discard.self,
        ],
        defaultSubcommand: List.self)

    struct Options: ParsableArguments {
        @Option(help: "The node's data directory: what `data:` says in its configuration.")
        var data = "weir-data"

        @Flag(help: "The dead letters instead of the queue.")
        var deadLetters = false

        var shelf: QueueShelf { QueueShelf(data: data, files: LiveFileSystem()) }
        var part: QueueShelf.Part { deadLetters ? .deadLetters : .queue }

        /// For sentences.
        var what: String { deadLetters ? "log of dead letters" : "queue" }

        /// - Throws: an error that names the nearest name when there is no such log.
        func check(_ name: String) throws {
            let names = try shelf.names()
            guard names.contains(name), try !shelf.entries(name).filter({ $0.part == part }).isEmpty else {
                let nearest = Nearest.word(name, among: names.filter { $0 != name })
                Terminal.error.line(
                    "weir: there is no \(what) of '\(Printable.line(name))' in \(data)."
                        + (nearest.map { " Did you mean '\($0)'?" } ?? " `weir queue ls` lists what is there."))
                throw ExitCode.failed
            }
        }
    }

    static func table(_ entries: [QueueShelf.Entry], now: WallTime) -> TextTable {
        var table = TextTable(["destination", "log", "events", "size", "on disk", "segments", "oldest", "state"])
        for entry in entries {
            let survey = entry.survey
            table.add([
                TextTable.Cell(entry.name, .bold), TextTable.Cell(entry.part == .queue ? "queue" : "dead letters"),
                TextTable.Cell(Figures.count(survey.events)), TextTable.Cell(Figures.bytes(survey.bytes)),
                TextTable.Cell(Figures.bytes(survey.diskBytes)), TextTable.Cell(String(survey.segments.count)),
                TextTable.Cell(
                    survey.events > 0 ? survey.oldest.map { Figures.duration((now - $0).inSeconds) } ?? "" : ""),
                TextTable.Cell(survey.isSound ? "sound" : "damaged", survey.isSound ? .plain : .warning),
            ])
        }
        return table
    }
}
