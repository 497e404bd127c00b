import ArgumentParser
import FoundationEssentials
import WeirConsole

struct Tap: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show events that pass a source, a route or a destination, as they come.",
        discussion: """
            Looking never slows the flow: what this terminal is too slow for is skipped, and said.

            EXAMPLES:
              weir tap edge
              weir tap siem --limit 5 --duration 10
              weir tap edge --raw > sample.log      the events' own bytes, a line each
              weir tap edge -o jsonl | jq .content
            """)

    @Argument(help: "The source, route or destination.")
    var name: String

    @Option(help: "End after so many events (1 to 10000).")
    var limit = 100

    @Option(help: "End after so many seconds (1 to 600).")
    var duration = 60

    @Flag(help: "Only the events' own bytes. On a terminal control characters are escaped all the same.")
    var raw = false

    @Option(name: .shortAndLong, help: "table or jsonl.")
    var output = OutputFormat.table

    @OptionGroup var node: NodeOptions

    func validate() throws {
        guard (1...10_000).contains(limit) else { throw ValidationError("--limit is from 1 to 10000.") }
        guard output == .table || output == .jsonl else { throw ValidationError("A tap is printed as table or jsonl.") }
        guard (1...600).contains(duration) else { throw ValidationError("--duration is from 1 to 600 seconds.") }
    }

    func run() async throws {
        try await node.withClient { client in
            let path = "/api/v1/taps/\(PathSegment.encode(name))?limit=\(limit)&duration=\(duration)"
            var shown = 0
            try await client.lines(path, seconds: duration + 30) { line in
                shown += 1
                try show(line)
                return shown < limit
            }
            if shown == 0 { Terminal.error.line("No event passed \(Printable.line(name)) in \(duration) s.") }
        }
    }

    private func show(_ line: [UInt8]) throws {
        let out = Terminal.out
        guard raw || output == .table else {
            out.write(line + [UInt8(ascii: "\n")])
            return
        }
        let event = try JSONText.decode(TapView.self, from: Data(line))
        let bytes =
            event.content.map { Array($0.utf8) } ?? event.contentBase64.flatMap { Data(base64Encoded: $0) }.map(
                Array.init) ?? []
        if event.skipped > 0 { Terminal.error.line("(\(event.skipped) more passed and are not shown)") }
        if raw, !out.isTerminal {
            out.write(bytes + [UInt8(ascii: "\n")])
            return
        }
        let text = Printable.line(String(decoding: bytes, as: UTF8.self))
        guard !raw else {
            out.line(text)
            return
        }
        let head = "\(WhyText.clock(event.at)) \(Printable.line(event.source))"
        out.line((out.hasColours ? Ink.dim.wrap(head) : head) + "  " + text)
    }
}
