import ArgumentParser
import WeirConsole
import WeirSettings

/// Names the nearest subcommand for one that does not exist; the argument parser does that for options only.
enum Suggestion {
    /// What to say about the arguments, or `nil` when the words before the first option are subcommands.
    static func text(for arguments: [String], of root: any ParsableCommand.Type) -> String? {
        var command = root
        for argument in arguments {
            let children = command.configuration.subcommands
            guard !argument.hasPrefix("-"), !children.isEmpty, argument != "help" else { return nil }
            if let child = children.first(where: { names($0).contains(argument) }) {
                command = child
                continue
            }
            // A default subcommand takes the word as its own argument.
            guard command.configuration.defaultSubcommand == nil else { return nil }
            let path = command == root ? root._commandName : "\(root._commandName) \(command._commandName)"
            // `weir gates` is meant as `weir get gates`.
            let kinds = command == root ? Kind.allCases.map { "get \($0.rawValue)" } : []
            let kind = Nearest.word("get " + argument, among: kinds)
            let nearest =
                (Nearest.word(argument, among: children.flatMap(names) + ["help"]) ?? kind)
                .map { " Did you mean '\(path) \($0)'?" } ?? ""
            return "'\(Printable.line(argument))' is not a subcommand of \(path).\(nearest) See '\(path) --help'."
        }
        return nil
    }

    /// Ends the process with a usage error when a subcommand is mistyped. Call it before the arguments are parsed.
    static func exitIfMistyped(_ arguments: [String], of root: any ParsableCommand.Type) {
        guard let text = text(for: arguments, of: root) else { return }
        Terminal.error.line("weir: \(text)")
        root.exit(withError: ExitCode.usage)
    }

    private static func names(_ command: any ParsableCommand.Type) -> [String] {
        [command._commandName] + command.configuration.aliases
    }
}
