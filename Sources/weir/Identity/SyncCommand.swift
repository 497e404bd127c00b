import ArgumentParser
import FoundationEssentials
import WeirConsole

/// `weir sync`: lists and directories are brought in step.
struct SyncCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sync",
        abstract: "Bring lists and directories in step: preview, run, scan, accept, status.",
        discussion: """
            EXAMPLES:
              weir sync preview                     what would change and what would wait
              weir sync run                         carry out what passes, ask of the rest
              weir sync status                      what runs, what waits, how fresh it is
              weir sync preview --config weir.yaml  the same without a server
              weir sync scan hr                     read one silo
              weir sync accept SCAN --reason "they moved"
            """,
        subcommands: [SyncPreview.self, SyncRun.self, SyncScan.self, SyncAccept.self, SyncStatus.self])
}

/// Whom a sync looks at.
enum SyncReach: String, EnumerableFlag {
    case full, delta

    static func help(for value: SyncReach) -> ArgumentHelp? {
        switch value {
        case .full: "Look at everybody."
        case .delta: "Look at what has changed since the last sync, and at what was approved or put off."
        }
    }
}

/// What previews and runs take.
struct SyncChoice: ParsableArguments {
    @Flag var reach = SyncReach.full
    @Option(
        name: [.long, .customLong("identity", withSingleDash: false)],
        help: ArgumentHelp("Look at this one only: an id, or silo:key as in hr:1017.", valueName: "identity"))
    var only: String?
    @Flag(help: "Look at what is kept; read no silo.") var noScan = false
    @Option(help: ArgumentHelp("Show rows of this rule only. All rules are planned.", valueName: "rule"))
    var rule: String?
    @Option(help: ArgumentHelp("Rows to show. Default: 200 in a table, all else.", valueName: "rows"))
    var limit: Int?
    @Option(name: .shortAndLong, help: "table, json, jsonl or yaml. jsonl has the rows, one a line.")
    var output = OutputFormat.table
    @OptionGroup var embedded: EmbeddedOptions
    @OptionGroup var node: NodeOptions

    func validate() throws {
        if let limit, limit < 1 { throw ValidationError("--limit is 1 or more.") }
    }

    var rowsMost: Int { limit ?? (output == .table ? 200 : .max) }

    func query(mode: String) -> String {
        let kind = only == nil ? reach.rawValue : "single"
        let who = only.map { "&identity=\(PathSegment.encode($0))" } ?? ""
        return "?kind=\(kind)&mode=\(mode)&scan=\(noScan ? 0 : 1)\(who)"
    }
}
