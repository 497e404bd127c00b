import ArgumentParser
import WeirConsole

/// Where commands about identity find a node: one that runs, or one that lives for the command.
struct EmbeddedOptions: ParsableArguments {
    @Option(
        name: .shortAndLong,
        help: ArgumentHelp(
            "Without a server: do it here, with this configuration. No server may run on its data meanwhile.",
            valueName: "file"))
    var config: String?

    /// For commands that are proposed: `--config FILE` again where it was said.
    var again: String { config.map { " --config \(Printable.line($0))" } ?? "" }
}
