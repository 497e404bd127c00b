import ArgumentParser
import WeirConsole

struct Top: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Watch the gates of a running node, most pressed first.",
        discussion: """
            On a terminal the screen is drawn again every interval; into a pipe every interval writes its lines, each
            with the time.

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
            while true {
                let gates = try await client.get([GateView].self, "/api/v1/gates")
                let health = try await client.get(HealthView.self, "/api/v1/health")
                if out.isTerminal, !once {
                    draw(gates, health, out)
                } else {
                    lines(gates, health, out)
                }
                guard !once else { return }
                try await Task.sleep(for: .seconds(interval))
            }
        }
    }

    /// Home, each line with the rest of it wiped, then the rest of the screen: no flicker, and nothing to restore at
    /// the end.
    private func draw(_ gates: [GateView], _ health: HealthView, _ out: Terminal) {
        let size = out.size ?? (80, 24)
        var lines = [Summary.line(gates, health), ""]
        lines += Listing.gates(gates, hasSigns: out.hasSigns).lines(width: size.columns, hasColours: out.hasColours)
        if lines.count > size.rows - 1 {
            let hidden = lines.count - (size.rows - 2)
            lines = lines.prefix(size.rows - 2) + ["… and \(hidden) more gates"]
        }
        out.write("\u{1B}[H" + lines.map { $0 + "\u{1B}[K\n" }.joined() + "\u{1B}[J")
    }

    private func lines(_ gates: [GateView], _ health: HealthView, _ out: Terminal) {
        if once {
            out.line(Summary.line(gates, health))
            out.table(Listing.gates(gates, hasSigns: out.hasSigns))
            return
        }
        for line in Listing.gates(gates).lines(width: nil, hasColours: false).dropFirst() {
            out.line("\(health.at) \(line)")
        }
    }
}
