import ArgumentParser
import FoundationEssentials
import NIOCore
import WeirConsole
import WeirExpressions
import WeirNode
import WeirStore
import WeirWorld

/// `weir queue`: what is kept on disk, with or without a running node.
struct QueueCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "queue",
        abstract: "Look into queues and dead letters on disk; repair and export them.",
        discussion: """
            Works on the data directory, also while a node runs; `repair` and `discard` want it stopped.

            Examples:
              weir queue ls
              weir queue peek siem --limit 5
              weir queue verify
              weir queue export siem --dead-letters > refused.ndjson
              weir queue replay siem                 dead letters of a running node again through its gate
            """,
        subcommands: [List.self, Peek.self, Verify.self, Repair.self, Export.self, Discard.self, Replay.self],
        defaultSubcommand: List.self)

    struct Options: ParsableArguments {
        @Option(help: "The node's data directory.")
        var data = "weir-data"

        @Flag(help: "The dead letters instead of the queue.")
        var deadLetters = false

        var shelf: QueueShelf { QueueShelf(data: data, files: LiveFileSystem()) }
        var part: QueueShelf.Part { deadLetters ? .deadLetters : .queue }

        /// - Throws: an error that names the nearest name when there is no such log.
        func check(_ name: String) throws {
            let names = try shelf.names()
            guard names.contains(name), try !shelf.entries(name).filter({ $0.part == part }).isEmpty else {
                let nearest = Nearest.name(to: name, in: names.filter { $0 != name })
                let what = deadLetters ? "dead letters" : "queue"
                Terminal.error.line(
                    "weir: there is no \(what) of '\(Printable.line(name))' in \(data)."
                        + (nearest.map { " Did you mean '\($0)'?" } ?? " `weir queue ls` lists what is there."))
                throw ExitCode(1)
            }
        }
    }

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(commandName: "ls", abstract: "List what is kept on disk.")
        @OptionGroup var options: Options
        @Flag(help: "Print JSON.") var json = false

        func run() throws {
            let entries = try options.shelf.entries()
            if json {
                let rows = entries.map { entry in
                    "{\"name\":\(Value.string(entry.name).jsonText),\"part\":\"\(entry.part.rawValue)\","
                        + "\"events\":\(entry.survey.events),"
                        + "\"bytes\":\(entry.survey.bytes),\"disk_bytes\":\(entry.survey.diskBytes),"
                        + "\"segments\":\(entry.survey.segments.count),\"sound\":\(entry.survey.isSound)}"
                }
                return Terminal.out.line("[\(rows.joined(separator: ","))]")
            }
            guard !entries.isEmpty else {
                return Terminal.out.line(
                    "Nothing is kept in \(options.data). A queue appears when a gate first writes to it.")
            }
            Terminal.out.table(QueueCommand.table(entries, now: LiveTime().wall))
        }
    }

    struct Peek: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Show the oldest events, without taking them.")
        @Argument(help: "Name of the destination.") var name: String
        @Option(help: "How many.") var limit = 10
        @OptionGroup var options: Options

        func run() throws {
            try options.check(name)
            var shown = 0
            try options.shelf.events(name, options.part) { event in
                guard shown < limit else { return false }
                shown += 1
                Terminal.out.line("\(event.time) \(event.offset) \(Printable.line(String(buffer: event.content)))")
                return true
            }
        }
    }

    struct Verify: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Read and check every byte.")
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
                throw ExitCode(3)
            }
        }
    }

    struct Repair: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Put damage aside, so that it is met only once.")
        @Argument(help: "Name of the destination.") var name: String
        @OptionGroup var options: Options

        func run() throws {
            try options.check(name)
            let report = try options.shelf.repair(name, options.part)
            let lost = report.damages.reduce(0) { $0 + ($1.events ?? 0) }
            Terminal.out.line(
                report.isClean
                    ? "\(name): nothing to repair, \(report.events) events in \(report.segments) segments"
                    : "\(name): \(report.damages.count) damaged ranges with \(lost) events and \(report.tornBytes) "
                        + "torn bytes put aside; "
                        + "\(report.events) events are left")
        }
    }

    struct Export: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Write the events to standard output, a line each.")
        @Argument(help: "Name of the destination.") var name: String
        @OptionGroup var options: Options

        func run() throws {
            try options.check(name)
            try options.shelf.events(name, options.part) { event in
                // Line feeds inside an event would make two of one.
                let bytes = Array(event.content.readableBytesView)
                Terminal.out.write(bytes.map { $0 == 0x0A ? 0x20 : $0 } + [0x0A])
                return true
            }
        }
    }

    struct Discard: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Delete a queue or dead letters with all that is in them.")
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
                throw ExitCode(64)
            }
            try options.shelf.discard(name, options.part)
            Terminal.out.line("\(name): deleted")
        }
    }

    struct Replay: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Send the dead letters of a running node again, through its gate.")
        @Argument(help: "Name of the destination.") var name: String
        @OptionGroup var node: NodeOptions

        func run() async throws {
            try await node.withClient { client in
                let answer = try await client.post(Tree.self, "/api/v1/dead-letters/\(name)/replay")
                Terminal.out.line(answer.json)
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
