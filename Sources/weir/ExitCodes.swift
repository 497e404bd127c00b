import ArgumentParser

/// What the process returns, the same for every subcommand.
enum Outcome: Int32, CaseIterable {
    case ok = 0
    case failed = 1
    case differences = 2
    case held = 3
    case usage = 64
    case unreachable = 69
    case tryAgain = 75
    case notAllowed = 77
    case configuration = 78

    var meaning: String {
        switch self {
        case .ok: "ok"
        case .failed: "failed: what was asked for could not be done; the message says why"
        case .differences: "differences: two things that were compared are not the same"
        case .held: "held or unhealthy: it was looked at, and not all is well"
        case .usage: "usage: an unknown subcommand, option or value"
        case .unreachable: "unreachable: no Weir answers at the address"
        case .tryAgain: "try again: the same call may succeed later"
        case .notAllowed: "not allowed: the node refuses it"
        case .configuration: "configuration: it is wrong, and nothing was started"
        }
    }
}

extension ExitCode {
    static let failed = ExitCode(Outcome.failed.rawValue)
    static let held = ExitCode(Outcome.held.rawValue)
    static let usage = ExitCode(Outcome.usage.rawValue)
    static let unreachable = ExitCode(Outcome.unreachable.rawValue)
    static let tryAgain = ExitCode(Outcome.tryAgain.rawValue)
    static let notAllowed = ExitCode(Outcome.notAllowed.rawValue)
    static let configuration = ExitCode(Outcome.configuration.rawValue)
}

/// `weir exit-codes`, also found by `weir help exit-codes`.
struct ExitCodes: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "exit-codes",
        abstract: "List what the process returns, the same for every subcommand.",
        discussion: table + """


            EXAMPLES:
              weir exit-codes
              weir check weir.yaml; test $? -eq 78 && echo "not this one"
            """)

    private static var table: String {
        Outcome.allCases.map { outcome in
            let number = "\(outcome.rawValue)"
            return String(repeating: " ", count: 4 - number.count) + number + "  " + outcome.meaning
        }.joined(separator: "\n")
    }

    func run() { Terminal.out.line(Self.table) }
}
