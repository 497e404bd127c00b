import ArgumentParser
import Glibc
import WeirExpressions
import WeirNode
import WeirWorld

/// `weir eval`: try an expression.
struct Eval: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Evaluate an expression over an event.",
        discussion: """
            Prints {"value":…,"type":…}, or {"error":…} and exits with 1. The language is CEL; `event`, `source` and \
            `meta` are what a route sees.

            EXAMPLES:
              echo '{"level":3,"host":"a"}' | weir eval 'event.level < 4'
              weir eval 'event.app' --event message.txt --kind syslog
              echo '{"expr":"x + 1","bindings":{"x":41}}' | weir eval --lines
            """)

    @Argument(help: "The expression.")
    var expression: String?

    @Option(help: "File with the event; standard input when absent, no event when that is a terminal.")
    var event: String?

    @Option(help: "What the event is: raw, json or syslog.")
    var kind = Kind.raw

    @Flag(help: "Read lines of {\"expr\":…,\"bindings\":{…}} from standard input and answer each with a line.")
    var lines = false

    enum Kind: String, ExpressibleByArgument, CaseIterable {
        case raw, json, syslog

        var record: RecordKind {
            switch self {
            case .raw: .raw
            case .json: .json
            case .syslog: .syslog
            }
        }
    }

    func validate() throws {
        if lines == (expression != nil) { throw ValidationError("Give an expression, or --lines.") }
    }

    func run() async throws {
        guard let expression else { return answerLines() }
        var bytes = try event.map { try Input.file($0) } ?? Input.piped()
        if bytes.last == 0x0A { bytes.removeLast() }
        let answer = ExpressionTrial.evaluate(expression, event: bytes, kind: kind.record, received: LiveTime().wall)
        Terminal.out.write(answer.json + "\n")
        if answer.problem != nil { throw ExitCode.failed }
    }

    private func answerLines() {
        while let line = readLine(strippingNewline: true) {
            if line.isEmpty { continue }
            Terminal.out.write(ExpressionTrial.evaluate(line: line).json + "\n")
        }
    }
}
