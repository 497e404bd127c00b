#if canImport(Glibc)
    import Glibc
#endif

extension Library {
    static let formatting: [Function] = [
        Function(
            "format", ["string.(list(dyn)) string"],
            .two { (value, other) throws(ExpressionFailure) in
                guard case .string(let text) = value, case .list(let arguments) = other else {
                    throw Function.mismatch("format", value, other)
                }
                return .string(try Format.format(text, arguments))
            })
    ]
}

/// `'%s took %.2f s'.format([…])`: `%s %d %f %e %b %o %x %X %%`, with a precision for `%f` and `%e` (default 6, most
/// 100).
enum Format {
    static func format(_ text: String, _ arguments: [Value]) throws(ExpressionFailure) -> String {
        var result = ""
        var used = 0
        var rest = text.unicodeScalars[...]
        func need(_ fits: Bool, _ message: String) throws(ExpressionFailure) {
            guard fits else { throw ExpressionFailure(.invalidArgument, "format: \(message)") }
        }
        while let scalar = rest.popFirst() {
            try need(result.utf8.count <= Library.textMost, "the text grows too long")
            guard scalar == "%" else {
                result.unicodeScalars.append(scalar)
                continue
            }
            if rest.first == "%" {
                rest.removeFirst()
                result += "%"
                continue
            }
            var precision: Int?
            if rest.first == "." {
                rest.removeFirst()
                var digits = 0
                var number = 0
                while let digit = rest.first, digit.value >= 48, digit.value <= 57, digits < 4 {
                    rest.removeFirst()
                    number = number * 10 + Int(digit.value - 48)
                    digits += 1
                }
                try need(digits > 0 && number <= 100, "a precision is a number up to 100")
                precision = number
            }
            guard let verb = rest.popFirst() else {
                throw ExpressionFailure(.invalidArgument, "format: unfinished clause at the end")
            }
            try need("sdfeboxX".unicodeScalars.contains(verb), "unrecognized clause '%\(verb)'")
            try need(used < arguments.count, "index \(used) out of range")
            result += try clause(verb, precision, arguments[used])
            used += 1
        }
        return result
    }

    private static func clause(
        _ verb: Unicode.Scalar, _ precision: Int?, _ value: Value
    ) throws(ExpressionFailure) -> String {
        let formatted: String?
        switch verb {
        case "s": formatted = try text(value, depth: 0)
        case "d": formatted = decimal(value)
        case "f", "e": formatted = float(value, precision ?? 6, isScientific: verb == "e")
        case "b": formatted = radix(value, 2, isUpper: false)
        case "o": formatted = radix(value, 8, isUpper: false)
        default: formatted = radix(value, 16, isUpper: verb == "X")
        }
        guard let formatted else {
            throw ExpressionFailure(.invalidArgument, "format: %\(verb) cannot show a value of type \(value.typeName)")
        }
        return formatted
    }

    private static func text(_ value: Value, depth: Int) throws(ExpressionFailure) -> String? {
        guard depth < 64 else { throw Library.tooLong("format") }
        switch value {
        case .null: return "null"
        case .type(let name): return name
        case .list(let list):
            var result = "["
            for (at, element) in list.enumerated() {
                guard let shown = try text(element, depth: depth + 1) else { return nil }
                result += (at > 0 ? ", " : "") + shown
                guard result.utf8.count <= Library.textMost else { throw Library.tooLong("format") }
            }
            return result + "]"
        case .map(let map):
            var entries: [(String, String)] = []
            var size = 0
            for (at, key) in map.keys.enumerated() {
                guard let name = try text(key, depth: depth + 1), let shown = try text(map.values[at], depth: depth + 1)
                else { return nil }
                entries.append((name, shown))
                size += name.utf8.count + shown.utf8.count
                guard size <= Library.textMost else { throw Library.tooLong("format") }
            }
            entries.sort { Text.order($0.0, $1.0) == .less }
            return "{" + entries.map { $0.0 + ": " + $0.1 }.joined(separator: ", ") + "}"
        case .bytes(let bytes): return String(decoding: bytes, as: UTF8.self)
        case .optional: return nil
        default:
            if case .string(let shown) = try Library.string(value) { return shown }
            return nil
        }
    }

    private static func decimal(_ value: Value) -> String? {
        switch value {
        case .int(let a): String(a)
        case .uint(let a): String(a)
        case .double(let a) where !a.isFinite: NumberText.text(a)
        default: nil
        }
    }

    private static func float(_ value: Value, _ precision: Int, isScientific: Bool) -> String? {
        let number: Double
        switch value {
        case .double(let a): number = a
        case .int(let a): number = Double(a)
        case .uint(let a): number = Double(a)
        default: return nil
        }
        guard number.isFinite else { return NumberText.text(number) }
        var buffer = [CChar](repeating: 0, count: 512)
        let length = withVaList([Int32(precision), number]) {
            vsnprintf(&buffer, buffer.count, isScientific ? "%.*e" : "%.*f", $0)
        }
        guard length > 0, length < buffer.count else { return nil }
        return String(decoding: buffer[..<Int(length)].map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    private static func radix(_ value: Value, _ radix: Int, isUpper: Bool) -> String? {
        switch value {
        case .int(let a): return String(a, radix: radix, uppercase: isUpper)
        case .uint(let a): return String(a, radix: radix, uppercase: isUpper)
        case .bool(let a) where radix == 2: return a ? "1" : "0"
        case .string(let a) where radix == 16: return hex(Array(a.utf8), isUpper)
        case .bytes(let a) where radix == 16: return hex(a, isUpper)
        case .double(let a) where !a.isFinite && radix == 16: return nil
        default: return nil
        }
    }

    private static func hex(_ bytes: [UInt8], _ isUpper: Bool) -> String {
        let digits = Array((isUpper ? "0123456789ABCDEF" : "0123456789abcdef").utf8)
        var result: [UInt8] = []
        for byte in bytes { result += [digits[Int(byte >> 4)], digits[Int(byte & 15)]] }
        return String(decoding: result, as: UTF8.self)
    }
}
