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

            On a terminal each of them asks first, unless `--yes` is said.
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

        static func question(_ view: ConnectorView) -> String {
            "This runs \(Printable.line(view.name)) now, once"
        }

        static func done(_ view: ConnectorView) -> String {
            let begin = view.full ? "when its work queue has room (\(view.shown.serverCapacity))" : "now"
            return "\(Printable.line(view.name)) runs \(begin); `weir describe connector \(Printable.line(view.id))` "
                + "shows how it goes"
        }
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

        static func question(_ view: ConnectorView) -> String {
            "This stops the run of \(Printable.line(view.name)) that is under way"
        }
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

        static func question(_ view: ConnectorView) -> String {
            "This pauses \(Printable.line(view.name)): no run starts, and what it pushes waits"
        }
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

        static func question(_ view: ConnectorView) -> String {
            "This ends the pause of \(Printable.line(view.name))"
        }
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
        static let needsYes = true
        @OptionGroup var target: ConnectorTarget

        static func question(_ view: ConnectorView) -> String {
            let state = view.state.map { Printable.line(String($0.prefix(200))) } ?? "(none)"
            return "This forgets the state of \(Printable.line(view.name)), so that it imports from the beginning; "
                + "the state is \(state)"
        }
    }
}

/// Which connector is meant, and what is written down with the order.
struct ConnectorTarget: ParsableArguments {
    @Argument(help: "Its name or id.") var connector: String
    @Option(help: ArgumentHelp("Why, for the audit.", valueName: "text")) var why = ""
    @Flag(help: "Do not ask.") var yes = false
    @OptionGroup var node: NodeOptions

    /// For the audit.
    var note: Tree { AuditNote.body(why: why) }
}

/// What is written down with an order: who gave it, and why.
enum AuditNote {
    static func body(why: String) -> Tree {
        // Nobody signs in to the API: the name is what this machine calls the user.
        .object(["who": .string(ProcessInfo.processInfo.userName), "why": .string(why)])
    }
}

/// Tells a connector one thing. On a terminal it asks first; a script is asked only where something is lost for good.
protocol ConnectorOrderCommand: AsyncParsableCommand {
    /// Its name in the API.
    static var order: String { get }
    /// True where it cannot be taken back: a script must say `--yes`.
    static var needsYes: Bool { get }
    /// What is about to happen, as a sentence.
    static func question(_ view: ConnectorView) -> String
    /// What is so now.
    static func done(_ view: ConnectorView) -> String
    var target: ConnectorTarget { get }
}

extension ConnectorOrderCommand {
    static var needsYes: Bool { false }

    static func done(_ view: ConnectorView) -> String {
        "\(Printable.line(view.name)) is \(view.shown.state); next run: \(view.shown.nextRun); "
            + "state: \(Printable.line(view.state.map { String($0.prefix(200)) } ?? "none"))"
    }

    func run() async throws {
        try await target.node.withClient { client in
            let found = try await client.get(ConnectorView.self, ConnectorPath.of(target.connector))
            if !target.yes { try Confirmation.ask(Self.question(found), needsYes: Self.needsYes) }
            let view = try await client.post(
                ConnectorView.self, ConnectorPath.of(found.id) + "/" + Self.order,
                body: target.note)
            Terminal.out.line(Self.done(view))
        }
    }
}

/// The question before something is done.
enum Confirmation {
    /// - Parameter needsYes: where nobody can be asked it is not done.
    /// - Throws: an exit code when it is not to be done.
    static func ask(_ deed: String, needsYes: Bool) throws {
        guard isatty(STDIN_FILENO) == 1 else {
            guard needsYes else { return }
            Terminal.error.line("weir: \(deed). Say `--yes` when that is what you want.")
            throw ExitCode.usage
        }
        Terminal.error.line("\(deed). Type yes:")
        guard readLine() == "yes" else {
            Terminal.error.line("Nothing was done.")
            throw ExitCode.failed
        }
    }
}

enum ConnectorPath {
    static let list = "/api/v1/connectors"

    /// - Parameter name: name or id.
    static func of(_ name: String) -> String { "\(list)/\(PathSegment.encode(name))" }
}
