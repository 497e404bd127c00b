/// A type as the checker sees it. `dyn` fits everything: what only the record can tell is checked when it is evaluated.
package indirect enum CheckedType: Sendable, Hashable, CustomStringConvertible {
    case dyn, null, bool, int, uint, double, string, bytes, timestamp, duration
    case list(CheckedType)
    case map(CheckedType, CheckedType)
    /// The type of a type; nil when it is not known of what.
    case type(CheckedType?)
    /// `optional_type(T)`, `net.IP`, `net.CIDR`, and what an environment declares.
    case opaque(String, [CheckedType])
    /// A variable of a signature, or of the checker itself (then its name begins with `?`).
    case parameter(String)

    package var description: String {
        switch self {
        case .dyn: "dyn"
        case .null: "null_type"
        case .bool: "bool"
        case .int: "int"
        case .uint: "uint"
        case .double: "double"
        case .string: "string"
        case .bytes: "bytes"
        case .timestamp: "google.protobuf.Timestamp"
        case .duration: "google.protobuf.Duration"
        case .list(let element): "list(\(element))"
        case .map(let key, let value): "map(\(key), \(value))"
        case .type(let inner): inner.map { "type(\($0))" } ?? "type"
        case .opaque(let name, let parts):
            parts.isEmpty ? name : name + "(" + parts.map(\.description).joined(separator: ", ") + ")"
        case .parameter(let name): name
        }
    }

    package static func optional(_ inner: CheckedType) -> CheckedType { .opaque("optional_type", [inner]) }
    static let address = CheckedType.opaque("net.IP", [])
    static let network = CheckedType.opaque("net.CIDR", [])

    /// The types that have a name in expressions (`type(x) == int`).
    static let named: [String: CheckedType] = [
        "bool": .bool, "int": .int, "uint": .uint, "double": .double, "string": .string, "bytes": .bytes,
        "null_type": .null, "list": .list(.dyn), "map": .map(.dyn, .dyn), "type": .type(nil),
        "google.protobuf.Timestamp": .timestamp, "google.protobuf.Duration": .duration,
        "optional_type": .optional(.dyn), "net.IP": address, "net.CIDR": network,
    ]
}

/// Finds out what type variables stand for, and whether one type may be used where another is wanted: the algorithm of
/// the language definition ("Type Checking"), with `dyn` fitting both ways.
struct Unifier {
    private var meaning: [String: CheckedType] = [:]
    private var made = 0

    mutating func fresh() -> CheckedType {
        made += 1
        return .parameter("?\(made)")
    }

    /// Whether all fit; what was learnt about variables is kept only then.
    mutating func fits(_ given: [CheckedType], _ wanted: [CheckedType]) -> Bool {
        guard given.count == wanted.count else { return false }
        var trial = self
        for (one, other) in zip(given, wanted) {
            guard trial.assign(one, other) else { return false }
        }
        self = trial
        return true
    }

    mutating func fits(_ given: CheckedType, _ wanted: CheckedType) -> Bool { fits([given], [wanted]) }

    private mutating func assign(_ one: CheckedType, _ two: CheckedType) -> Bool {
        if case .parameter(let name) = two {
            let (isValid, wasKnown) = substitute(one, for: name)
            if isValid { return true }
            if wasKnown { return false }
        }
        if case .parameter(let name) = one { return substitute(two, for: name).isValid }
        switch (one, two) {
        case (.dyn, _), (_, .dyn): return true
        case (.null, .null), (.null, .timestamp), (.null, .duration), (.null, .opaque): return true
        case (.timestamp, .null), (.duration, .null), (.opaque, .null): return true
        case (.type, .type): return true
        case (.list(let a), .list(let b)): return assign(a, b)
        case (.map(let a, let x), .map(let b, let y)): return assign(a, b) && assign(x, y)
        case (.opaque(let a, let parts), .opaque(let b, let others)):
            guard a == b, parts.count == others.count else { return false }
            for (part, other) in zip(parts, others) where !assign(part, other) { return false }
            return true
        default: return one == two
        }
    }

    private mutating func substitute(_ type: CheckedType, for name: String) -> (isValid: Bool, wasKnown: Bool) {
        if type == .parameter(name) { return (true, true) }
        if let known = meaning[name] {
            if type == known { return (true, true) }
            guard assign(type, known) else { return (false, true) }
            let general = Self.mostGeneral(type, known)
            if !mentions(name, in: general) { meaning[name] = general }
            return (true, true)
        }
        guard !mentions(name, in: type) else { return (false, false) }
        meaning[name] = type
        return (true, false)
    }

    private func mentions(_ name: String, in type: CheckedType) -> Bool {
        switch type {
        case .parameter(let other): other == name || (meaning[other].map { mentions(name, in: $0) } ?? false)
        case .list(let inner): mentions(name, in: inner)
        case .map(let key, let value): mentions(name, in: key) || mentions(name, in: value)
        case .type(let inner): inner.map { mentions(name, in: $0) } ?? false
        case .opaque(_, let parts): parts.contains { mentions(name, in: $0) }
        default: false
        }
    }

    static func mostGeneral(_ one: CheckedType, _ two: CheckedType) -> CheckedType {
        if two == .null { return one }
        if one == .null { return two }
        return isNoMoreSpecific(one, two) ? one : two
    }

    private static func isNoMoreSpecific(_ one: CheckedType, _ two: CheckedType) -> Bool {
        switch (one, two) {
        case (.dyn, _), (.parameter, _): true
        case (_, .dyn), (_, .parameter): false
        case (.list(let a), .list(let b)): isNoMoreSpecific(a, b)
        case (.map(let a, let x), .map(let b, let y)): isNoMoreSpecific(a, b) && isNoMoreSpecific(x, y)
        case (.opaque(let a, let parts), .opaque(let b, let others)):
            a == b && parts.count == others.count && zip(parts, others).allSatisfy { isNoMoreSpecific($0, $1) }
        case (.type, .type): true
        default: one == two
        }
    }

    /// The common type of a list's elements: `dyn` where they do not agree.
    mutating func join(_ before: CheckedType?, _ next: CheckedType) -> CheckedType {
        guard let before else { return next }
        return fits(before, next) ? Self.mostGeneral(before, next) : .dyn
    }

    /// With all that is known put in; what stays open becomes `dyn` when asked for.
    func resolved(_ type: CheckedType, openAsDyn: Bool) -> CheckedType {
        switch type {
        case .parameter(let name):
            if let known = meaning[name] { return resolved(known, openAsDyn: openAsDyn) }
            return openAsDyn ? .dyn : type
        case .list(let inner): return .list(resolved(inner, openAsDyn: openAsDyn))
        case .map(let key, let value):
            return .map(resolved(key, openAsDyn: openAsDyn), resolved(value, openAsDyn: openAsDyn))
        case .type(let inner): return .type(inner.map { resolved($0, openAsDyn: openAsDyn) })
        case .opaque(let name, let parts): return .opaque(name, parts.map { resolved($0, openAsDyn: openAsDyn) })
        default: return type
        }
    }
}
