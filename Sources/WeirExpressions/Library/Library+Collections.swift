extension Library {
    static let collections: [Function] = [
        Function(
            "sets.contains", ["(list(A), list(A)) bool"],
            .metered { (values, frame) throws(ExpressionFailure) in
                let (a, b) = try lists(values[0], values[1], "sets.contains")
                return .bool(try Members(a, &frame).containsAll(b, &frame))
            }),
        Function(
            "sets.equivalent", ["(list(A), list(A)) bool"],
            .metered { (values, frame) throws(ExpressionFailure) in
                let (a, b) = try lists(values[0], values[1], "sets.equivalent")
                guard try Members(a, &frame).containsAll(b, &frame) else { return .bool(false) }
                return .bool(try Members(b, &frame).containsAll(a, &frame))
            }),
        Function(
            "sets.intersects", ["(list(A), list(A)) bool"],
            .metered { (values, frame) throws(ExpressionFailure) in
                let (a, b) = try lists(values[0], values[1], "sets.intersects")
                let members = try Members(a, &frame)
                for element in b where try members.contains(element, &frame) { return .bool(true) }
                return .bool(false)
            }),
        Function(
            "lists.range", ["(int) list(int)"],
            .one { (value) throws(ExpressionFailure) in
                guard case .int(let count) = value else { throw Function.mismatch("lists.range", value) }
                guard count >= 0, count <= 1 << 20 else { throw ExpressionFailure(.range, "lists.range(\(count))") }
                return .list((0..<count).map { .int($0) })
            }),
        Function(
            "distinct", ["list(A).() list(A)"],
            .metered { (values, frame) throws(ExpressionFailure) in
                guard case .list(let list) = values[0] else { throw Function.mismatch("distinct", values[0]) }
                var members = Members()
                var result: [Value] = []
                for element in list where try !members.contains(element, &frame) {
                    members.insert(element)
                    result.append(element)
                }
                return .list(result)
            }),
        Function(
            "flatten", ["list(A).() list(dyn)", "list(A).(int) list(dyn)"],
            .metered { (values, frame) throws(ExpressionFailure) in
                guard case .list(let list) = values[0] else { throw Function.mismatch("flatten", values[0]) }
                var depth: Int64 = 1
                if values.count == 2 {
                    guard case .int(let given) = values[1], given >= 0 else {
                        throw ExpressionFailure(.invalidArgument, "flatten() takes a level of 0 or more")
                    }
                    depth = given
                }
                var result: [Value] = []
                try flatten(list, Int(min(depth, 64)), into: &result, &frame)
                return .list(result)
            }),
        Function(
            "slice", ["list(A).(int, int) list(A)"],
            .many { (values) throws(ExpressionFailure) in
                guard case .list(let list) = values[0], case .int(let from) = values[1], case .int(let to) = values[2]
                else {
                    throw ExpressionFailure(.noSuchOverload, "slice")
                }
                guard from >= 0, to >= from, to <= list.count else {
                    throw ExpressionFailure(.range, "slice(\(from), \(to)) of a list of \(list.count)")
                }
                return .list(Array(list[Int(from)..<Int(to)]))
            }),
        Function(
            "sort", ["list(A).() list(A)"],
            .one { (value) throws(ExpressionFailure) in
                guard case .list(let list) = value else { throw Function.mismatch("sort", value) }
                guard let first = list.first else { return value }
                for element in list where element.order(to: first) == nil || element.typeName != first.typeName {
                    throw Function.mismatch("sort", first, element)
                }
                return .list(list.sorted { $0.order(to: $1) == .less })
            }),
    ]

    private static func lists(_ left: Value, _ right: Value, _ name: String) throws(ExpressionFailure) -> (
        [Value], [Value]
    ) {
        guard case .list(let a) = left, case .list(let b) = right else { throw Function.mismatch(name, left, right) }
        return (a, b)
    }

    private static func flatten(
        _ list: [Value], _ depth: Int, into result: inout [Value], _ frame: inout Frame
    ) throws(ExpressionFailure) {
        for element in list {
            try frame.spend()
            if depth > 0, case .list(let inner) = element {
                try flatten(inner, depth - 1, into: &result, &frame)
            } else {
                result.append(element)
            }
        }
    }

    static let optionals: [Function] = [
        Function("optional.none", ["() optional_type(A)"], .many { (_) throws(ExpressionFailure) in .optional(nil) }),
        Function("optional.of", ["(A) optional_type(A)"], .one { .optional($0) }),
        Function("optional.ofNonZeroValue", ["(A) optional_type(A)"], .one { .optional($0.isZero ? nil : $0) }),
        Function(
            "hasValue", ["optional_type(A).() bool"],
            .one { (value) throws(ExpressionFailure) in
                guard case .optional(let inner) = value else { throw Function.mismatch("hasValue", value) }
                return .bool(inner != nil)
            }),
        Function(
            "value", ["optional_type(A).() A"],
            .one { (value) throws(ExpressionFailure) in
                guard case .optional(let inner) = value else { throw Function.mismatch("value", value) }
                guard let inner else { throw ExpressionFailure(.invalidArgument, "optional.none() dereference") }
                return inner
            }),
        Function(
            "or", ["optional_type(A).(optional_type(A)) optional_type(A)"],
            .two { (value, other) throws(ExpressionFailure) in
                guard case .optional(let inner) = value, case .optional = other else {
                    throw Function.mismatch("or", value, other)
                }
                return inner == nil ? other : value
            }),
        Function(
            "orValue", ["optional_type(A).(A) A"],
            .two { (value, other) throws(ExpressionFailure) in
                guard case .optional(let inner) = value else { throw Function.mismatch("orValue", value, other) }
                return inner ?? other
            }),
        Function("optional.unwrap", ["(list(optional_type(A))) list(A)"], .one(unwrap)),
        Function("unwrapOpt", ["list(optional_type(A)).() list(A)"], .one(unwrap)),
        Function(
            "first", ["list(A).() optional_type(A)"],
            .one { (value) throws(ExpressionFailure) in
                guard case .list(let list) = value else { throw Function.mismatch("first", value) }
                return .optional(list.first)
            }),
        Function(
            "last", ["list(A).() optional_type(A)"],
            .one { (value) throws(ExpressionFailure) in
                guard case .list(let list) = value else { throw Function.mismatch("last", value) }
                return .optional(list.last)
            }),
    ]

    @Sendable
    private static func unwrap(_ value: Value) throws(ExpressionFailure) -> Value {
        guard case .list(let list) = value else { throw Function.mismatch("optional.unwrap", value) }
        var result: [Value] = []
        for element in list {
            guard case .optional(let inner) = element else { throw Function.mismatch("optional.unwrap", element) }
            if let inner { result.append(inner) }
        }
        return .list(result)
    }

    static let encoders: [Function] = [
        Function(
            "base64.encode", ["(bytes) string"],
            .one { (value) throws(ExpressionFailure) in
                guard case .bytes(let bytes) = value else { throw Function.mismatch("base64.encode", value) }
                return .string(Base64.encode(bytes))
            }),
        Function(
            "base64.decode", ["(string) bytes"],
            .one { (value) throws(ExpressionFailure) in
                guard case .string(let text) = value else { throw Function.mismatch("base64.decode", value) }
                guard let bytes = Base64.decode(text) else { throw ExpressionFailure(.invalidArgument, "not base64") }
                return .bytes(bytes)
            }),
    ]
}

