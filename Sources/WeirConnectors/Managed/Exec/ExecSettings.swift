package import WeirGates
package import WeirSettings

/// `type: exec`: any program as a connector.
package struct ExecSettings: Settings {
    package var command: [String] = []
    package var environment: [String: String] = [:]
    package var secrets: [String: Secret] = [:]
    package var directory = ""
    package var timeout = Duration.hours(1)
    package var grace = Duration.seconds(10)
    package var lineMost = ByteCount.mebibytes(1)

    package init() {}

    package static let fields: [Field<Self>] = [
        field(
            "command", \.command, required: true,
            check: { $0.first?.isEmpty == true ? "begins with an empty word: write the program first" : nil },
            examples: ["[ /usr/local/bin/import-feed, --all ]"],
            "The program and its arguments, each a word of its own; no shell reads them. It prints events on standard "
                + "output, one JSON object a line; what it says on standard error is logged (the first 1,000 lines of "
                + "a run). It finds its name in `WEIR_CONNECTOR_ID`, its state in "
                + "`WEIR_STATE` (up to 32 KiB) and in the file that `WEIR_STATE_FILE` names, and sets it with a line "
                + "`{\"state\": …}` on descriptor 3. Exit code 0 is success: only then the state is kept."),
        field(
            "environment", \.environment, examples: ["{ FEED_URL: \"http://10.0.0.5/feed\" }"],
            "Variables for the program, beside `PATH`, `LANG`, `TZ`, `HOME` and `TMPDIR` of Weir's own."),
        field("secrets", \.secrets, "Variables with secrets."),
        field(
            "directory", \.directory, examples: ["/var/lib/feed"], "Where the program runs; else where Weir does."),
        field(
            "timeout", \.timeout, range: .seconds(1)...(.hours(24 * 7)),
            "A run that takes longer is stopped and has failed."),
        field(
            "grace", \.grace, range: .zero...(.hours(1)),
            "How long the program and all it started may go on after SIGTERM, before SIGKILL."),
        field(
            "line_most", \.lineMost, range: .kibibytes(1)...(.mebibytes(16)),
            "The longest line it may print; a longer one fails the run."),
    ]

    package func mistakes() -> [SettingMistake] {
        Set(environment.keys).union(secrets.keys).sorted().compactMap { name in
            if name.isEmpty || name.contains("=") {
                return SettingMistake("environment", "`\(name.clipped)` is no name of a variable", help: "write NAME")
            }
            guard name.hasPrefix("WEIR_") else { return nil }
            return SettingMistake(
                "environment", "names that begin with `WEIR_` are Weir's own", help: "take another name")
        }
    }
}
