import ArgumentParser
import Glibc
import WeirConsole

extension ConnectorCommand {
    /// Bundles of a connector that could not be unpacked.
    struct DeadLetters: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "dead-letters",
            abstract: "List, show, replay or discard the bundles of a connector that could not be unpacked.",
            discussion: """
                EXAMPLES:
                  weir connector dead-letters ls kev
                  weir connector dead-letters show kev 4096
                  weir connector dead-letters replay kev
                  weir connector dead-letters discard kev 4096 --yes
                """,
            subcommands: [List.self, Show.self, Replay.self, Discard.self], defaultSubcommand: List.self)

        static func path(_ connector: ConnectorView, _ rest: String = "") -> String {
            ConnectorPath.of(connector.id) + "/dead-letters\(rest)"
        }

        struct List: AsyncParsableCommand {
            static let configuration = CommandConfiguration(
                commandName: "ls", abstract: "List them, the oldest first.",
                discussion: """
                    EXAMPLES:
                      weir connector dead-letters kev
                      weir connector dead-letters kev -o json
                    """)
            @Argument(help: "Its name or id.") var connector: String
            @Option(name: .shortAndLong, help: "table, json, jsonl or yaml.") var output = OutputFormat.table
            @OptionGroup var node: NodeOptions

            func run() async throws {
                try await node.withClient { client in
                    let path = path(
                        try await client.get(ConnectorView.self, ConnectorPath.of(connector)), "?limit=1000")
                    let out = Terminal.out
                    guard output == .table else {
                        if let text = output.text(try await client.tree(path)) { out.line(text) }
                        return
                    }
                    let letters = try await client.get([ConnectorLetterView].self, path)
                    if letters.isEmpty { return out.line("There are no dead letters of \(Printable.line(connector)).") }
                    var table = TextTable(["letter", "at", "size", "attempts", "why"])
                    for letter in letters {
                        table.add([
                            TextTable.Cell(letter.id, .bold), TextTable.Cell(letter.at),
                            TextTable.Cell(letter.bytes.map(Figures.bytes) ?? "in a file"),
                            TextTable.Cell("\(letter.attempts)"),
                            TextTable.Cell(letter.reason.sentence),
                        ])
                    }
                    out.table(table)
                }
            }
        }

        struct Show: AsyncParsableCommand {
            static let configuration = CommandConfiguration(
                abstract: "Show one whole, and why it could not be unpacked.",
                discussion: """
                    EXAMPLES:
                      weir connector dead-letters show kev 4096
                    """)
            @Argument(help: "Its name or id.") var connector: String
            @Argument(help: "Which one, as `ls` says.") var letter: String
            @OptionGroup var node: NodeOptions

            func run() async throws {
                try await node.withClient { client in
                    let found = try await client.get(ConnectorView.self, ConnectorPath.of(connector))
                    // YAML escapes controls, so content cannot play tricks on a terminal.
                    Terminal.out.line(try await client.tree(path(found, "/\(PathSegment.encode(letter))")).yaml)
                }
            }
        }

        struct Replay: AsyncParsableCommand {
            static let configuration = CommandConfiguration(
                abstract: "Push them into the work queue once more, through the connector's gate.",
                discussion: """
                    Content that is broken is broken again, and comes back as a new letter. What helps is a repaired \
                    disk, or a newer Weir.

                    EXAMPLES:
                      weir connector dead-letters replay kev
                      weir connector dead-letters replay kev 4096
                    """)
            @OptionGroup var target: ConnectorTarget
            @Argument(help: "Only this one.") var letter: String?

            func run() async throws {
                try await handle("replay", target, letter) {
                    "\($0) of the dead letters of \($1) were pushed again."
                }
            }
        }

        struct Discard: AsyncParsableCommand {
            static let configuration = CommandConfiguration(
                abstract: "Delete them.",
                discussion: """
                    EXAMPLES:
                      weir connector dead-letters discard kev          asks first
                      weir connector dead-letters discard kev 4096 --yes
                    """)
            @OptionGroup var target: ConnectorTarget
            @Argument(help: "Only this one.") var letter: String?

            func run() async throws {
                try await handle(
                    "discard", target, letter, confirm: { if !target.yes { try ask($0) } },
                    said: { "\($0) of the dead letters of \($1) were deleted." })
            }

            private func ask(_ view: ConnectorView) throws {
                let what = letter.map { "the dead letter \(Printable.line($0))" } ?? "\(view.deadLetters) dead letters"
                try Confirmation.ask("This deletes \(what) of \(Printable.line(view.name))", needsYes: true)
            }
        }

        private static func handle(
            _ deed: String, _ target: ConnectorTarget, _ letter: String?,
            confirm: (ConnectorView) throws -> Void = { _ in }, said: (_ count: Int, _ connector: String) -> String
        ) async throws {
            try await target.node.withClient { client in
                let found = try await client.get(ConnectorView.self, ConnectorPath.of(target.connector))
                try confirm(found)
                let one = letter.map { "/" + PathSegment.encode($0) } ?? ""
                let done = try await client.post(ReplayView.self, path(found, "\(one)/\(deed)"), body: target.note)
                Terminal.out.line(said(done.events, Printable.line(found.name)))
            }
        }
    }
}
