import ArgumentParser
import FoundationEssentials
import WeirConsole
import WeirNode

/// `weir agent`: the other end of the tunnel.
struct AgentCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "agent",
        abstract: "Dial out to a hub and serve systems of this network to its clients.",
        discussion: """
            It needs no inbound port. What it serves is its own list: a hub can only ask for a name in it. With the \
            token it enrols once; its certificate renews itself and is kept in `--state`. `weir agent run --help` \
            has all options.

            EXAMPLES:
              weir agent --hub wss://hub/tunnel --token-file token --serve ad=127.0.0.1:389
              weir agent --hub tls://hub:8765 --serve ad=127.0.0.1:389
              weir agent --hub wss://hub/tunnel --env-proxy --serve hr=10.0.0.7:5432
              weir agent status
            """,
        subcommands: [Run.self, Status.self], defaultSubcommand: Run.self)

    struct Run: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Dial out and serve, until a signal; this is what `weir agent` does by itself.",
            discussion: """
                EXAMPLES:
                  weir agent --hub wss://hub/tunnel --token-file token --serve ad=127.0.0.1:389
                """)

        @Option(help: "wss://HOST/tunnel or tls://HOST:8765; several hubs of a mesh may be given.") var hub: [String]
        @Option(help: "NAME=HOST:PORT of what it serves; may be given several times.") var serve: [String]
        @Option(help: "File with a one-time token of `weir tunnel token`; needed once.") var tokenFile: String?
        @Option(help: "File with a bearer token (JWT) that others renew, in place of enrolling.") var bearerFile:
            String?
        @Option(help: "What it is called; the token says it.") var name: String?
        @Option(help: "Where its key and certificate are kept.") var state = "./weir-agent/identity.json"
        @Option(help: "Connections to the hub at the same time, 1 to 4.") var links = 1
        @Option(help: "Streams at the same time (max_inflight_cids).") var maxStreams = 2_000
        @Option(help: "Seconds for a target to take a connection.") var connectTimeout = 3
        @Option(help: "Seconds between two pings, 20 % more or less.") var pingInterval = 11
        @Option(help: "Seconds after a ping without a byte: the hub is dead.") var pingTimeout = 10
        @Option(help: "PEM file with the authorities that the hub's certificate must be of.") var caFile: String?
        @Option(help: "PEM file with a certificate of its own, in place of enrolling.") var cert: String?
        @Option(help: "PEM file with its private key.") var key: String?
        @Option(help: "HTTP proxy on the way: http://USER:PASSWORD@HOST:3128.") var proxy: String?
        @Flag(help: "Let HTTPS_PROXY and NO_PROXY choose the proxy.") var envProxy = false
        @Flag(help: "Speak through a WebSocket also where the hub itself answers.") var webSocket = false
        @Flag(help: "Tell targets who the client is (PROXY protocol, version 2).") var proxyProtocol = false

        @Option(
            help: ArgumentHelp(
                "Where its health and metrics are, on loopback, or `off`. Default: \(AgentServer.usual)",
                valueName: "address"))
        var listen: String?

        func validate() throws {
            guard (1...4).contains(links) else { throw ValidationError("--links is 1 to 4.") }
            guard pingInterval >= 1, pingTimeout >= 1 else { throw ValidationError("Pings take at least a second.") }
            guard (cert == nil) == (key == nil) else { throw ValidationError("--cert and --key go together.") }
        }

        func run() async throws {
            var wish = AgentHost.Wish()
            wish.hubs = hub
            wish.serve = serve
            wish.tokenFile = tokenFile
            wish.bearerFile = bearerFile
            wish.name = name
            wish.state = state
            wish.links = links
            wish.streamsMost = maxStreams
            wish.connectTimeout = .seconds(connectTimeout)
            wish.pingEvery = .seconds(pingInterval)
            wish.pingTimeout = .seconds(pingTimeout)
            wish.authorityFile = caFile
            wish.certificateFile = cert
            wish.keyFile = key
            wish.proxy = proxy
            wish.usesEnvironmentProxy = envProxy
            wish.onlyWebSocket = webSocket
            wish.tellsClient = proxyProtocol
            let host = AgentHost(
                environment: ProcessInfo.processInfo.environment,
                face: listen == "off" ? nil : AgentServer.face(listen: listen))
            let code = await host.run(
                wish, report: { Terminal.error.write($0) }, isColoured: Terminal.error.hasColours)
            throw ExitCode(code)
        }
    }

    struct Status: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Say whether the agent of this machine is connected, what it serves, and what helps if not.",
            discussion: """
                The exit code is 3 while it is not connected.

                EXAMPLES:
                  weir agent status
                  weir agent status --address http://127.0.0.1:9473 -o json
                """)

        @Option(
            help: ArgumentHelp(
                "Where the agent's health is (`--listen`). Default: http://\(AgentServer.usual)", valueName: "url"))
        var address = "http://\(AgentServer.usual)"
        @Option(name: .shortAndLong, help: "table, json, jsonl or yaml.") var output = OutputFormat.table

        func run() async throws {
            var node = NodeOptions()
            node.address = address
            let hint = "Is the agent running on this machine, and is --address what its log says?"
            try await node.withClient(hint: hint) { client in
                let tree = try await client.tree("/status")
                let view = try JSONText.decode(AgentSelfView.self, from: Data(tree.json.utf8))
                if let text = output.text(tree) {
                    Terminal.out.line(text)
                } else {
                    let out = Terminal.out
                    for line in Listing.why(Listing.agentStatus(view), hasColours: out.hasColours) { out.line(line) }
                }
                if !view.connected { throw ExitCode.held }
            }
        }
    }
}
