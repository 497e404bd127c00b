import ArgumentParser
import FoundationEssentials
import Glibc
import WeirNode

/// `weir check`: is this configuration right? Nothing is started.
struct Check: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Check a configuration without starting anything.",
        discussion: """
            Reads it, checks every setting, compiles every expression, follows every name and looks for circles. All \
            problems are listed at once, with file, line and column. Exit code 0 when a node would start, 78 when \
            not.

            EXAMPLES:
              weir check weir.yaml
              weir check --offline weir.yaml        secrets are not fetched
              weir check --strict weir.yaml         warnings count as errors
            """)

    @Argument(help: "YAML files or folders.")
    var paths: [String] = ["weir.yaml"]

    @Flag(help: "Do not fetch secrets from their files and variables.")
    var offline = false

    @Flag(help: "Warnings count as errors.")
    var strict = false

    func run() async throws {
        let host = NodeHost(environment: ProcessInfo.processInfo.environment)
        var code: Int32 = 0
        for path in paths {
            let result = await host.check(
                load: { $0.load(path: path) }, fetchesSecrets: !offline, isColoured: Terminal.error.hasColours)
            Terminal.error.write(result.text)
            let fails = result.hasErrors || (strict && result.hasWarnings)
            if fails { code = 78 } else { Terminal.out.write("\(path): \(result.summary)\n") }
        }
        throw ExitCode(code)
    }
}