/// The elements of a list, to be asked for: plain values by hashing, those that hold others one by one, paid for by
/// step.
private struct Members {
    private var plain: Set<Value> = []
    private var others: [Value] = []

    init() {}

    init(_ list: [Value], _ frame: inout Frame) throws(ExpressionFailure) {
        try frame.spend(list.count)
        for element in list { insert(element) }
    }

    mutating func insert(_ element: Value) {
        if element.isContainer { others.append(element) } else { plain.insert(element) }
    }

    func contains(_ element: Value, _ frame: inout Frame) throws(ExpressionFailure) -> Bool {
        try frame.spend()
        guard element.isContainer else { return plain.contains(element) }
        for other in others {
            try frame.spend()
            if try frame.areEqual(element, other) { return true }
        }
        return false
    }

    func containsAll(_ list: [Value], _ frame: inout Frame) throws(ExpressionFailure) -> Bool {
        for element in list where try !contains(element, &frame) { return false }
        return true
    }
}

/// RFC 4648 section 4; decoding takes text with or without its padding.
enum Base64 {
    private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

    static func encode(_ bytes: [UInt8]) -> String {
        var result: [UInt8] = []
        result.reserveCapacity((bytes.count + 2) / 3 * 4)
        for start in stride(from: 0, to: bytes.count, by: 3) {
            let count = min(3, bytes.count - start)
            var word: UInt32 = 0
            for at in 0..<3 { word = word << 8 | (at < count ? UInt32(bytes[start + at]) : 0) }
            for at in 0..<4 {
                result.append(at <= count ? alphabet[Int(word >> (18 - 6 * UInt32(at)) & 63)] : UInt8(ascii: "="))
            }
        }
        return String(decoding: result, as: UTF8.self)
    }

    static func decode(_ text: String) -> [UInt8]? {
        var digits = Array(text.utf8)
        var padding = 0
        while digits.last == UInt8(ascii: "="), padding < 2 {
            digits.removeLast()
            padding += 1
        }
        guard padding == 0 || (digits.count + padding) % 4 == 0, digits.count % 4 != 1 else { return nil }
        var result: [UInt8] = []
        var word: UInt32 = 0
        var bits = 0
        for digit in digits {
            let value: UInt32
            switch digit {
            case 65...90: value = UInt32(digit - 65)
            case 97...122: value = UInt32(digit - 71)
            case 48...57: value = UInt32(digit + 4)
            case 43: value = 62
            case 47: value = 63
            default: return nil
            }
            word = word << 6 | value
            bits += 6
            if bits >= 8 {
                bits -= 8
                result.append(UInt8(truncatingIfNeeded: word >> UInt32(bits)))
            }
        }
        return result
    }
}
