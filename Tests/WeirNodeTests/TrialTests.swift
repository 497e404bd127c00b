import Logging
import Testing
import WeirExpressions
import WeirWorld

@testable import WeirNode

/// What stands behind `weir eval` and `weir bench`.
@Suite("Trials")
struct TrialTests {
    private static let zero = WallTime(nanoseconds: 0)

    @Test(
        "An expression over an event answers with value and type, as JSON",
        arguments: [
            ("event.level == 'error'", "{\"value\":true,\"type\":\"bool\"}"),
            ("event.n + 1", "{\"value\":8,\"type\":\"int\"}"),
            ("source", "{\"value\":\"eval\",\"type\":\"string\"}"),
        ])
    func event(_ source: String, _ expected: String) {
        let bytes = Array("{\"n\":7,\"level\":\"error\"}".utf8)
        #expect(
            ExpressionTrial.evaluate(source, event: bytes, kind: .json, received: Self.zero).json == expected)
    }

    @Test(
        "A wrong expression, a missing field and bytes that are no JSON are answers, not crashes",
        arguments: ["event.", "event.nothing.deeper", "1 / 0", "event.n +"])
    func wrong(_ source: String) {
        for text in ["{\"n\":7}", "", "\u{0}\u{1}{", "not JSON"] {
            let answer = ExpressionTrial.evaluate(source, event: Array(text.utf8), kind: .json, received: Self.zero)
            #expect(answer.value == nil && answer.problem?.isEmpty == false)
            #expect(answer.json.hasPrefix("{\"error\":\""))
        }
    }

    @Test("A line brings its own bindings; what is not such a line says so")
    func lines() {
        #expect(
            ExpressionTrial.evaluate(line: "{\"expr\":\"a + b\",\"bindings\":{\"a\":1,\"b\":2}}").json
                == "{\"value\":3,\"type\":\"int\"}")
        let text = ExpressionTrial.evaluate(line: "{\"expr\":\"'x' + 'y'\"}")
        #expect(text.json == "{\"value\":\"xy\",\"type\":\"string\"}")
        for line in ["", "1", "{}", "{\"expr\":1}", "{\"expr\":\"a\",\"bindings\":[]}", "{\"expr\":\"unbound\"}"] {
            let answer = ExpressionTrial.evaluate(line: line)
            #expect(answer.value == nil && answer.problem?.isEmpty == false, "\(line)")
        }
    }

    @Test("The machine's trial measures every part, and leaves nothing behind", .timeLimit(.minutes(5)))
    func machine() async throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        let world = World.live(log: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        var results: [MachineTrial.Result] = []
        let trial = MachineTrial(directory: folder.path, duration: .milliseconds(20), world: world)
        try await trial.run { results.append($0) }
        #expect(results.map(\.name) == ["condition_one", "condition_two", "gate", "queue_commit_in", "queue_out"])
        #expect(results.allSatisfy { $0.eventsPerSecond > 0 && $0.bytesPerSecond > $0.eventsPerSecond })
        #expect(try world.files.list(folder.path).isEmpty)
    }
}
