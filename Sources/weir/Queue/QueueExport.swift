import ArgumentParser
import NIOCore
import WeirNode

extension QueueCommand {
    struct Export: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Write the events to standard output, a line each.",
            discussion: """
                EXAMPLES:
                  weir queue export siem > siem.ndjson
                  weir queue export siem --dead-letters > refused.ndjson
                """)
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
}
