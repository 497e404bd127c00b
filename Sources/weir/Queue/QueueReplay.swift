import ArgumentParser
import WeirConsole

extension QueueCommand {
    struct Replay: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Send the dead letters of a running node again, through its gate.",
            discussion: """
                EXAMPLES:
                  weir queue replay siem
                """)
        @Argument(help: "Name of the destination.") var name: String
        @OptionGroup var node: NodeOptions

        func run() async throws {
            try await node.withClient { client in
                let sent = try await client.post(
                    ReplayView.self, "/api/v1/dead-letters/\(PathSegment.encode(name))/replay")
                Terminal.out.line(
                    sent.events == 0
                        ? "There are no dead letters of \(name)."
                        : "\(Figures.count(Int64(sent.events))) of the dead letters of \(name) were sent again.")
            }
        }
    }
}
