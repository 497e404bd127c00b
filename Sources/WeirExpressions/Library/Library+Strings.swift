extension Library {
    static let strings: [Function] = [
        Function(
            "size",
            [
                "(string) int", "(bytes) int", "(list(A)) int", "(map(A, B)) int", "string.() int", "bytes.() int",
                "list(A).() int", "map(A, B).() int",
            ],
            .one { (value) throws(ExpressionFailure) in
                switch value {
                case .string(let a): return .int(Int64(Text.length(a)))
                case .bytes(let a): return .int(Int64(a.count))
                case .list(let a): return .int(Int64(a.count))
                case .map(let a): return .int(Int64(a.count))
                default: throw Function.mismatch("size", value)
                }
            }),
        test("contains") { Text.find($1, in: $0) != nil },
        test("startsWith") { Text.hasPrefix($0, $1) },
        test("endsWith") { Text.hasSuffix($0, $1) },
        Function(
            "matches", ["string.(string) bool", "(string, string) bool"],
            .two { (value, other) throws(ExpressionFailure) in
                guard case .string(let text) = value, case .string(let source) = other else {
                    throw Function.mismatch("matches", value, other)
                }
                guard let pattern = Pattern(source) else {
                    throw ExpressionFailure(
                        .invalidArgument, Pattern.problem(with: source) ?? "not a regular expression")
                }
                return .bool(pattern.isFound(in: text))
            }),
        mapping("lowerAscii") {
            Text.string($0.unicodeScalars.map { $0.value >= 65 && $0.value <= 90 ? shifted($0, 32) : $0 })
        },
        mapping("upperAscii") {
            Text.string($0.unicodeScalars.map { $0.value >= 97 && $0.value <= 122 ? shifted($0, -32) : $0 })
        },
        mapping("trim") { text in
            var scalars = Text.scalars(text)[...]
            while let first = scalars.first, first.properties.isWhitespace { scalars.removeFirst() }
            while let last = scalars.last, last.properties.isWhitespace { scalars.removeLast() }
            return Text.string(scalars)
        },
        Function(
            "reverse", ["string.() string", "list(A).() list(A)"],
            .one { (value) throws(ExpressionFailure) in
                switch value {
                case .string(let text): return .string(Text.string(text.unicodeScalars.reversed()))
                case .list(let list): return .list(list.reversed())
                default: throw Function.mismatch("reverse", value)
                }
            }),
        Function(
            "strings.quote", ["(string) string"],
            .one { (value) throws(ExpressionFailure) in
                guard case .string(let text) = value else { throw Function.mismatch("strings.quote", value) }
                return .string(quoted(text))
            }),
        Function(
            "charAt", ["string.(int) string"],
            .two { (value, other) throws(ExpressionFailure) in
                guard case .string(let text) = value, case .int(let at) = other else {
                    throw Function.mismatch("charAt", value, other)
                }
                let scalars = Text.scalars(text)
                guard at >= 0, at <= scalars.count else { throw ExpressionFailure(.range, "charAt(\(at))") }
                return .string(at == scalars.count ? "" : Text.string([scalars[Int(at)]]))
            }),
        Function(
            "indexOf", ["string.(string) int", "string.(string, int) int"],
            .many { (values) throws(ExpressionFailure) in
                try position(values, "indexOf", backwards: false)
            }),
        Function(
            "lastIndexOf", ["string.(string) int", "string.(string, int) int"],
            .many { (values) throws(ExpressionFailure) in
                try position(values, "lastIndexOf", backwards: true)
            }),
        Function("substring", ["string.(int) string", "string.(int, int) string"], .many(substring)),
        Function("replace", ["string.(string, string) string", "string.(string, string, int) string"], .many(replace)),
        Function("split", ["string.(string) list(string)", "string.(string, int) list(string)"], .many(split)),
        Function("join", ["list(string).() string", "list(string).(string) string"], .many(join)),
    ]

    private static func shifted(_ scalar: Unicode.Scalar, _ by: Int32) -> Unicode.Scalar {
        Unicode.Scalar(UInt32(truncatingIfNeeded: Int32(scalar.value) + by)) ?? scalar
    }

    private static func test(_ name: String, _ body: @escaping @Sendable (String, String) -> Bool) -> Function {
        Function(
            name, ["string.(string) bool"],
            .two { (value, other) throws(ExpressionFailure) in
                guard case .string(let text) = value, case .string(let part) = other else {
                    throw Function.mismatch(name, value, other)
                }
                return .bool(body(text, part))
            })
    }

    private static func mapping(_ name: String, _ body: @escaping @Sendable (String) -> String) -> Function {
        Function(
            name, ["string.() string"],
            .one { (value) throws(ExpressionFailure) in
                guard case .string(let text) = value else { throw Function.mismatch(name, value) }
                return .string(body(text))
            })
    }

    private static func mismatch(_ name: String, _ values: [Value]) -> ExpressionFailure {
        ExpressionFailure(.noSuchOverload, "\(name)(\(values.map(\.typeName).joined(separator: ", ")))")
    }

    private static func position(_ values: [Value], _ name: String, backwards: Bool) throws(ExpressionFailure) -> Value
    {
        guard case .string(let text) = values[0], case .string(let part) = values[1] else {
            throw mismatch(name, values)
        }
        let scalars = Text.scalars(text)
        let wanted = Text.scalars(part)
        var offset = backwards ? scalars.count : 0
        if values.count == 3 {
            guard case .int(let given) = values[2] else { throw mismatch(name, values) }
            guard given >= 0, given <= scalars.count else { throw ExpressionFailure(.range, "\(name) at \(given)") }
            offset = Int(given)
        }
        let last = scalars.count - wanted.count
        guard !wanted.isEmpty else { return .int(Int64(offset)) }
        guard last >= 0 else { return .int(-1) }
        // By the bytes, whose search is linear enough, then counted back into code points.
        if !backwards {
            let start = Text.string(scalars[..<offset]).utf8.count
            guard let found = Text.find(part, in: text, from: start) else { return .int(-1) }
            return .int(Int64(Text.length(String(decoding: Array(text.utf8)[..<found], as: UTF8.self))))
        }
        var at = min(offset, last)
        var spent = 0
        while at >= 0 {
            var matched = 0
            while matched < wanted.count, scalars[at + matched] == wanted[matched] { matched += 1 }
            if matched == wanted.count { return .int(Int64(at)) }
            spent += matched + 1
            guard spent < 1 << 26 else { throw tooLong(name) }
            at -= 1
        }
        return .int(-1)
    }

    @Sendable
    private static func substring(_ values: [Value]) throws(ExpressionFailure) -> Value {
        guard case .string(let text) = values[0], case .int(let start) = values[1] else {
            throw mismatch("substring", values)
        }
        let scalars = Text.scalars(text)
        var end = Int64(scalars.count)
        if values.count == 3 {
            guard case .int(let given) = values[2] else { throw mismatch("substring", values) }
            end = given
        }
        guard start >= 0, end >= start, end <= scalars.count else {
            throw ExpressionFailure(.range, "substring(\(start), \(end)) of \(scalars.count) characters")
        }
        return .string(Text.string(scalars[Int(start)..<Int(end)]))
    }

    @Sendable
    private static func replace(_ values: [Value]) throws(ExpressionFailure) -> Value {
        guard case .string(let text) = values[0], case .string(let old) = values[1], case .string(let new) = values[2]
        else { throw mismatch("replace", values) }
        var left = Int.max
        if values.count == 4 {
            guard case .int(let given) = values[3] else { throw mismatch("replace", values) }
            if given >= 0 { left = Int(given) }
        }
        var result: [UInt8] = []
        let hay = Array(text.utf8)
        func append(_ bytes: some Collection<UInt8>) throws(ExpressionFailure) {
            guard result.count + bytes.count <= textMost else { throw tooLong("replace") }
            result.append(contentsOf: bytes)
        }
        if old.isEmpty {
            // Between any two characters, before the first and after the last.
            for scalar in text.unicodeScalars {
                if left > 0 { try append(new.utf8) }
                left -= left > 0 ? 1 : 0
                try append(String(Character(scalar)).utf8)
            }
            if left > 0 { try append(new.utf8) }
            return .string(String(decoding: result, as: UTF8.self))
        }
        var at = 0
        while left > 0, let found = Text.find(old, in: text, from: at) {
            try append(hay[at..<found])
            try append(new.utf8)
            at = found + old.utf8.count
            left -= 1
        }
        try append(hay[at...])
        return .string(String(decoding: result, as: UTF8.self))
    }

    @Sendable
    private static func split(_ values: [Value]) throws(ExpressionFailure) -> Value {
        guard case .string(let text) = values[0], case .string(let separator) = values[1] else {
            throw mismatch("split", values)
        }
        var most = Int.max
        if values.count == 3 {
            guard case .int(let given) = values[2] else { throw mismatch("split", values) }
            if given >= 0 { most = Int(given) }
        }
        guard most > 0 else { return .list([]) }
        var parts: [Value] = []
        if separator.isEmpty {
            let scalars = Text.scalars(text)
            for (at, scalar) in scalars.enumerated() {
                if parts.count == most - 1 {
                    parts.append(.string(Text.string(scalars[at...])))
                    break
                }
                parts.append(.string(Text.string([scalar])))
            }
            return .list(parts)
        }
        let hay = Array(text.utf8)
        var at = 0
        while parts.count < most - 1, let found = Text.find(separator, in: text, from: at) {
            parts.append(.string(String(decoding: hay[at..<found], as: UTF8.self)))
            at = found + separator.utf8.count
        }
        parts.append(.string(String(decoding: hay[at...], as: UTF8.self)))
        return .list(parts)
    }

    @Sendable
    private static func join(_ values: [Value]) throws(ExpressionFailure) -> Value {
        guard case .list(let list) = values[0] else { throw mismatch("join", values) }
        var separator = ""
        if values.count == 2 {
            guard case .string(let given) = values[1] else { throw mismatch("join", values) }
            separator = given
        }
        var result = ""
        for (at, part) in list.enumerated() {
            guard case .string(let text) = part else { throw mismatch("join", values) }
            guard result.utf8.count + separator.utf8.count + text.utf8.count <= textMost else { throw tooLong("join") }
            if at > 0 { result += separator }
            result += text
        }
        return .string(result)
    }

    /// In double quotes, with escapes, so that it can be pasted into an expression.
    static func quoted(_ text: String) -> String {
        var result = String.UnicodeScalarView()
        result.append("\"")
        for scalar in text.unicodeScalars {
            let escape: String
            switch scalar.value {
            case 7: escape = "\\a"
            case 8: escape = "\\b"
            case 9: escape = "\\t"
            case 10: escape = "\\n"
            case 11: escape = "\\v"
            case 12: escape = "\\f"
            case 13: escape = "\\r"
            case 34: escape = "\\\""
            case 92: escape = "\\\\"
            default:
                result.append(scalar)
                continue
            }
            result.append(contentsOf: escape.unicodeScalars)
        }
        result.append("\"")
        return String(result)
    }
}
