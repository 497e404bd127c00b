import ArgumentParser
import FoundationEssentials
import Glibc
import WeirNode

/// `weir run`: one node, until it is told to stop.
struct Run: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Run a node.",
        discussion: """
            Reads the configuration, opens queues and listeners, and moves events until SIGTERM or SIGINT; then it \
            reads no more, delivers what it holds (`stop_within`), and ends. Problems of the configuration are \
            listed all at once, and nothing is started.

            EXAMPLES:
              weir run --config weir.yaml
              weir run --config /etc/weir/          every .yaml in the folder
              WEIR__DESTINATIONS__SIEM__BUFFER=16MiB weir run --config weir.yaml
            """)

    @Option(name: [.short, .long], help: "The configuration: a YAML file, or a folder of them.")
    var config = "weir.yaml"

    func run() async throws {
        let host = NodeHost(environment: ProcessInfo.processInfo.environment)
        let code = await host.run(
            load: { $0.load(path: config) }, report: { Terminal.error.write($0) },
            isColoured: Terminal.error.hasColours,
            services: { try Console.services(for: $0) })
        throw ExitCode(code)
    }
}
