import ArgumentParser
import FoundationEssentials
import WeirConsole

#if canImport(Glibc)
    import Glibc
#endif

/// Decides one action, or all that a rule holds.
protocol DecisionCommand: AsyncParsableCommand {
    static var verb: String { get }
    /// `approves`, for "This approves 12 actions".
    static var deed: String { get }
    var choice: DecisionChoice { get }
    var exceptVip: Bool { get }
    var mute: Bool { get }
}

/// What all decisions take.
struct DecisionChoice: ParsableArguments {
    @Argument(help: "An action's id; RUN/RULE; or a rule: then all that it holds, of any run.") var what: String
    @Option(help: ArgumentHelp("With a rule: only what this run holds.", valueName: "run")) var run: String?
    @Option(
        name: [.long, .customLong("why")], help: ArgumentHelp("Why, for the audit.", valueName: "text")) var reason = ""
    @Flag(help: "Do not ask.") var yes = false
    @OptionGroup var embedded: EmbeddedOptions
    @OptionGroup var node: NodeOptions

    func validate() throws {
        if what.contains("/"), run != nil { throw ValidationError("Write RUN/RULE, or RULE --run RUN.") }
    }

    /// A run and a rule, where both were said; else a rule or an action.
    var parts: (run: String?, name: String) {
        guard let slash = what.firstIndex(of: "/") else { return (run, what) }
        return (String(what[..<slash]), String(what[what.index(after: slash)...]))
    }
}

extension DecisionCommand {
    var exceptVip: Bool { false }
    var mute: Bool { false }

    func run() async throws {
        try await Embedded.client(choice.embedded.config, choice.node) { client in
            let (run, name) = choice.parts
            let holds = try await client.get([IdentityAPI.Review].self, "/api/v1/reviews").filter {
                $0.rule == name && (run == nil || $0.run.hasPrefix(run ?? ""))
            }
            if !holds.isEmpty { return try await decide(holds, client) }
            if let run {
                // Nothing of it waits; what was approved may still be taken back.
                let deed = "This \(Self.deed) all of \(Printable.line(name)) in the run \(Printable.line(run))"
                if !choice.yes { try Confirmation.ask(deed, needsYes: true) }
                return try await send(client, Self.path(run, name) + query)
            }
            try await send(client, "/api/v1/actions/\(PathSegment.encode(name))/\(Self.verb)\(query)")
        }
    }

    private var query: String { "?mute=\(mute ? 1 : 0)" }

    private static func path(_ run: String, _ rule: String) -> String {
        "/api/v1/reviews/\(PathSegment.encode(run))/\(PathSegment.encode(rule))/\(verb)"
    }

    private func decide(_ holds: [IdentityAPI.Review], _ client: APIClient) async throws {
        let text = DecisionText(deed: Self.deed, holds: holds, exceptsVIP: exceptVip)
        if text.count == 0 { return Terminal.out.line("Nothing is left: all that waits is on VIPs.") }
        if !choice.yes { try Confirmation.ask(text.sentence, typing: text.count) }
        for hold in holds {
            // Bound to what was counted above: one that changed meanwhile is refused.
            try await send(
                client,
                Self.path(hold.run, hold.rule) + query + "&except_vip=\(exceptVip ? 1 : 0)"
                    + "&fingerprint=\(PathSegment.encode(hold.digest))")
        }
        if Self.verb == "approve" {
            Terminal.error.line("It runs in the next committed sync: `weir sync run\(choice.embedded.again)`.")
        }
    }

    private func send(_ client: APIClient, _ path: String) async throws {
        let done = try await client.post(IdentityAPI.Decided.self, path, body: AuditNote.body(why: choice.reason))
        Terminal.out.line(DecisionText.done(done))
    }
}

extension Confirmation {
    /// Asks for the number of what is decided: who types it has read it.
    static func ask(_ deed: String, typing count: Int) throws {
        guard isatty(STDIN_FILENO) == 1 else { return try ask(deed, needsYes: true) }
        Terminal.error.line("\(deed). Type \(count):")
        guard readLine() == "\(count)" else {
            Terminal.error.line("Nothing was done.")
            throw ExitCode.failed
        }
    }
}
