extension Library {
    static let conversions: [Function] = [
        Function(
            "int", ["(int) int", "(uint) int", "(double) int", "(string) int", "(timestamp) int", "(duration) int"],
            .one(int)),
        Function("uint", ["(uint) uint", "(int) uint", "(double) uint", "(string) uint"], .one(uint)),
        Function("double", ["(double) double", "(int) double", "(uint) double", "(string) double"], .one(double)),
        Function("bool", ["(bool) bool", "(string) bool"], .one(bool)),
        Function(
            "string",
            [
                "(string) string", "(int) string", "(uint) string", "(double) string", "(bool) string",
                "(bytes) string",
                "(timestamp) string", "(duration) string", "(net.IP) string", "(net.CIDR) string",
            ], .one(string)),
        Function("bytes", ["(bytes) bytes", "(string) bytes"], .one(bytes)),
        Function("timestamp", ["(timestamp) timestamp", "(string) timestamp", "(int) timestamp"], .one(timestamp)),
        Function("duration", ["(duration) duration", "(string) duration", "(int) duration"], .one(duration)),
        Function("type", ["(A) type(A)"], .one { .type($0.typeName) }),
        Function("dyn", ["(A) dyn"], .one { $0 }),
    ]

    private static func converted(_ value: Value?, _ given: Value, _ name: String) throws(ExpressionFailure) -> Value {
        guard let value else { throw ExpressionFailure(.range, "\(name)(\(given.literal))") }
        return value
    }

    @Sendable
    private static func int(_ value: Value) throws(ExpressionFailure) -> Value {
        switch value {
        case .int: return value
        case .uint(let a): return try converted(Int64(exactly: a).map { .int($0) }, value, "int")
        case .double(let a):
            // The bounds themselves are refused: as doubles they may be the image of a number outside.
            guard a > -0x1p63, a < 0x1p63 else { return try converted(nil, value, "int") }
            return .int(Int64(a))
        case .string(let a):
            guard let parsed = Int64(a) else { throw ExpressionFailure(.invalidArgument, "int(\(value.literal))") }
            return .int(parsed)
        case .timestamp(let a): return .int(a.seconds)
        case .duration(let a): return .int(a.nanoseconds)
        default: throw Function.mismatch("int", value)
        }
    }

    @Sendable
    private static func uint(_ value: Value) throws(ExpressionFailure) -> Value {
        switch value {
        case .uint: return value
        case .int(let a): return try converted(UInt64(exactly: a).map { .uint($0) }, value, "uint")
        case .double(let a):
            guard a >= 0, a < 0x1p64 else { return try converted(nil, value, "uint") }
            return .uint(UInt64(a))
        case .string(let a):
            guard let parsed = UInt64(a) else { throw ExpressionFailure(.invalidArgument, "uint(\(value.literal))") }
            return .uint(parsed)
        default: throw Function.mismatch("uint", value)
        }
    }

    @Sendable
    private static func double(_ value: Value) throws(ExpressionFailure) -> Value {
        switch value {
        case .double: return value
        case .int(let a): return .double(Double(a))
        case .uint(let a): return .double(Double(a))
        case .string(let a):
            guard let parsed = NumberText.double(a) else {
                throw ExpressionFailure(.invalidArgument, "double(\(value.literal))")
            }
            return .double(parsed)
        default: throw Function.mismatch("double", value)
        }
    }

    @Sendable
    private static func bool(_ value: Value) throws(ExpressionFailure) -> Value {
        switch value {
        case .bool: return value
        case .string("1"), .string("t"), .string("T"), .string("true"), .string("TRUE"), .string("True"):
            return .bool(true)
        case .string("0"), .string("f"), .string("F"), .string("false"), .string("FALSE"), .string("False"):
            return .bool(false)
        case .string: throw ExpressionFailure(.invalidArgument, "bool(\(value.literal))")
        default: throw Function.mismatch("bool", value)
        }
    }

    @Sendable
    static func string(_ value: Value) throws(ExpressionFailure) -> Value {
        switch value {
        case .string: return value
        case .int(let a): return .string(String(a))
        case .uint(let a): return .string(String(a))
        case .double(let a): return .string(NumberText.text(a))
        case .bool(let a): return .string(a ? "true" : "false")
        case .bytes(let a):
            guard let text = String(validating: a, as: UTF8.self) else {
                throw ExpressionFailure(.invalidArgument, "invalid UTF-8 in bytes")
            }
            return .string(text)
        case .timestamp(let a): return .string(a.description)
        case .duration(let a): return .string(a.description)
        case .address(let a): return .string(a.description)
        case .network(let a): return .string(a.description)
        default: throw Function.mismatch("string", value)
        }
    }

    @Sendable
    private static func bytes(_ value: Value) throws(ExpressionFailure) -> Value {
        switch value {
        case .bytes: return value
        case .string(let a): return .bytes(Array(a.utf8))
        default: throw Function.mismatch("bytes", value)
        }
    }

    @Sendable
    private static func timestamp(_ value: Value) throws(ExpressionFailure) -> Value {
        switch value {
        case .timestamp: return value
        case .int(let a): return try converted(Instant(seconds: a).map { .timestamp($0) }, value, "timestamp")
        case .string(let a): return try converted(Instant(rfc3339: a).map { .timestamp($0) }, value, "timestamp")
        default: throw Function.mismatch("timestamp", value)
        }
    }

    @Sendable
    private static func duration(_ value: Value) throws(ExpressionFailure) -> Value {
        switch value {
        case .duration: return value
        case .int(let a): return .duration(Span(nanoseconds: a))
        case .string(let a): return try converted(Span(a).map { .duration($0) }, value, "duration")
        default: throw Function.mismatch("duration", value)
        }
    }
}

/// Numbers as text, the same everywhere: in `string()`, `format()`, JSON.
enum NumberText {
    /// The shortest text that reads back as the same number, without a fraction that says nothing: `2`, `0.1`,
    /// `1e+300`.
    static func text(_ value: Double) -> String {
        if value.isNaN { return "NaN" }
        if value.isInfinite { return value < 0 ? "-Infinity" : "Infinity" }
        var text = value.description
        if text.hasSuffix(".0") { text.removeLast(2) }
        return text
    }

    static func double(_ text: String) -> Double? {
        switch text {
        case "NaN", "nan": return .nan
        case "Inf", "+Inf", "Infinity", "+Infinity", "inf", "infinity": return .infinity
        case "-Inf", "-Infinity", "-inf", "-infinity": return -.infinity
        default:
            // Swift also reads hexadecimal floats and payloads of NaN; CEL does not.
            guard text.utf8.allSatisfy({ ($0 >= 48 && $0 <= 57) || [43, 45, 46, 69, 101].contains($0) }) else {
                return nil
            }
            return Double(text.hasPrefix("+") ? String(text.dropFirst()) : text)
        }
    }
}
