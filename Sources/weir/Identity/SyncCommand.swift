import ArgumentParser
import FoundationEssentials
import WeirConsole

struct SyncCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sync",
        abstract: "Bring lists and directories in step: preview, run, scan.",
        discussion: """
            EXAMPLES:
              weir sync preview                       what would change, and what would wait
              weir sync run                           carry out what passes, ask about the rest
              weir sync preview --config weir.yaml    the same without a server
              weir sync scan hr                       read one silo
              weir sync accept SCAN --why "they moved"
            """,
        subcommands: [Preview.self, RunSync.self, Scan.self, Accept.self])

    /// What both kinds of sync take.
    struct Choice: ParsableArguments {
        @Option(help: "full, delta or single.") var kind = "full"
        @Option(help: ArgumentHelp("Only this one: an id, or silo:key.", valueName: "who")) var identity: String?
        @Flag(help: "Look at what is kept; read no silo.") var noScan = false
        @Option(help: ArgumentHelp("Rows to list; all with 0.", valueName: "rows")) var limit = 200
        @Option(help: "Only rows of this rule.") var rule: String?
        @Option(name: .shortAndLong, help: "table, json, jsonl or yaml.") var output = OutputFormat.table
        @Option(
            name: .shortAndLong, help: "Without a server: do it here, with this configuration. None may run meanwhile.")
        var config: String?

        func validate() throws {
            guard ["full", "delta", "single"].contains(kind) else {
                throw ValidationError("--kind is full, delta or single.")
            }
            guard limit >= 0 else { throw ValidationError("--limit is 0 or more.") }
        }

        var effectiveKind: String { identity == nil ? kind : "single" }
    }

    struct Preview: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show what would change and what would be held. Nothing is written.",
            discussion: """
                The exit code is 2 when there are changes, 0 when there are none.

                EXAMPLES:
                  weir sync preview
                  weir sync preview --identity hr:1017
                  weir sync preview -o json | jq '.triggers[] | select(.outcome == "suspended")'
                """)

        @OptionGroup var choice: Choice
        @OptionGroup var node: NodeOptions

        func run() async throws {
            try await Embedded.client(choice.config, node) { client in
                let done = try await SyncRun(choice: choice, mode: "preview").run(client)
                if done.triggered > 0 { throw ExitCode(Outcome.differences.rawValue) }
            }
        }
    }

    struct RunSync: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "run",
            abstract: "Carry out what passes; what trips a catch waits for a person.",
            discussion: """
                The exit code is 0 when it has run, also when something waits: `weir get reviews` shows that.

                EXAMPLES:
                  weir sync run
                  weir sync run --kind delta
                  weir sync run --identity hr:1017
                """)

        @OptionGroup var choice: Choice
        @OptionGroup var node: NodeOptions

        func run() async throws {
            try await Embedded.client(choice.config, node) { client in
                let done = try await SyncRun(choice: choice, mode: "commit").run(client)
                guard choice.output == .table, done.count("suspended") > 0 else { return }
                Terminal.error.line("`weir get reviews` shows what waits, `weir approve RULE` lets it go.")
            }
        }
    }

    struct Scan: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Read silos without syncing.",
            discussion: """
                EXAMPLES:
                  weir sync scan             all silos
                  weir sync scan hr --delta
                """)

        @Argument(help: "The silo; all without one.") var silo: String?
        @Flag(help: "Only what changed, where the silo can say that.") var delta = false
        @Option(name: .shortAndLong, help: "table, json, jsonl or yaml.") var output = OutputFormat.table
        @Option(name: .shortAndLong, help: "Without a server: do it here, with this configuration.")
        var config: String?
        @OptionGroup var node: NodeOptions

        func run() async throws {
            try await Embedded.client(config, node) { client in
                let whose = silo.map { "&silo=\(PathSegment.encode($0))" } ?? ""
                let tree = try await client.post(
                    Tree.self, "/api/v1/scans?full=\(delta ? 0 : 1)\(whose)", minutes: 60)
                if let text = output.text(tree) { return Terminal.out.line(text) }
                let scans = try JSONText.decode([IdentityAPI.Scan].self, from: Data(tree.json.utf8))
                Terminal.out.table(Listing.scans(scans))
                if scans.contains(where: { !["complete", "accepted"].contains($0.status) }) { throw ExitCode.held }
            }
        }
    }

    struct Accept: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Say that a quarantined scan is right: what it found missing is gone.",
            discussion: """
                EXAMPLES:
                  weir get silos
                  weir sync accept 7f3a --why "the branch was sold"
                """)

        @Argument(help: "The scan, as `weir get silos` shows it.") var scan: String
        @Option(help: ArgumentHelp("Why, for the audit.", valueName: "text")) var why = ""
        @Flag(help: "Do not ask.") var yes = false
        @Option(name: .shortAndLong, help: "Without a server: do it here, with this configuration.")
        var config: String?
        @OptionGroup var node: NodeOptions

        func run() async throws {
            try await Embedded.client(config, node) { client in
                let deed = "This takes what the scan \(Printable.line(scan)) did not find for gone"
                if !yes { try Confirmation.ask(deed, needsYes: true) }
                let done = try await client.post(
                    IdentityAPI.Decided.self, "/api/v1/scans/\(PathSegment.encode(scan))/accept",
                    body: AuditNote.body(why: why))
                Terminal.out.line(Printable.line(done.text))
            }
        }
    }
}

