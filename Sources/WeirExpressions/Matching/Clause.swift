import CWeirJSON
import CWeirRegex

/// One comparison of a field with constants, as the structural scanner takes it.
struct Clause {
    var path: EventPath
    var operation: Int32
    var constants: [Value] = []
    var pattern: Pattern?
    /// The verdict where the field is not there.
    var absent = Verdict.failed

    /// Nil for anything else, and for constants whose spelling in JSON may differ from their bytes.
    init?(_ term: Term) {
        switch term {
        case .has(let inner, let name, let isOptional):
            guard !isOptional, let path = EventPath(.select(inner, name, isOptional: false)) else { return nil }
            self.init(path: path, operation: Int32(WEIR_HAS.rawValue))
            absent = Verdict.no
        case .call(let function, let arguments) where arguments.count == 2:
            self.init(function.name, arguments[0], arguments[1])
        default:
            guard let path = EventPath(term), !path.isOptional else { return nil }
            self.init(path: path, operation: Int32(WEIR_IS_TRUE.rawValue))
        }
    }

    private init(path: EventPath, operation: Int32) {
        self.path = path
        self.operation = operation
    }

    private static let comparisons: [String: (straight: Int, turned: Int)] = [
        "_==_": (WEIR_EQUAL, WEIR_EQUAL), "_!=_": (WEIR_NOT_EQUAL, WEIR_NOT_EQUAL),
        "_<_": (WEIR_LESS, WEIR_GREATER), "_<=_": (WEIR_LESS_EQUAL, WEIR_GREATER_EQUAL),
        "_>_": (WEIR_GREATER, WEIR_LESS), "_>=_": (WEIR_GREATER_EQUAL, WEIR_LESS_EQUAL),
    ].mapValues { (Int($0.0.rawValue), Int($0.1.rawValue)) }

    private static let tests: [String: Int32] = [
        "startsWith": Int32(WEIR_STARTS.rawValue), "endsWith": Int32(WEIR_ENDS.rawValue),
        "contains": Int32(WEIR_CONTAINS.rawValue),
    ]

    private init?(_ name: String, _ left: Term, _ right: Term) {
        if let comparison = Self.comparisons[name] {
            if let (path, fallback) = Self.field(left), case .constant(let value) = right {
                self.init(path: path, operation: Int32(comparison.straight))
                constants = [value]
                absent = Self.verdict(name, fallback, value, isTurned: false)
            } else if let (path, fallback) = Self.field(right), case .constant(let value) = left {
                self.init(path: path, operation: Int32(comparison.turned))
                constants = [value]
                absent = Self.verdict(name, fallback, value, isTurned: true)
            } else {
                return nil
            }
        } else if name == "@in", let (path, fallback) = Self.field(left), fallback == nil {
            guard let values = Self.constants(right) else { return nil }
            self.init(path: path, operation: Int32(WEIR_IN.rawValue))
            constants = values
        } else if let operation = Self.tests[name], let (path, fallback) = Self.field(left), fallback == nil,
            case .constant(let value) = right
        {
            guard case .string = value else { return nil }
            self.init(path: path, operation: operation)
            constants = [value]
        } else if name == "matches", let (path, fallback) = Self.field(left), fallback == nil,
            case .constant(.string(let text)) = right, let pattern = Pattern(text)
        {
            self.init(path: path, operation: Int32(WEIR_PATTERN.rawValue))
            self.pattern = pattern
        } else {
            return nil
        }
        guard constants.allSatisfy({ Self.isPlain($0) }) else { return nil }
    }

    /// `event.a.b`, or `event.?a.orValue(constant)`.
    private static func field(_ term: Term) -> (EventPath, Value?)? {
        if let path = EventPath(term) { return path.isOptional ? nil : (path, nil) }
        guard case .call(let function, let arguments) = term, function.name == "orValue", arguments.count == 2,
            var path = EventPath(arguments[0]), path.isOptional, case .constant(let fallback) = arguments[1]
        else { return nil }
        path.isOptional = false
        return (path, fallback)
    }

    private static func constants(_ term: Term) -> [Value]? {
        switch term {
        case .constant(.list(let values)): return values
        case .list(let terms, let optional) where !optional.contains(true):
            var values: [Value] = []
            for term in terms {
                guard case .constant(let value) = term else { return nil }
                values.append(value)
            }
            return values
        default: return nil
        }
    }

