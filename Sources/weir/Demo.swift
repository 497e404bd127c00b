import ArgumentParser
import Glibc
import Logging
import ServiceLifecycle
import WeirConsole
import WeirDemo
import WeirGates
import WeirNode
import WeirWorld

/// `weir demo`: a running Weir to look at.
struct Demo: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract:
            "Run a Weir to look at: real lines, three destinations, one healthy, one slow, one that fails for a while.",
        discussion: """
            Sends this machine's own package log and the project's examples through a real node to receivers that \
            Weir plays itself. Nothing leaves this machine, nothing is installed. Ctrl-C stops it; its files stay in \
            the data directory.

            EXAMPLES:
              weir demo
              weir demo --listen 127.0.0.1:9999 --data /tmp/weir-demo
              weir why siem                   while it runs, in another terminal
            """)

    @Option(help: "Where the page and the API listen.")
    var listen = "127.0.0.1:9471"

    @Option(help: "Where the demo keeps its configuration, queue and archive.")
    var data = "weir-data/demo"

    func run() async throws {
        let quiet = Logger(label: "weir.demo") { _ in SwiftLogNoOpLogHandler() }
        let world = World.live(log: quiet)
        var lines = DemoLines(
            paths: ["/var/log/dpkg.log", "examples/events/web.ndjson", "examples/events/auth.log"], files: world.files)
        if lines.lines.isEmpty { lines = DemoLines.own }
        let stage = DemoStage(lines: lines, world: world)
        let origins = lines.origins
        let code = try await stage.play(directory: data, listen: listen) { text in
            let path = data + "/weir.yaml"
            try Self.save(text, to: path, files: world.files)
            let host = NodeHost(environment: [:])
            return await host.run(
                load: { $0.load(path: path) }, report: { Terminal.error.write($0) },
                isColoured: Terminal.error.hasColours
            ) { node in
                try Console.services(for: node) + stage.senders(to: node)
                    + [Greeting(node: node, listen: listen, configuration: path, origins: origins)]
            }
        }
        throw ExitCode(code)
    }

    private static func save(_ text: String, to path: String, files: any FileSystem) throws {
        if let cut = path.lastIndex(of: "/") { try files.makeDirectory(String(path[..<cut])) }
        let file = try files.open(path, .write(create: true, exclusive: false))
        defer { file.close() }
        try file.truncate(to: 0)
        let bytes = Array(text.utf8)
        try bytes.withUnsafeBytes { try file.write([$0], at: 0) }
    }

    /// Says what runs and, as soon as the gates show something, which of them are held.
    private struct Greeting: Service {
        let node: Node
        let listen: String
        let configuration: String
        let origins: [String]

        func run() async throws {
            Terminal.out.write(
                """

                Weir \(Release.version) demo
                  Page           http://\(listen)/
                  Configuration  \(configuration)
                  Events         \(origins.joined(separator: "; "))
                  Receivers are played by Weir itself; nothing leaves this machine.


                """)
            try await cancelWhenGracefulShutdown { try await node.world.time.sleep(for: .seconds(4)) }
            // From the API, as `weir get gates` does: only it knows what passes in a second.
            var options = NodeOptions()
            options.address = listen
            try? await options.withClient { client in
                let gates = try await client.get([GateView].self, Kind.gates.path)
                Terminal.out.table(Listing.gates(gates, hasSigns: Terminal.out.hasSigns))
            }
            Terminal.out.write(
                """

                Try, in another terminal:
                  weir why siem       why it is held, and what lets go
                  weir top            all gates, live
                  weir tap alerts     the events that pass a route
                  weir hold archive   hold a gate yourself; `weir release archive` lets go
                Ctrl-C stops; what is queued is kept.


                """)
            try await gracefulShutdown()
        }
    }
}
