import ArgumentParser
import WeirConsole

struct Top: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Watch the gates of a running node, most pressed first.",
        discussion: """
            On a terminal the screen is drawn again every interval, until q or Ctrl-C; into a pipe every interval \
            writes its lines, each with the time.

            EXAMPLES:
              weir top
              weir top --once
              weir top --interval 10 >> gates.log
            """)

    @Flag(help: "Show it once and end.")
    var once = false

    @Option(help: "Seconds between two looks (1 to 3600).")
    var interval = 1

    @OptionGroup var node: NodeOptions

    func validate() throws {
        guard (1...3_600).contains(interval) else { throw ValidationError("--interval is from 1 to 3600 seconds.") }
    }

    func run() async throws {
        let out = Terminal.out
        try await node.withClient { client in
            if out.isTerminal, !once { return try await watch(client, out) }
            while true {
                lines(try await Looked(client), out)
                guard !once else { return }
                try await Task.sleep(for: .seconds(interval))
            }
        }
    }

    /// What was seen in one look.
    private struct Looked: Sendable {
        var gates: [GateView]
        var health: HealthView

        init(_ client: APIClient) async throws {
            gates = try await client.get([GateView].self, "/api/v1/gates")
            health = try await client.get(HealthView.self, "/api/v1/health")
        }
    }

    /// Until a person has enough, also while the node does not answer.
    private func watch(_ client: APIClient, _ out: Terminal) async throws {
        let screen = Screen(out)
        defer { screen.close() }
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                while true {
                    try await look(client, out)
                }
            }
            group.addTask {
                while !screen.isLeft { try await Task.sleep(for: .milliseconds(100)) }
            }
            defer { group.cancelAll() }
            try await group.next()
        }
    }

    /// One look, drawn again whenever the terminal has another size, until it is time for the next.
    private func look(_ client: APIClient, _ out: Terminal) async throws {
        let looked = try await Looked(client)
        var drawn: (columns: Int, rows: Int)?
        for _ in 0..<(interval * 10) {
            let size = out.size ?? (80, 24)
            if drawn == nil || drawn?.columns != size.columns || drawn?.rows != size.rows {
                draw(looked, size, out)
                drawn = size
            }
            try await Task.sleep(for: .milliseconds(100))
        }
    }

    /// Home, each line with the rest of it wiped, then the rest of the screen: no flicker.
    private func draw(_ looked: Looked, _ size: (columns: Int, rows: Int), _ out: Terminal) {
        let summary = Display.cut(Summary.line(looked.gates, looked.health) + "   q quits", to: size.columns)
        var lines = [summary, ""]
        if looked.gates.isEmpty { lines.append("No gates: no destination is configured.") }
        let table = Listing.gates(looked.gates, hasSigns: out.hasSigns)
        if !table.isEmpty { lines += table.lines(width: size.columns, hasColours: out.hasColours) }
        let room = max(size.rows - 1, 1)
        if lines.count > room {
            let hidden = lines.count - room + 1
            lines = lines.prefix(room - 1) + [Display.cut("… and \(hidden) more gates", to: size.columns)]
        }
        out.write("\u{1B}[H" + lines.joined(separator: "\u{1B}[K\r\n") + "\u{1B}[K\u{1B}[J")
    }

    private func lines(_ looked: Looked, _ out: Terminal) {
        if once {
            out.line(Summary.line(looked.gates, looked.health))
            if looked.gates.isEmpty { return }
            return out.table(Listing.gates(looked.gates, hasSigns: out.hasSigns))
        }
        for line in Listing.gates(looked.gates).lines(width: nil, hasColours: false).dropFirst() {
            out.line("\(looked.health.at) \(line)")
        }
    }
}
