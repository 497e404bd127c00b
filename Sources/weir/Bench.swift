import ArgumentParser
import Logging
import WeirConsole
import WeirExpressions
import WeirNode
import WeirWorld

/// `weir bench`: what this machine does with Weir's own parts.
struct Bench: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Measure Weir's own parts on this machine: conditions, a gate, the disk queue.",
        discussion: """
            One process, no network, events of 250 bytes in batches of 1,024. It says what the disk and the cores \
            can do, not how fast a whole flow is; `make bench` compares whole flows with other servers.

            EXAMPLES:
              weir bench
              weir bench --data /var/lib/weir --seconds 5
              weir bench --json
            """)

    @Option(help: "Directory on the disk that the queue will use.")
    var data = "."

    @Option(help: "Seconds for each part.")
    var seconds = 2

    @Flag(help: "Print a JSON object a line.")
    var json = false

    func validate() throws {
        guard (1...60).contains(seconds) else { throw ValidationError("--seconds is 1 to 60.") }
    }

    func run() async throws {
        let world = World.live(log: Logger(label: "weir.bench") { _ in SwiftLogNoOpLogHandler() })
        let trial = MachineTrial(directory: data, duration: .seconds(seconds), world: world)
        try await trial.run { result in
            if json {
                Terminal.out.line(
                    "{\"name\":\"\(result.name)\",\"events_per_second\":\(Int(result.eventsPerSecond)),"
                        + "\"bytes_per_second\":\(Int(result.bytesPerSecond))}")
            } else {
                let rate = Figures.count(Int64(result.eventsPerSecond))
                let size = Figures.bytes(Int64(result.bytesPerSecond))
                let gap = String(repeating: " ", count: max(1, 14 - rate.count))
                Terminal.out.line("\(gap)\(rate) events/s  \(size)/s  \(result.meaning)")
            }
        }
    }
}