/// Starts a sync and shows how far it is, then what came of it.
struct SyncRun {
    let choice: SyncCommand.Choice
    let mode: String

    func run(_ client: APIClient) async throws -> IdentityAPI.Sync {
        var path = "/api/v1/syncs?kind=\(choice.effectiveKind)&mode=\(mode)&scan=\(choice.noScan ? 0 : 1)"
        if let identity = choice.identity { path += "&identity=\(PathSegment.encode(identity))" }
        let bar = ProgressBar()
        var last: IdentityAPI.SyncLine?
        // A day: a full sync of a slow directory takes its time.
        try await client.lines(path, method: "POST", seconds: 86_400) { line in
            let step = try JSONText.decode(IdentityAPI.SyncLine.self, from: Data(line))
            if let progress = step.progress { bar.show(progress) } else { last = step }
            return true
        }
        bar.clear()
        if let problem = last?.problem {
            throw APIClient.Failure(
                text: problem.text, exit: ["busy", "unavailable"].contains(problem.kind) ? .tryAgain : .failed,
                code: problem.code)
        }
        guard let sync = last?.sync else { throw client.foreign }
        try await show(sync, client)
        if let failure = sync.failure { throw APIClient.Failure(text: failure, exit: .failed) }
        return sync
    }

    private func show(_ sync: IdentityAPI.Sync, _ client: APIClient) async throws {
        let rows = try await triggers(sync, client)
        guard choice.output == .table else {
            let tree = Tree.object([
                "sync": try Tree(Data(JSONText.encode(sync).utf8)),
                "triggers": try Tree(Data(JSONText.encode(rows).utf8)),
            ])
            if let text = choice.output.text(tree) { Terminal.out.line(text) }
            return
        }
        let out = Terminal.out
        if !rows.isEmpty { out.table(Listing.triggers(rows)) }
        if rows.count < sync.triggered, choice.rule == nil {
            out.line("… \(sync.triggered - rows.count) more: `--limit 0` lists all.")
        }
        if !rows.isEmpty { out.line("") }
        out.table(Listing.counts(sync))
        for problem in sync.problems.prefix(20) {
            Terminal.error.line("\(problem.code): \(Printable.line(problem.text))")
        }
        out.line(summary(sync))
    }

    private func summary(_ sync: IdentityAPI.Sync) -> String {
        if sync.triggered == 0 { return "Nothing to change: \(sync.identities) identities are as the rules say." }
        let held = sync.count("suspended")
        let others = ["throttled", "postponed", mode == "preview" ? nil : "skipped", "failed"].compactMap(\.self)
            .compactMap { outcome in
                let count = sync.count(outcome)
                return count > 0 ? "\(count) \(outcome)" : nil
            }
        let tail = (others.isEmpty ? "" : ", " + others.joined(separator: ", ")) + "."
        return mode == "preview"
            ? "Preview: \(sync.triggered) changes; \(sync.count("skipped")) would run, \(held) would wait\(tail)"
            : "Run \(sync.id): \(sync.triggered) changes; \(sync.count("executed")) executed, \(held) wait\(tail)"
    }

    private func triggers(_ sync: IdentityAPI.Sync, _ client: APIClient) async throws -> [IdentityAPI.Trigger] {
        var rows: [IdentityAPI.Trigger] = []
        var after: String?
        repeat {
            let left = choice.limit == 0 ? 1_000 : min(1_000, choice.limit - rows.count)
            var path = "/api/v1/syncs/\(PathSegment.encode(sync.id))/triggers?limit=\(left)"
            if let rule = choice.rule { path += "&rule=\(PathSegment.encode(rule))" }
            if let after { path += "&after=\(PathSegment.encode(after))" }
            let page = try await client.get(IdentityAPI.TriggerList.self, path)
            rows += page.items
            after = page.next
        } while after != nil && (choice.limit == 0 || rows.count < choice.limit)
        return rows
    }
}

/// A bar on a terminal; nothing elsewhere.
final class ProgressBar {
    private let out = Terminal.error
    private var isShown = false

    func show(_ progress: IdentityAPI.Progress) {
        guard out.isTerminal else { return }
        isShown = true
        let width = 24
        let filled = progress.all > 0 ? min(width, width * progress.done / progress.all) : 0
        let bar = String(repeating: "#", count: filled) + String(repeating: ".", count: width - filled)
        let counts = progress.all > 0 ? " \(progress.done) of \(progress.all)" : ""
        let text = "[\(bar)] \(progress.phase) \(Printable.line(progress.at))\(counts)"
        out.write("\r\u{1B}[K" + Display.cut(text, to: (out.size?.columns ?? 80) - 1))
    }

    func clear() {
        if isShown { out.write("\r\u{1B}[K") }
        isShown = false
    }
}
