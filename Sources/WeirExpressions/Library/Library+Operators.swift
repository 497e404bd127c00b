extension Library {
    static let operators: [Function] = [
        Function(
            "_+_",
            [
                "(int, int) int", "(uint, uint) uint", "(double, double) double", "(string, string) string",
                "(bytes, bytes) bytes", "(list(A), list(A)) list(A)", "(timestamp, duration) timestamp",
                "(duration, timestamp) timestamp", "(duration, duration) duration",
            ], .two(add)),
        Function(
            "_-_",
            [
                "(int, int) int", "(uint, uint) uint", "(double, double) double", "(timestamp, timestamp) duration",
                "(timestamp, duration) timestamp", "(duration, duration) duration",
            ], .two(subtract)),
        Function("_*_", ["(int, int) int", "(uint, uint) uint", "(double, double) double"], .two(multiply)),
        Function("_/_", ["(int, int) int", "(uint, uint) uint", "(double, double) double"], .two(divide)),
        Function("_%_", ["(int, int) int", "(uint, uint) uint"], .two(remainder)),
        Function("-_", ["(int) int", "(double) double"], .one(negate)),
        Function(
            "!_", ["(bool) bool"],
            .one { (value) throws(ExpressionFailure) in
                guard case .bool(let bool) = value else { throw Function.mismatch("!_", value) }
                return .bool(!bool)
            }),
    ]

    private static func whole<T: FixedWidthInteger>(
        _ result: (partialValue: T, overflow: Bool), _ name: String
    ) throws(ExpressionFailure) -> T {
        guard !result.overflow else {
            throw ExpressionFailure(.range, "\(name) overflows \(T.isSigned ? "int" : "uint")")
        }
        return result.partialValue
    }

    private static func inside<T>(_ value: T?, _ what: String) throws(ExpressionFailure) -> T {
        guard let value else { throw ExpressionFailure(.range, "\(what) out of range") }
        return value
    }

    private static func sum(_ a: Int64, _ b: Int64) throws(ExpressionFailure) -> Int64 {
        try whole(a.addingReportingOverflow(b), "sum")
    }

    @Sendable
    private static func add(_ left: Value, _ right: Value) throws(ExpressionFailure) -> Value {
        switch (left, right) {
        case (.int(let a), .int(let b)): return .int(try whole(a.addingReportingOverflow(b), "sum"))
        case (.uint(let a), .uint(let b)): return .uint(try whole(a.addingReportingOverflow(b), "sum"))
        case (.double(let a), .double(let b)): return .double(a + b)
        case (.string(let a), .string(let b)):
            guard a.utf8.count + b.utf8.count <= textMost else { throw tooLong("_+_") }
            return .string(a + b)
        case (.bytes(let a), .bytes(let b)):
            guard a.count + b.count <= textMost else { throw tooLong("_+_") }
            return .bytes(a + b)
        case (.list(let a), .list(let b)):
            guard a.count + b.count <= 1 << 20 else { throw tooLong("_+_") }
            return .list(a + b)
        case (.timestamp(let a), .duration(let b)), (.duration(let b), .timestamp(let a)):
            return .timestamp(try inside(a.adding(b), "timestamp"))
        case (.duration(let a), .duration(let b)):
            return .duration(Span(nanoseconds: try sum(a.nanoseconds, b.nanoseconds)))
        default: throw Function.mismatch("_+_", left, right)
        }
    }

    @Sendable
    private static func subtract(_ left: Value, _ right: Value) throws(ExpressionFailure) -> Value {
        switch (left, right) {
        case (.int(let a), .int(let b)): return .int(try whole(a.subtractingReportingOverflow(b), "difference"))
        case (.uint(let a), .uint(let b)): return .uint(try whole(a.subtractingReportingOverflow(b), "difference"))
        case (.double(let a), .double(let b)): return .double(a - b)
        case (.timestamp(let a), .timestamp(let b)): return .duration(try inside(a.since(b), "duration"))
        case (.timestamp(let a), .duration(let b)): return .timestamp(try inside(a.subtracting(b), "timestamp"))
        case (.duration(let a), .duration(let b)):
            let difference = a.nanoseconds.subtractingReportingOverflow(b.nanoseconds)
            return .duration(Span(nanoseconds: try whole(difference, "difference")))
        default: throw Function.mismatch("_-_", left, right)
        }
    }

    @Sendable
    private static func multiply(_ left: Value, _ right: Value) throws(ExpressionFailure) -> Value {
        switch (left, right) {
        case (.int(let a), .int(let b)): return .int(try whole(a.multipliedReportingOverflow(by: b), "product"))
        case (.uint(let a), .uint(let b)): return .uint(try whole(a.multipliedReportingOverflow(by: b), "product"))
        case (.double(let a), .double(let b)): return .double(a * b)
        default: throw Function.mismatch("_*_", left, right)
        }
    }

    @Sendable
    private static func divide(_ left: Value, _ right: Value) throws(ExpressionFailure) -> Value {
        switch (left, right) {
        case (.int(_), .int(0)), (.uint(_), .uint(0)): throw ExpressionFailure(.divideByZero, "/")
        case (.int(let a), .int(let b)): return .int(try whole(a.dividedReportingOverflow(by: b), "quotient"))
        case (.uint(let a), .uint(let b)): return .uint(a / b)
        case (.double(let a), .double(let b)): return .double(a / b)
        default: throw Function.mismatch("_/_", left, right)
        }
    }

    @Sendable
    private static func remainder(_ left: Value, _ right: Value) throws(ExpressionFailure) -> Value {
        switch (left, right) {
        case (.int(_), .int(0)), (.uint(_), .uint(0)): throw ExpressionFailure(.divideByZero, "%")
        case (.int(let a), .int(let b)):
            return .int(try whole(a.remainderReportingOverflow(dividingBy: b), "remainder"))
        case (.uint(let a), .uint(let b)): return .uint(a % b)
        default: throw Function.mismatch("_%_", left, right)
        }
    }

    @Sendable
    private static func negate(_ value: Value) throws(ExpressionFailure) -> Value {
        switch value {
        case .int(let a): return .int(try whole(Int64(0).subtractingReportingOverflow(a), "negation"))
        case .double(let a): return .double(-a)
        default: throw Function.mismatch("-_", value)
        }
    }

    static func tooLong(_ name: String) -> ExpressionFailure {
        ExpressionFailure(.tooCostly, "\(name) would make more than may be held")
    }
}
