/// The state of one evaluation: what it looks at, the macros' variables, and how many steps are left.
struct Frame {
    var slots: [Value?]
    var stepsLeft: Int
    let bindings: [String: Value]
    let record: RecordView?
    /// What `RecordVariable`s stand for, by slot.
    var records = UnsafeBufferPointer<AttributeRecord>(start: nil, count: 0)
    /// Answers functions whose answer is not in their arguments.
    var context: (any EvaluationContext)?

    /// - Throws: `tooCostly` when the budget is used up.
    @inline(__always)
    mutating func spend(_ steps: Int = 1) throws(ExpressionFailure) {
        stepsLeft &-= steps
        if stepsLeft < 0 { throw ExpressionFailure(.tooCostly, "the evaluation took more steps than it may") }
    }

    /// Compares as `==` does, but pays for every element: lists that hold one list many times are small to make and
    /// endless to compare.
    mutating func areEqual(_ left: Value, _ right: Value) throws(ExpressionFailure) -> Bool {
        switch (left, right) {
        case (.list(let a), .list(let b)):
            guard a.count == b.count else { return false }
            for at in a.indices {
                try spend()
                guard try areEqual(a[at], b[at]) else { return false }
            }
            return true
        case (.map(let a), .map(let b)):
            guard a.count == b.count else { return false }
            for (at, key) in a.keys.enumerated() {
                try spend()
                guard let other = b[key], try areEqual(a.values[at], other) else { return false }
            }
            return true
        case (.optional(let a?), .optional(let b?)): return try areEqual(a, b)
        case (.string(let a), .string(let b)):
            try spend(min(a.utf8.count, b.utf8.count) >> 8)
            return Text.areEqual(a, b)
        default: return left == right
        }
    }
}

/// What a node does. Typed throws keep a failure as cheap as a result.
typealias Code = @Sendable (inout Frame) throws(ExpressionFailure) -> Value
