import ArgumentParser
import WeirConsole

struct Hold: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Hold everything at a gate until it is released.",
        discussion: """
            What the sender does then is the destination's on_backpressure: it waits, or its events go to the queue. \
            Nothing is lost that would not be lost by a receiver that is away.

            EXAMPLES:
              weir hold siem
              weir release siem
            """)

    @Argument(help: "The gate.")
    var gate: String

    @OptionGroup var node: NodeOptions

    func run() async throws { try await GateOrder.give("hold", gate, node) }
}

struct ReleaseCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "release",
        abstract: "End a hold or a suspension of a gate and try at once.",
        discussion: """
            EXAMPLES:
              weir release siem
            """)

    @Argument(help: "The gate.")
    var gate: String

    @OptionGroup var node: NodeOptions

    func run() async throws { try await GateOrder.give("release", gate, node) }
}

enum GateOrder {
    static func give(_ verb: String, _ gate: String, _ node: NodeOptions) async throws {
        try await node.withClient { client in
            let view = try await client.post(GateView.self, "/api/v1/gates/\(PathSegment.encode(gate))/\(verb)")
            let out = Terminal.out
            let state = out.hasColours ? Ink.state(view.state).wrap(view.state) : view.state
            out.line("\(Printable.line(view.id)) is \(state): \(Printable.line(view.reason.sentence))")
        }
    }
}
