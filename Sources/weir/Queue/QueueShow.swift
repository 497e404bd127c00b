import ArgumentParser
import NIOCore
import WeirConsole
import WeirNode
import WeirStore
import WeirWorld

extension QueueCommand {
    struct Show: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show one event whole; of a dead letter also why it was refused.",
            discussion: """
                EXAMPLES:
                  weir queue show siem                       the oldest event of the queue
                  weir queue show siem 2 --dead-letters      as `peek` counts
                  weir queue show siem --dead-letters --json | jq .status
                """)
        @Argument(help: "Name of the destination.") var name: String
        @Argument(help: "Which one, from the oldest: 1 and up.") var number = 1
        @OptionGroup var options: Options
        @Flag(help: "Print JSON.") var json = false

        func validate() throws {
            guard number > 0 else { throw ValidationError("Events are counted from 1.") }
        }

        func run() throws {
            try options.check(name)
            var seen = 0
            var found: QueueShelf.Event?
            try options.shelf.events(name, options.part) { event in
                seen += 1
                if seen == number { found = event }
                return found == nil
            }
            guard let found else {
                Terminal.error.line("weir: the \(options.what) of \(name) holds \(seen) events, there is no \(number).")
                throw ExitCode.failed
            }
            let out = Terminal.out
            guard !json else { return out.line(Self.fields(of: found).prettyJSON) }
            for (label, value) in lines(of: found) {
                let gap = String(repeating: " ", count: max(1, 12 - label.count))
                out.line((out.hasColours ? Ink.dim.wrap(label) : label) + gap + Printable.line(value))
            }
            out.line("")
            // Into a file or a pipe its own bytes; on a terminal nothing that could be a control.
            if out.isTerminal {
                out.line(Printable.line(String(buffer: found.content)))
            } else {
                out.write(Array(found.content.readableBytesView) + [0x0A])
            }
        }

        private func lines(of event: QueueShelf.Event) -> [(String, String)] {
            let age = Figures.duration((LiveTime().wall - event.time).inSeconds)
            var lines: [(String, String)] = []
            if let letter = event.letter {
                lines = [
                    ("refused", "\(event.time) (\(age) ago)"), ("status", letter.status.map { "\($0)" } ?? "none"),
                    ("reason", "\(letter.code): \(letter.message)"), ("attempts", "\(letter.attempts)"),
                ]
            } else {
                lines = [("taken", "\(event.time) (\(age) ago)")]
            }
            return lines + [
                ("source", event.source), ("kind", "\(event.kind)"),
                ("size", Figures.bytes(Int64(event.content.readableBytes))),
            ]
        }

        private static func fields(of event: QueueShelf.Event) -> Tree {
            var fields: [String: Tree] = [
                "at": .string("\(event.time)"), "source": .string(event.source), "kind": .string("\(event.kind)"),
                "content": .string(String(buffer: event.content)),
            ]
            if let letter = event.letter {
                fields["status"] = letter.status.map { .integer(Int64($0)) } ?? .null
                fields["code"] = .string(letter.code)
                fields["message"] = .string(letter.message)
                fields["attempts"] = .integer(Int64(letter.attempts))
            }
            return .object(fields)
        }
    }
}
