import ArgumentParser
import CWeirSystem
import Glibc
import WeirNode

/// The command `weir`. Each subcommand is a file of its own and holds no logic but printing.
@main
struct Weir: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "weir",
        abstract: "Moves events between systems that cannot all keep up, and never sends one more than it can take.",
        discussion: """
            First steps:
              weir demo                       a running Weir to look at
              weir check weir.yaml            is this configuration right?
              weir run --config weir.yaml     run it
              weir get gates                  what is held, and why
              weir why siem                   one gate, explained

            Exit codes: 0 ok, 1 failed, 2 differences, 3 held or unhealthy, 64 usage, 69 unreachable, 75 try again, \
            77 not allowed, 78 configuration; `weir exit-codes` says more.
            """,
        version: Release.version,
        subcommands: [
            Demo.self, Run.self, Check.self, Eval.self, SchemaCommand.self, Get.self, Describe.self, Why.self, Tap.self,
            Top.self, Hold.self, ReleaseCommand.self, ConnectorCommand.self, TunnelCommand.self, SyncCommand.self,
            Approve.self, Reject.self, Revoke.self, Extend.self, IdentityCommand.self,
            AgentCommand.self, QueueCommand.self,
            Bench.self,
            ExitCodes.self,
        ])

    static func main() async {
        // Large buffers come and go with every batch: without this each one is mapped, zeroed and unmapped by the
        // kernel.
        weir_tune_memory()
        // A reader of standard output that has gone is an error of the write, not the end of the process.
        signal(SIGPIPE, SIG_IGN)
        Suggestion.exitIfMistyped(Array(CommandLine.arguments.dropFirst()), of: Weir.self)
        do {
            var command = try parseAsRoot()
            if var asynchronous = command as? any AsyncParsableCommand {
                try await asynchronous.run()
            } else {
                try command.run()
            }
        } catch {
            exit(withError: error)
        }
    }
}
