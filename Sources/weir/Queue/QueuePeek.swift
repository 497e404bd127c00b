import ArgumentParser
import NIOCore
import WeirConsole
import WeirNode
import WeirStore
import WeirWorld

extension QueueCommand {
    struct Peek: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show the oldest events, without taking them.",
            discussion: """
                EXAMPLES:
                  weir queue peek siem
                  weir queue peek siem --dead-letters --limit 3
                """)
        @Argument(help: "Name of the destination.") var name: String
        @Option(help: "How many.") var limit = 10
        @OptionGroup var options: Options

        func run() throws {
            try options.check(name)
            var shown = 0
            try options.shelf.events(name, options.part) { event in
                guard shown < limit else { return false }
                shown += 1
                let refusal = event.letter.map { " \($0.code)" } ?? ""
                Terminal.out.line("\(shown) \(event.time)\(refusal) \(Printable.line(String(buffer: event.content)))")
                return true
            }
            if shown == 0 { Terminal.error.line("The \(options.what) of \(name) is empty.") }
        }
    }
}
