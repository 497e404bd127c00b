/// What expressions over people and accounts need beyond the language: texts, missing values, times as directories
/// write them. Nothing here looks at anything but its arguments.
extension Library {
    static let identities: [Function] = [
        changed("lower") { $0.lowercased() },
        changed("upper") { $0.uppercased() },
        changed("title") { Naming.title($0) },
        changed("collapse") { $0.split(whereSeparator: \.isWhitespace).joined(separator: " ") },
        changed("normalizeDiacritics") { Naming.plain($0) },
        changed("toAscii") { Naming.ascii($0) },
        changed("simplify") { Naming.simple($0) },
        changed("initials") { Naming.initials($0) },
        Function(
            "eqi", ["string.(string) bool", "(string, string) bool"],
            .two { (value, other) throws(ExpressionFailure) in
                guard case .string(let a) = value, case .string(let b) = other else {
                    throw Function.mismatch("eqi", value, other)
                }
                return .bool(Text.areEqual(a, b) || Text.areEqual(a.lowercased(), b.lowercased()))
            }),
        cut("left") { scalars, count in scalars.prefix(count) },
        cut("right") { scalars, count in scalars.suffix(count) },
        Function(
            "mid", ["string.(int, int) string"],
            .many { (values) throws(ExpressionFailure) in
                guard case .string(let text) = values[0], case .int(let from) = values[1],
                    case .int(let count) = values[2]
                else { throw Function.mismatch("mid", all: values) }
                guard from >= 0, count >= 0 else { throw ExpressionFailure(.range, "mid(\(from), \(count))") }
                let scalars = Text.scalars(text).dropFirst(Int(clamping: from)).prefix(Int(clamping: count))
                return .string(Text.string(scalars))
            }),
        Function(
            "padLeft", ["string.(int, string) string"],
            .many { (values) throws(ExpressionFailure) in
                guard case .string(let text) = values[0], case .int(let width) = values[1],
                    case .string(let filler) = values[2], Text.length(filler) == 1
                else { throw Function.mismatch("padLeft", all: values) }
                guard width >= 0, width <= 4_096 else { throw ExpressionFailure(.range, "padLeft(\(width))") }
                let missing = Int(width) - Text.length(text)
                return .string(missing > 0 ? String(repeating: filler, count: missing) + text : text)
            }),
        Function(
            "isBlank", ["(A) bool", "string.() bool"],
            .one { (value) throws(ExpressionFailure) in .bool(isBlank(value)) }),
        Function(
            "coalesce", ["(A, A*) A", "(optional_type(A), A*) A"],
            .many { (values) throws(ExpressionFailure) in
                for value in values where !isBlank(value) {
                    if case .optional(let inner?) = value { return inner }
                    return value
                }
                throw ExpressionFailure(.invalidArgument, "coalesce() found nothing but blanks")
            }),
        // The last of an odd number is what stands for all others.
        Function(
            "switch", ["(A, A, B, dyn*) B"],
            .many { (values) throws(ExpressionFailure) in
                var at = 1
                while at + 1 < values.count {
                    if values[at] == values[0] { return values[at + 1] }
                    at += 2
                }
                guard at < values.count else {
                    throw ExpressionFailure(.invalidArgument, "switch() has no case for \(values[0].literal)")
                }
                return values[at]
            }),
        lists("union") { a, b in a + b.filter { !a.contains($0) } },
        lists("intersect") { a, b in a.filter { b.contains($0) } },
        lists("minus") { a, b in a.filter { !b.contains($0) } },
        Function(
            "hex", ["(bytes) string", "bytes.() string"],
            .one { (value) throws(ExpressionFailure) in
                guard case .bytes(let bytes) = value else { throw Function.mismatch("hex", value) }
                return .string(bytes.map { CivilText.hex($0) }.joined())
            }),
    ]

    static func isBlank(_ value: Value) -> Bool {
        switch value {
        case .null, .optional(nil): true
        case .optional(let inner?): isBlank(inner)
        case .string(let text): text.unicodeScalars.allSatisfy(\.properties.isWhitespace)
        case .list(let list): list.allSatisfy { isBlank($0) }
        case .map(let map): map.isEmpty
        default: false
        }
    }

    private static func changed(_ name: String, _ body: @escaping @Sendable (String) -> String) -> Function {
        Function(
            name, ["string.() string", "(string) string"],
            .one { (value) throws(ExpressionFailure) in
                guard case .string(let text) = value else { throw Function.mismatch(name, value) }
                let made = body(text)
                guard made.utf8.count <= textMost else { throw tooLong(name) }
                return .string(made)
            })
    }

    private static func cut(
        _ name: String, _ body: @escaping @Sendable ([Unicode.Scalar], Int) -> ArraySlice<Unicode.Scalar>
    ) -> Function {
        Function(
            name, ["string.(int) string"],
            .two { (value, other) throws(ExpressionFailure) in
                guard case .string(let text) = value, case .int(let count) = other else {
                    throw Function.mismatch(name, value, other)
                }
                guard count >= 0 else { throw ExpressionFailure(.range, "\(name)(\(count))") }
                return .string(Text.string(body(Text.scalars(text), Int(clamping: count))))
            })
    }

    private static func lists(
        _ name: String, _ body: @escaping @Sendable ([Value], [Value]) -> [Value]
    ) -> Function {
        Function(
            name, ["list(A).(list(A)) list(A)"],
            .metered { (values, frame) throws(ExpressionFailure) in
                guard case .list(let a) = values[0], case .list(let b) = values[1] else {
                    throw Function.mismatch(name, all: values)
                }
                // Each is looked for among all of the other.
                let steps = a.count.multipliedReportingOverflow(by: max(b.count, 1))
                try frame.spend(steps.overflow ? .max : steps.partialValue)
                return .list(body(a, b))
            })
    }
}
