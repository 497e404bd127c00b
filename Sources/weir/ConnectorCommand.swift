import ArgumentParser
import Glibc
import WeirConsole

struct ConnectorCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "connector",
        abstract: "Run, pause, resume or reset a connector.",
        discussion: """
            EXAMPLES:
              weir get connectors
              weir describe connector kev
              weir connector run kev
              weir connector reset kev --yes
            """,
        subcommands: [RunNow.self, Pause.self, Resume.self, Reset.self])

    struct RunNow: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "run", abstract: "Run a connector of Weir's own now, once.",
            discussion: """
                Its gate is asked all the same: while its work queue is full the run waits. A connector with a process \
                of its own starts its runs itself.

                EXAMPLES:
                  weir connector run kev
                """)
        @Argument(help: "Its name or id.") var connector: String
        @OptionGroup var node: NodeOptions

        func run() async throws { try await ConnectorOrders.give("run", connector, node) }
    }

    struct Pause: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Start no run of a connector, and let what it pushes wait.",
            discussion: """
                EXAMPLES:
                  weir connector pause kev
                """)
        @Argument(help: "Its name or id.") var connector: String
        @OptionGroup var node: NodeOptions

        func run() async throws { try await ConnectorOrders.give("pause", connector, node) }
    }

    struct Resume: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "End a pause.",
            discussion: """
                EXAMPLES:
                  weir connector resume kev
                """)
        @Argument(help: "Its name or id.") var connector: String
        @OptionGroup var node: NodeOptions

        func run() async throws { try await ConnectorOrders.give("resume", connector, node) }
    }

    struct Reset: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Forget a connector's state, so that it imports from the beginning.",
            discussion: """
                What it has pushed stays; only its own notes of how far it was are gone. A process of its own hears of \
                it with its next ping, within 40 s.

                EXAMPLES:
                  weir connector reset kev          asks first
                  weir connector reset kev --yes
                """)
        @Argument(help: "Its name or id.") var connector: String
        @Flag(help: "Do not ask.") var yes = false
        @OptionGroup var node: NodeOptions

        func run() async throws {
            try await ConnectorOrders.give("reset", connector, node) { view in
                if yes { return }
                let state = view.state.map { Printable.line(String($0.prefix(200))) } ?? "(none)"
                guard isatty(STDIN_FILENO) == 1 else {
                    Terminal.error.line(
                        "weir: this forgets the state of \(Printable.line(view.name)): \(state). Say `--yes` when that "
                            + "is what you want.")
                    throw ExitCode.usage
                }
                Terminal.error.line("The state of \(Printable.line(view.name)) is \(state).")
                Terminal.error.line("Forget it, so that it imports from the beginning? Type yes:")
                guard readLine() == "yes" else { throw ExitCode.failed }
            }
        }
    }
}

/// What can be told to a connector, by its name or id.
enum ConnectorOrders {
    /// - Parameter confirm: looks at the connector first; throws when it is not to be done.
    static func give(
        _ order: String, _ name: String, _ node: NodeOptions, confirm: (ConnectorView) throws -> Void = { _ in }
    ) async throws {
        try await node.withClient { client in
            let found = try find(name, try await client.get([ConnectorView].self, "/api/v1/connectors"))
            try confirm(found)
            let view = try await client.post(
                ConnectorView.self, "/api/v1/connectors/\(PathSegment.encode(found.id))/\(order)")
            Terminal.out.line(
                "\(Printable.line(view.name)) is \(view.activity); next run: \(view.shown.nextRun); "
                    + "state: \(Printable.line(view.state.map { String($0.prefix(200)) } ?? "none"))")
        }
    }

    /// - Throws: when none has this name or id, or several do.
    static func find(_ name: String, _ all: [ConnectorView]) throws -> ConnectorView {
        if let found = all.first(where: { $0.id == name }) { return found }
        let found = all.filter { $0.name == name }
        guard let only = found.first else {
            throw Unknown.failure("connector", name, all.flatMap { [$0.name, $0.id] })
        }
        guard found.count == 1 else {
            throw APIClient.Failure(
                text: "\(found.count) connectors are named '\(Printable.line(name))'. Say the id: "
                    + found.map { Printable.line($0.id) }.joined(separator: ", ") + ".", exit: .failed)
        }
        return only
    }
}
