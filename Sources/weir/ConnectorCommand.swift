import ArgumentParser
import FoundationEssentials
import Glibc
import WeirConsole

struct ConnectorCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "connector",
        abstract: "Run, stop, pause, resume or reset a connector; look at its dead letters.",
        discussion: """
            What is done is kept with the time, the user and `--why`: `weir describe connector NAME` shows it.

            EXAMPLES:
              weir get connectors --state trouble
              weir describe connector kev
              weir connector run kev
              weir connector pause kev --why "the feed is broken"
              weir connector reset kev --yes
            """,
        subcommands: [RunNow.self, Terminate.self, Pause.self, Resume.self, Reset.self, DeadLetters.self])

    struct RunNow: ConnectorOrderCommand {
        static let configuration = CommandConfiguration(
            commandName: "run", abstract: "Run a connector of Weir's own now, once.",
            discussion: """
                Its gate is asked all the same: while its work queue is full the run waits. A connector with a process \
                of its own starts its runs itself.

                EXAMPLES:
                  weir connector run kev
                """)
        static let order = "run"
        @OptionGroup var target: ConnectorTarget
    }

    struct Terminate: ConnectorOrderCommand {
        static let configuration = CommandConfiguration(
            abstract: "Stop the run under way of a connector of Weir's own.",
            discussion: """
                It counts as not run: its state and its last run stay. What it has pushed is delivered; the next run \
                comes at its time.

                EXAMPLES:
                  weir connector terminate kev --why "it fetches the wrong year"
                """)
        static let order = "terminate"
        @OptionGroup var target: ConnectorTarget
    }

    struct Pause: ConnectorOrderCommand {
        static let configuration = CommandConfiguration(
            abstract: "Start no run of a connector, and let what it pushes wait.",
            discussion: """
                EXAMPLES:
                  weir connector pause kev
                  weir connector pause kev --why "the feed is broken"
                """)
        static let order = "pause"
        @OptionGroup var target: ConnectorTarget
    }

    struct Resume: ConnectorOrderCommand {
        static let configuration = CommandConfiguration(
            abstract: "End a pause.",
            discussion: """
                EXAMPLES:
                  weir connector resume kev
                """)
        static let order = "resume"
        @OptionGroup var target: ConnectorTarget
    }

    struct Reset: ConnectorOrderCommand {
        static let configuration = CommandConfiguration(
            abstract: "Forget a connector's state, so that it imports from the beginning.",
            discussion: """
                What it has pushed stays; only its own notes of how far it was are gone. A process of its own hears of \
                it with its next ping, within 40 s.

                EXAMPLES:
                  weir connector reset kev          asks first
                  weir connector reset kev --yes
                """)
        static let order = "reset"
        @OptionGroup var target: ConnectorTarget
        @Flag(help: "Do not ask.") var yes = false

        func confirm(_ view: ConnectorView) throws {
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

/// Which connector is meant, and what is written down with the order.
struct ConnectorTarget: ParsableArguments {
    @Argument(help: "Its name or id.") var connector: String
    @Option(help: ArgumentHelp("Why, for the audit.", valueName: "text")) var why = ""
    @OptionGroup var node: NodeOptions

    /// For the audit.
    var note: Tree {
        // Nobody signs in to the API: the name is what this machine calls the user.
        let who = ProcessInfo.processInfo.environment["USER"] ?? ""
        return .object(["who": .string(who), "why": .string(why)])
    }
}

/// Tells a connector one thing.
protocol ConnectorOrderCommand: AsyncParsableCommand {
    /// Its name in the API.
    static var order: String { get }
    var target: ConnectorTarget { get }
    /// - Throws: when it is not to be done after all.
    func confirm(_ view: ConnectorView) throws
}

extension ConnectorOrderCommand {
    func confirm(_ view: ConnectorView) throws {}

    func run() async throws {
        try await target.node.withClient { client in
            let found = try await client.get(ConnectorView.self, ConnectorPath.of(target.connector))
            try confirm(found)
            let view = try await client.post(
                ConnectorView.self, ConnectorPath.of(found.id) + "/" + Self.order,
                body: target.note)
            Terminal.out.line(
                "\(Printable.line(view.name)) is \(view.shown.state); next run: \(view.shown.nextRun); "
                    + "state: \(Printable.line(view.state.map { String($0.prefix(200)) } ?? "none"))")
        }
    }
}

enum ConnectorPath {
    static let list = "/api/v1/connectors"

    /// - Parameter name: name or id.
    static func of(_ name: String) -> String { "\(list)/\(PathSegment.encode(name))" }
}