    /// What the comparison says of the constant that stands in for a missing field.
    private static func verdict(_ name: String, _ fallback: Value?, _ constant: Value, isTurned: Bool) -> UInt8 {
        guard let fallback else { return Verdict.failed }
        let (left, right) = isTurned ? (constant, fallback) : (fallback, constant)
        if name == "_==_" { return left == right ? Verdict.yes : Verdict.no }
        if name == "_!=_" { return left == right ? Verdict.no : Verdict.yes }
        guard let order = left.order(to: right) else { return Verdict.failed }
        switch name {
        case "_<_": return order == .less ? Verdict.yes : Verdict.no
        case "_<=_": return order == .less || order == .equal ? Verdict.yes : Verdict.no
        case "_>_": return order == .greater ? Verdict.yes : Verdict.no
        default: return order == .greater || order == .equal ? Verdict.yes : Verdict.no
        }
    }

    /// A string that JSON may spell in one way only, and that repairing broken UTF-8 cannot produce.
    private static func isPlain(_ value: Value) -> Bool {
        switch value {
        case .null, .bool, .int: true
        case .double(let number): number.isFinite
        case .string(let text):
            text.utf8.allSatisfy { $0 >= 32 && $0 != UInt8(ascii: "\"") && $0 != UInt8(ascii: "\\") }
                && !text.unicodeScalars.contains("\u{FFFD}")
        default: false
        }
    }

    /// Adds the clause to the C side; nil when there is no room.
    func add(to matcher: OpaquePointer, _ patterns: inout [Pattern]) -> Int32? {
        let isText = path.names.count == 1 && (path.names[0] == "message" || path.names[0] == "raw")
        let hasFallback = path.names.count == 1 && (path.names[0] == "time" || path.names[0] == "raw")
        let joined = path.names.map { Array($0.utf8).map { CChar(bitPattern: $0) } }
        let flat = joined.flatMap { $0 }
        let slot = flat.withUnsafeBufferPointer { bytes -> Int32 in
            guard let base = bytes.baseAddress else { return -1 }
            var names: [UnsafePointer<CChar>] = []
            var lengths: [Int] = []
            var at = 0
            for name in joined {
                names.append(base + at)
                lengths.append(name.count)
                at += name.count
            }
            return weir_matcher_path(matcher, names, lengths, names.count, isText ? 1 : 0, hasFallback ? 1 : 0)
        }
        guard slot >= 0 else { return nil }
        let clause = weir_matcher_clause(matcher, slot, operation, absent)
        guard clause >= 0 else { return nil }
        for constant in constants { add(constant, to: matcher, clause) }
        if let pattern {
            patterns.append(pattern)
            weir_clause_pattern(
                matcher, clause, { handle, text, length in weir_regex_found(OpaquePointer(handle), text, length) },
                UnsafeRawPointer(pattern.handle))
        }
        return clause
    }

    private func add(_ constant: Value, to matcher: OpaquePointer, _ clause: Int32) {
        switch constant {
        case .bool(let value):
            weir_clause_constant(matcher, clause, Int32(WEIR_BOOL.rawValue), value ? 1 : 0, 0, nil, 0)
        case .int(let value): weir_clause_constant(matcher, clause, Int32(WEIR_INT.rawValue), value, 0, nil, 0)
        case .double(let value): weir_clause_constant(matcher, clause, Int32(WEIR_DOUBLE.rawValue), 0, value, nil, 0)
        case .string(let value):
            Text.withBytes(value) { bytes in
                let start = UnsafeRawPointer(bytes.baseAddress)?.assumingMemoryBound(to: CChar.self)
                weir_clause_constant(matcher, clause, Int32(WEIR_STRING.rawValue), 0, 0, start, bytes.count)
            }
        default: weir_clause_constant(matcher, clause, Int32(WEIR_NULL.rawValue), 0, 0, nil, 0)
        }
    }
}

extension Term {
    /// Whether it needs variables of a macro round it.
    var usesSlots: Bool {
        switch self {
        case .local, .lazy, .bind, .block, .comprehension: true
        case .constant, .variable, .failing, .attribute, .hasAttribute, .record, .hasRecord: false
        case .select(let inner, _, _), .has(let inner, _, _): inner.usesSlots
        case .index(let one, let two, _): one.usesSlots || two.usesSlots
        case .call(_, let parts), .and(let parts), .or(let parts), .list(let parts, _): parts.contains { $0.usesSlots }
        case .conditional(let one, let two, let three): one.usesSlots || two.usesSlots || three.usesSlots
        case .map(let entries): entries.contains { $0.key.usesSlots || $0.value.usesSlots }
        }
    }
}
