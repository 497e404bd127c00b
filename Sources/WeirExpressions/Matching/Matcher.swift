import CWeirJSON
package import WeirWorld

/// A condition, compiled for whole batches: says of each event whether it matches.
///
/// What it can, it does in one pass of a structural scanner over the bytes (see `Plan`); what it cannot decide that way
/// it asks of the general evaluator, event by event. Both give the same answers. A condition that no event has a say in
/// (`true`, `source == "edge"`) is evaluated once a batch.
package final class Matcher: Sendable {
    package let expression: Expression
    private let plan: Plan?
    /// No event can change the answer.
    private let isConstant: Bool

    /// - Throws: a problem of the expression, or that it is no condition.
    package convenience init(
        _ source: String, environment: ExpressionEnvironment = .event
    ) throws(ExpressionProblem) {
        try self.init(try Expression(source, environment: environment))
    }

    package init(_ expression: Expression) throws(ExpressionProblem) {
        guard expression.type == .bool || expression.type == .dyn else {
            throw ExpressionProblem(
                "a condition is bool, this expression is \(expression.resultType)", at: 0,
                in: Array(expression.source.utf8))
        }
        self.expression = expression
        isConstant = expression.fieldsRead.isEmpty && !expression.readsWholeRecord
        plan = isConstant ? nil : Plan(expression.term)
    }

    /// Whether matching needs nothing but the structural scanner for most events: for `weir explain`.
    package var isFast: Bool { isConstant || plan != nil }

    /// For tests: 0 the portable scanner, 1 SSE2, 2 AVX2, -1 the best that the processor has.
    package static func chooseScanner(_ level: Int32) { _ = weir_json_choose(level) }

    /// - Throws: what the evaluation failed with; for a route that is "no match", counted.
    package func matches(_ record: RecordView) throws(ExpressionFailure) -> Bool {
        let value = try expression.evaluate(record)
        guard case .bool(let bool) = value else {
            throw ExpressionFailure(.noSuchOverload, "a condition is bool, this is \(value.typeName)")
        }
        return bool
    }

    /// What the condition says of every event of a source, where the source's name alone decides; `nil` where an
    /// event has a say.
    package func answer(ofSource source: String) -> Bool? {
        guard case .bool(let bool)? = try? expression.evaluate(bindings: ["source": .string(source)]) else {
            return nil
        }
        return bool
    }

    /// Judges the events of a batch: event `i` is `slab[ends[i-1] ..< ends[i] - separator]`, ends counted from the
    /// slab's start. `selected` becomes one answer for each; a failure counts as no match.
    package func select(
        slab: UnsafeRawBufferPointer, ends: UnsafeBufferPointer<UInt32>, separator: Int, kind: RecordKind,
        source: String = "", meta: [String: String] = [:], received: WallTime = WallTime(nanoseconds: 0),
        into selected: inout [Bool]
    ) -> (matched: Int, failed: Int) {
        let count = ends.count
        var view = RecordView(
            bytes: UnsafeRawBufferPointer(start: nil, count: 0), kind: kind, source: source, meta: meta,
            received: received)
        if isConstant { return constant(view, count, &selected) }
        selected.removeAll(keepingCapacity: true)
        selected.reserveCapacity(count)
        return withUnsafeTemporaryAllocation(of: UInt8.self, capacity: max(count, 1)) { verdicts in
            if let plan, plan.run(slab: slab, ends: ends, separator: separator, view, into: verdicts) {
                // Verdicts are there.
            } else {
                verdicts.update(repeating: Verdict.undecided)
            }
            var matched = 0
            var failed = 0
            var start = 0
            for at in 0..<count {
                let end = Int(ends[at])
                var verdict = verdicts[at]
                if verdict == Verdict.undecided {
                    if end <= slab.count, end >= start {
                        view.bytes = UnsafeRawBufferPointer(rebasing: slab[start..<max(start, end - separator)])
                        verdict = slowly(view)
                    } else {
                        verdict = Verdict.failed
                    }
                }
                if end <= slab.count, end >= start { start = end }
                matched += verdict == Verdict.yes ? 1 : 0
                failed += verdict == Verdict.failed ? 1 : 0
                selected.append(verdict == Verdict.yes)
            }
            return (matched, failed)
        }
    }

    private func constant(_ view: RecordView, _ count: Int, _ selected: inout [Bool]) -> (matched: Int, failed: Int) {
        let verdict = slowly(view)
        selected = Array(repeating: verdict == Verdict.yes, count: count)
        return (verdict == Verdict.yes ? count : 0, verdict == Verdict.failed ? count : 0)
    }

    private func slowly(_ view: RecordView) -> UInt8 {
        do throws(ExpressionFailure) {
            return try matches(view) ? Verdict.yes : Verdict.no
        } catch {
            return Verdict.failed
        }
    }
}

/// What is known of one event; the numbers are the C scanner's.
enum Verdict {
    static let no: UInt8 = 0
    static let yes: UInt8 = 1
    static let failed: UInt8 = 2
    static let undecided: UInt8 = 3
}
