import ArgumentParser

/// What the process returns, the same for every subcommand (docs: `weir help exit-codes`).
extension ExitCode {
    /// Something was asked for and could not be done.
    static let failed = ExitCode(1)
    static let differences = ExitCode(2)
    static let held = ExitCode(3)
    static let usage = ExitCode(64)
    /// No Weir answers.
    static let unreachable = ExitCode(69)
    /// The same call may succeed later.
    static let tryAgain = ExitCode(75)
    static let notAllowed = ExitCode(77)
    static let configuration = ExitCode(78)
}
