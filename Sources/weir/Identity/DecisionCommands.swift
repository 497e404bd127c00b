import ArgumentParser
import FoundationEssentials
import WeirConsole

struct Approve: DecisionCommand {
    static let configuration = CommandConfiguration(
        abstract: "Approve what waits for a decision: one action, or all of a rule.",
        discussion: """
            Nothing runs at once: what is approved runs in the next sync that is committed, if the change is still the \
            same.

            EXAMPLES:
              weir get reviews
              weir approve offboard --except-vip --reason "ticket HR-118"
              weir approve offboard --run 01J9 --yes
              weir approve 01J9X2QF --reason "asked her"
            """)
    static let verb = "approve"
    static let deed = "approves"

    @Argument(help: "A rule, or the id of an action.") var what: String
    @Option(help: "Only what this run holds.") var run: String?
    @Flag(help: "Leave actions on VIPs undecided.") var exceptVip = false
    @Option(help: ArgumentHelp("Why, for the audit.", valueName: "text")) var reason = ""
    @Flag(help: "Do not ask.") var yes = false
    @Option(name: .shortAndLong, help: "Without a server: do it here, with this configuration.") var config: String?
    @OptionGroup var node: NodeOptions

    func run() async throws { try await decide(exceptVIP: exceptVip, mutes: false) }
}

struct Reject: DecisionCommand {
    static let configuration = CommandConfiguration(
        abstract: "Reject what waits for a decision: one action, or all of a rule.",
        discussion: """
            With --mute they are not asked about again until the change is another one. Without it the same actions \
            may trigger again, and run where they are few.

            EXAMPLES:
              weir reject offboard --mute --reason "the list was wrong"
              weir reject 01J9X2QF
            """)
    static let verb = "reject"
    static let deed = "rejects"

    @Argument(help: "A rule, or the id of an action.") var what: String
    @Option(help: "Only what this run holds.") var run: String?
    @Flag(help: "Do not ask again until the change is another one.") var mute = false
    @Flag(help: "Leave actions on VIPs undecided.") var exceptVip = false
    @Option(help: ArgumentHelp("Why, for the audit.", valueName: "text")) var reason = ""
    @Flag(help: "Do not ask.") var yes = false
    @Option(name: .shortAndLong, help: "Without a server: do it here, with this configuration.") var config: String?
    @OptionGroup var node: NodeOptions

    func run() async throws { try await decide(exceptVIP: exceptVip, mutes: mute) }
}

struct Revoke: DecisionCommand {
    static let configuration = CommandConfiguration(
        abstract: "Take an approval back, as long as no sync has begun to carry it out.",
        discussion: """
            EXAMPLES:
              weir revoke offboard --run 01J9 --reason "too early"
              weir revoke 01J9X2QF
            """)
    static let verb = "revoke"
    static let deed = "takes back the approval of"

    @Argument(help: "A rule (with --run), or the id of an action.") var what: String
    @Option(help: "What was approved of this run.") var run: String?
    @Option(help: ArgumentHelp("Why, for the audit.", valueName: "text")) var reason = ""
    @Flag(help: "Do not ask.") var yes = false
    @Option(name: .shortAndLong, help: "Without a server: do it here, with this configuration.") var config: String?
    @OptionGroup var node: NodeOptions

    func run() async throws { try await decide(exceptVIP: false, mutes: false) }
}

/// Decides one action, or all that a rule holds.
protocol DecisionCommand: AsyncParsableCommand {
    static var verb: String { get }
    static var deed: String { get }
    var what: String { get }
    var run: String? { get }
    var reason: String { get }
    var yes: Bool { get }
    var config: String? { get }
    var node: NodeOptions { get }
}

extension DecisionCommand {
    func decide(exceptVIP: Bool, mutes: Bool) async throws {
        try await Embedded.client(config, node) { client in
            let query = "?\(mutes ? "mute=1" : "mute=0")"
            let holds = try await client.get([IdentityAPI.Review].self, "/api/v1/reviews").filter {
                $0.rule == what && (run == nil || $0.run == run)
            }
            if !holds.isEmpty {
                try confirm(holds, exceptVIP: exceptVIP)
                for hold in holds {
                    // Bound to what was counted above: one that changed meanwhile is refused.
                    try await send(
                        client,
                        "\(Self.path(hold.run, hold.rule))\(query)&except_vip=\(exceptVIP ? 1 : 0)"
                            + "&fingerprint=\(PathSegment.encode(hold.digest))")
                }
                return
            }
            if let run {
                if !yes { try Confirmation.ask("This \(Self.deed) all of \(Printable.line(what))", needsYes: true) }
                return try await send(client, "\(Self.path(run, what))\(query)&except_vip=\(exceptVIP ? 1 : 0)")
            }
            try await send(client, "/api/v1/actions/\(PathSegment.encode(what))/\(Self.verb)\(query)")
        }
    }

    private static func path(_ run: String, _ rule: String) -> String {
        "/api/v1/reviews/\(PathSegment.encode(run))/\(PathSegment.encode(rule))/\(verb)"
    }

    private func confirm(_ holds: [IdentityAPI.Review], exceptVIP: Bool) throws {
        let vips = holds.reduce(0) { $0 + $1.vip }
        let count = holds.reduce(0) { $0 + $1.suspended } - (exceptVIP ? vips : 0)
        let about = vips > 0 ? exceptVIP ? ", without \(vips) on VIPs" : ", \(vips) of them on VIPs" : ""
        let deed = "This \(Self.deed) \(count) actions of \(Printable.line(what))\(about)"
        if !yes { try Confirmation.ask(deed, needsYes: Self.verb == "approve" && count > 1) }
    }

    private func send(_ client: APIClient, _ path: String) async throws {
        let done = try await client.post(IdentityAPI.Decided.self, path, body: AuditNote.body(why: reason))
        var text = Printable.line(done.text)
        if text.isEmpty { text = "\(done.changed) decided." }
        if done.waitsForSecond { text += " One more person must approve." }
        Terminal.out.line(text)
    }
}

struct IdentityCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "identity",
        abstract: "Keys that lift the 5 % of large silos, and the audit.",
        discussion: """
            EXAMPLES:
              weir identity override --term 24h --silo ad --second anna --reason "the merger"
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
        @OptionGroup var node: NodeOptions

        func run() async throws {
            try await node.withClient { client in
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
        @OptionGroup var node: NodeOptions

        func run() async throws {
            try await node.withClient { client in
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
        @OptionGroup var node: NodeOptions

        func run() async throws {
            try await node.withClient { client in
                let list = try await client.get(IdentityAPI.DecisionList.self, "/api/v1/decisions?limit=\(limit)")
                if let text = output.text(try Tree(Data(JSONText.encode(list.items).utf8))) {
                    return Terminal.out.line(text)
                }
                Terminal.out.table(Listing.decisions(list.items))
            }
        }
    }
}
