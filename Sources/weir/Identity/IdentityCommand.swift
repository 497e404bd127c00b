import ArgumentParser
import FoundationEssentials
import WeirConsole

/// `weir identity`: what administrators of identity do.
struct IdentityCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "identity",
        abstract: "Keys that lift the 5 % of large silos, and the audit.",
        discussion: """
            EXAMPLES:
              weir identity override --term 24h --silo ad --second anna --reason merger
              weir identity overrides
              weir identity audit
            """,
        subcommands: [Override.self, Overrides.self, Audit.self])

    struct Override: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Issue a key: limits above 5 % count on large silos while it is good.",
            discussion: """
                A second person must agree; both stand in the audit. On this machine names are what is said: keep the \
                account that may run this to those who may decide it.

                EXAMPLES:
                  weir identity override --term 7d --second anna --reason "the merger"
                """)

        @Option(help: "24h, 7d or permanent.") var term: String
        @Option(help: "Only for this silo; all without it.") var silo: String?
        @Option(help: "Who agrees: another person than you.") var second: String
        @Option(help: ArgumentHelp("Why, for the audit.", valueName: "text")) var reason: String
        @Flag(help: "Do not ask.") var yes = false
        @OptionGroup var embedded: EmbeddedOptions
        @OptionGroup var node: NodeOptions

        func run() async throws {
            try await Embedded.client(embedded.config, node) { client in
                if !yes {
                    try Confirmation.ask(
                        "This lifts the limit of 5 % \(silo.map { "of \(Printable.line($0))" } ?? "everywhere")",
                        needsYes: true)
                }
                var path = "/api/v1/overrides?term=\(PathSegment.encode(term))&second=\(PathSegment.encode(second))"
                if let silo { path += "&silo=\(PathSegment.encode(silo))" }
                let key = try await client.post(
                    IdentityAPI.Override.self, path, body: AuditNote.body(why: reason))
                Terminal.out.line("Key \(key.id) is good \(key.until.map { "until \($0)" } ?? "for ever").")
            }
        }
    }

    struct Overrides: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List keys.", discussion: "EXAMPLES:\n  weir identity overrides")

        @Option(name: .shortAndLong, help: "table, json, jsonl or yaml.") var output = OutputFormat.table
        @OptionGroup var embedded: EmbeddedOptions
        @OptionGroup var node: NodeOptions

        func run() async throws {
            try await Embedded.client(embedded.config, node) { client in
                let tree = try await client.tree("/api/v1/overrides")
                if let text = output.text(tree) { return Terminal.out.line(text) }
                let keys = try JSONText.decode([IdentityAPI.Override].self, from: Data(tree.json.utf8))
                if keys.isEmpty { return Terminal.error.line("No keys: 5 % is the most on large silos.") }
                Terminal.out.table(Listing.overrides(keys))
            }
        }
    }

    struct Audit: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List decisions, newest first.",
            discussion: "EXAMPLES:\n  weir identity audit --limit 500 -o jsonl")

        @Option(help: "As many at the most, 1 to 1,000.") var limit = 100
        @Option(name: .shortAndLong, help: "table, json, jsonl or yaml.") var output = OutputFormat.table
        @OptionGroup var embedded: EmbeddedOptions
        @OptionGroup var node: NodeOptions

        func run() async throws {
            try await Embedded.client(embedded.config, node) { client in
                let list = try await client.get(IdentityAPI.DecisionList.self, "/api/v1/decisions?limit=\(limit)")
                if let text = output.text(try Tree(Data(JSONText.encode(list.items).utf8))) {
                    return Terminal.out.line(text)
                }
                if list.items.isEmpty { return Terminal.error.line("Nobody has decided anything yet.") }
                Terminal.out.table(Listing.decisions(list.items))
            }
        }
    }
}
