import NIOCore
import WeirExpressions
import WeirGates
import WeirSettings
import WeirWorld

/// The expressions of an HTTP connector, compiled: what to take, what to remember, what to ask for.
struct FeedExpressions: Sendable {
    private let only: Expression?
    private let state: Expression?
    private let query: [(name: String, expression: Expression)]

    private static let environment = ExpressionEnvironment.bindings(["event", "state", "now"])

    init(_ settings: HTTPConnectorSettings) throws(RunFailure) {
        func compile(_ text: ExpressionText) throws(RunFailure) -> Expression? {
            if text.isEmpty { return nil }
            do throws(ExpressionProblem) {
                return try Expression(text.text, environment: Self.environment)
            } catch { throw RunFailure("invalid_expression", error.message) }
        }
        only = try compile(settings.only)
        state = try compile(settings.state)
        var query: [(String, Expression)] = []
        for (name, text) in settings.query.sorted(by: { $0.key < $1.key }) {
            if let expression = try compile(text) { query.append((name, expression)) }
        }
        self.query = query
    }

    static func problem(_ text: ExpressionText) -> String? {
        do throws(ExpressionProblem) {
            _ = try Expression(text.text, environment: environment)
            return nil
        } catch { return "the expression cannot be read: \(error.message)" }
    }

    /// False where events need not be looked into.
    var readsEvents: Bool { only != nil || state != nil }
    var remembers: Bool { state != nil }

    func parameters(state: Value, now: WallTime) throws -> [(name: String, value: String)] {
        try query.map { name, expression in
            let seconds = Int64((now.secondsSince1970).rounded(.down))
            let bindings = ["state": state, "now": Value.string("\(now)"), "event": .null, "seconds": .int(seconds)]
            let value = try Self.evaluate(expression, bindings, what: "query.\(name)")
            if case .string(let text) = value { return (name, text) }
            return (name, value.jsonText)
        }
    }

    /// Goes through events, one a line: leaves those that count, and remembers.
    func fold(_ lines: ByteBuffer, count: Int, state: inout Value) throws -> (lines: ByteBuffer, count: Int) {
        guard readsEvents else { return (lines, count) }
        var kept = ByteBuffer()
        var number = 0
        try lines.withUnsafeReadableBytes { bytes in
            var start = 0
            while let end = bytes[start...].firstIndex(of: 0x0A) {
                let line = UnsafeRawBufferPointer(rebasing: bytes[start..<end])
                start = end + 1
                guard let event = Value(json: line) else {
                    throw RunFailure("invalid_event", "An event is nested too deeply to look into: `\(excerpt(line))`.")
                }
                let bindings = ["event": event, "state": state]
                if let only {
                    guard case .bool(let isTaken) = try Self.evaluate(only, bindings, what: "only") else {
                        throw RunFailure(
                            "expression_failed", "`only` is neither true nor false for `\(excerpt(line))`.")
                    }
                    if !isTaken { continue }
                }
                if let expression = self.state { state = try Self.evaluate(expression, bindings, what: "state") }
                kept.writeBytes(line)
                kept.writeInteger(UInt8(ascii: "\n"))
                number += 1
            }
        }
        return (kept, number)
    }

    private static func evaluate(
        _ expression: Expression, _ bindings: [String: Value], what: String
    ) throws(RunFailure) -> Value {
        do throws(ExpressionFailure) {
            return try expression.evaluate(bindings: bindings)
        } catch {
            throw RunFailure("expression_failed", "`\(what)` cannot be evaluated: \(error)".clipped(to: 300))
        }
    }
}
