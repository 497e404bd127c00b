import ArgumentParser
import FoundationEssentials
import WeirConsole

struct TunnelCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tunnel",
        abstract: "Let agents enrol, print the authority, try a tunnel, close connections, revoke an agent.",
        discussion: """
            EXAMPLES:
              weir tunnel token --agent site-01 --connector addomain > token
              weir tunnel ca > hub-ca.pem
              weir tunnel probe addomain
              weir tunnel close addomain --client 10.0.0.9
              weir tunnel revoke site-01 --why "the machine was lost"
              weir get tunnels; weir get agents; weir why tunnel/addomain
            """,
        subcommands: [Token.self, Authority.self, Probe.self, Close.self, Revoke.self])

    struct Token: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Make a one-time token with which an agent enrols.",
            discussion: """
                The token is printed once and kept as a hash; the first agent that shows it gets a certificate of its \
                own, which renews itself.

                EXAMPLES:
                  weir tunnel token --agent site-01 --connector addomain
                  weir tunnel token --agent site-01 --connector ad --connector hr --life 86400
                """)

        @Option(help: "What the agent is called.") var agent: String
        @Option(help: "What it may serve; may be given several times.") var connector: [String]
        @Option(help: "Seconds until it must be used, 60 to 604,800.") var life = 3_600
        @OptionGroup var node: NodeOptions

        func validate() throws {
            guard !connector.isEmpty else { throw ValidationError("Say with --connector what the agent may serve.") }
        }

        func run() async throws {
            try await node.withClient { client in
                let connectors = connector.map(PathSegment.encode).joined(separator: ",")
                let view = try await client.post(
                    TokenView.self,
                    "/api/v1/agents/\(PathSegment.encode(agent))/token?connectors=\(connectors)&life=\(life)",
                    body: AuditNote.body(why: ""))
                Terminal.out.line(view.token)
                guard Terminal.out.isTerminal else { return }
                Terminal.error.line(
                    "It works once, within \(Figures.duration(Double(view.lifeSeconds))), for "
                        + "\(Printable.line(view.agent)) and "
                        + "\(view.connectors.map(Printable.line).joined(separator: ", ")). "
                        + "It brings the hub's authority; agents with bearer tokens get that from `weir tunnel ca`."
                )
            }
        }
    }

    struct Authority: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "ca",
            abstract: "Print the certificate of the hub's own authority, for agents that show bearer tokens.",
            discussion: """
                An agent that enrols gets it with its token. It is no secret; who hands it out must be known.

                EXAMPLES:
                  weir tunnel ca > hub-ca.pem
                  weir agent --ca-file hub-ca.pem --bearer-file agent.jwt …
                """)

        @OptionGroup var node: NodeOptions

        func run() async throws {
            try await node.withClient { client in
                let view = try await client.get(AuthorityView.self, "/api/v1/authority")
                for line in view.certificate.split(separator: "\n") { Terminal.out.line(Printable.line(String(line))) }
            }
        }
    }

    struct Probe: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Open one connection as a client would, and print how long each hop takes.",
            discussion: """
                The target gets no byte. The exit code is 3 when a hop fails.

                EXAMPLES:
                  weir tunnel probe addomain
                  weir tunnel probe addomain -o json
                """)

        @Argument(help: "The connector.") var connector: String
        @Option(name: .shortAndLong, help: "table, json, jsonl or yaml.") var output = OutputFormat.table
        @OptionGroup var node: NodeOptions

        func run() async throws {
            try await node.withClient { client in
                let tree = try await client.post(
                    Tree.self, "/api/v1/tunnels/\(PathSegment.encode(connector))/probe",
                    body: AuditNote.body(why: ""))
                let view = try JSONText.decode(ProbeView.self, from: Data(tree.json.utf8))
                if let text = output.text(tree) {
                    Terminal.out.line(text)
                } else {
                    Terminal.out.table(Listing.probe(view))
                }
                if !view.well { throw ExitCode.held }
            }
        }
    }

    struct Close: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Reset open connections of a tunnel; both sides see a reset.",
            discussion: """
                EXAMPLES:
                  weir tunnel close addomain --client 10.0.0.9          all of this address
                  weir tunnel close addomain --client 10.0.0.9:50123    this one
                  weir tunnel close addomain --yes                      all
                """)

        @Argument(help: "The connector.") var connector: String
        @Option(help: "Only this address, with or without its port.") var client: String?
        @Option(help: ArgumentHelp("Why, for the audit.", valueName: "text")) var why = ""
        @Flag(help: "Do not ask.") var yes = false
        @OptionGroup var node: NodeOptions

        func run() async throws {
            try await node.withClient { api in
                let whose = client.map { " of \(Printable.line($0))" } ?? ", all of them"
                let deed = "This resets open connections of \(Printable.line(connector))\(whose)"
                if !yes { try Confirmation.ask(deed, needsYes: client == nil) }
                let query = client.map { "?client=\(PathSegment.encode($0))" } ?? ""
                let view = try await api.post(
                    ClosedView.self, "/api/v1/tunnels/\(PathSegment.encode(connector))/close\(query)",
                    body: AuditNote.body(why: why))
                Terminal.out.line("\(view.connections) connection\(view.connections == 1 ? "" : "s") reset")
            }
        }
    }

    struct Revoke: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Refuse an agent's certificates from now on and close its links.",
            discussion: """
                It can only come back with a new token.

                EXAMPLES:
                  weir tunnel revoke site-01 --why "the machine was lost"
                """)

        @Argument(help: "The agent.") var agent: String
        @Option(help: ArgumentHelp("Why, for the audit.", valueName: "text")) var why = ""
        @Flag(help: "Do not ask.") var yes = false
        @OptionGroup var node: NodeOptions

        func run() async throws {
            try await node.withClient { client in
                let deed = "This revokes the agent \(Printable.line(agent)): its connections end, it must enrol anew"
                if !yes { try Confirmation.ask(deed, needsYes: true) }
                let view = try await client.post(
                    RevokedView.self, "/api/v1/agents/\(PathSegment.encode(agent))/revoke",
                    body: AuditNote.body(why: why))
                Terminal.out.line("\(Printable.line(view.agent)) is revoked")
            }
        }
    }
}
