/// One value of the expression language (CEL): what a constant, a field or a whole expression is.
///
/// `==` is CEL's equality: numbers compare across `int`, `uint` and `double`, strings by code point (never by Unicode
/// equivalence, as Swift's own `==` does), values of unlike types are unequal, NaN is unequal to itself.
package enum Value: Sendable {
    case null
    case bool(Bool)
    case int(Int64)
    case uint(UInt64)
    case double(Double)
    case string(String)
    case bytes([UInt8])
    case list([Value])
    case map(ValueMap)
    case timestamp(Instant)
    case duration(Span)
    /// A type as a value: what `type(x)` answers and what the names `int`, `list`, … stand for.
    case type(String)
    indirect case optional(Value?)
    indirect case address(IPAddress)
    indirect case network(IPNetwork)
}

extension Value {
    /// The CEL name of the value's type, as `type(x)` gives it.
    package var typeName: String {
        switch self {
        case .null: "null_type"
        case .bool: "bool"
        case .int: "int"
        case .uint: "uint"
        case .double: "double"
        case .string: "string"
        case .bytes: "bytes"
        case .list: "list"
        case .map: "map"
        case .timestamp: "google.protobuf.Timestamp"
        case .duration: "google.protobuf.Duration"
        case .type: "type"
        case .optional: "optional_type"
        case .address: "net.IP"
        case .network: "net.CIDR"
        }
    }

    /// Whether it may hold other values.
    var isContainer: Bool {
        switch self {
        case .list, .map, .optional: true
        default: false
        }
    }

    /// Whether this is the value that an unset field of its type would have (`optional.ofNonZeroValue`).
    var isZero: Bool {
        switch self {
        case .null: true
        case .bool(let value): !value
        case .int(let value): value == 0
        case .uint(let value): value == 0
        case .double(let value): value == 0
        case .string(let value): value.isEmpty
        case .bytes(let value): value.isEmpty
        case .list(let value): value.isEmpty
        case .map(let value): value.isEmpty
        case .timestamp(let value): value.seconds == 0 && value.nanoseconds == 0
        case .duration(let value): value.nanoseconds == 0
        case .optional(let value): value == nil
        case .type, .address, .network: false
        }
    }
}

extension Value: Hashable {
    package static func == (left: Value, right: Value) -> Bool {
        switch (left, right) {
        case (.null, .null): true
        case (.bool(let a), .bool(let b)): a == b
        case (.int(let a), .int(let b)): a == b
        case (.uint(let a), .uint(let b)): a == b
        case (.double(let a), .double(let b)): a == b
        case (.int(let a), .uint(let b)), (.uint(let b), .int(let a)): a >= 0 && UInt64(a) == b
        case (.int(let a), .double(let b)), (.double(let b), .int(let a)): Double(a) == b
        case (.uint(let a), .double(let b)), (.double(let b), .uint(let a)): Double(a) == b
        case (.string(let a), .string(let b)): Text.areEqual(a, b)
        case (.bytes(let a), .bytes(let b)): a == b
        case (.list(let a), .list(let b)): a == b
        case (.map(let a), .map(let b)): a == b
        case (.timestamp(let a), .timestamp(let b)): a == b
        case (.duration(let a), .duration(let b)): a == b
        case (.type(let a), .type(let b)): a == b
        case (.optional(let a), .optional(let b)): a == b
        case (.address(let a), .address(let b)): a == b
        case (.network(let a), .network(let b)): a == b
        default: false
        }
    }

    package func hash(into hasher: inout Hasher) {
        switch self {
        case .null: hasher.combine(0)
        case .bool(let value): hasher.combine(value)
        // Equal numbers of unlike types must hash alike, so all are hashed as the nearest double.
        case .int(let value): hasher.combine(Double(value))
        case .uint(let value): hasher.combine(Double(value))
        case .double(let value): hasher.combine(value)
        case .string(let value): Text.hash(value, into: &hasher)
        case .bytes(let value): hasher.combine(value)
        // Parts that have parts themselves are left out: a value that shares its parts many times over would take for
        // ever.
        case .list(let value):
            hasher.combine(value.count)
            for element in value where !element.isContainer { hasher.combine(element) }
        case .map(let value): hasher.combine(value.count)
        case .timestamp(let value): hasher.combine(value)
        case .duration(let value): hasher.combine(value)
        case .type(let value): hasher.combine(value)
        case .optional(let value): hasher.combine(value == nil)
        case .address(let value): hasher.combine(value)
        case .network(let value): hasher.combine(value)
        }
    }
}

/// How two values of comparable types stand to each other. `unordered` is what NaN is to everything.
enum Order: Sendable {
    case less, equal, greater, unordered

    @inline(__always)
    static func of<T: Comparable>(_ left: T, _ right: T) -> Order {
        left < right ? .less : left == right ? .equal : left > right ? .greater : .unordered
    }
}

extension Value {
    /// The order of two values; nil where CEL has no order between their types.
    func order(to other: Value) -> Order? {
        switch (self, other) {
        case (.bool(let a), .bool(let b)): .of(a ? 1 : 0, b ? 1 : 0)
        case (.int(let a), .int(let b)): .of(a, b)
        case (.uint(let a), .uint(let b)): .of(a, b)
        case (.double(let a), .double(let b)): .of(a, b)
        case (.int(let a), .uint(let b)): a < 0 ? .less : .of(UInt64(a), b)
        case (.uint(let a), .int(let b)): b < 0 ? .greater : .of(a, UInt64(b))
        case (.int(let a), .double(let b)): .of(Double(a), b)
        case (.double(let a), .int(let b)): .of(a, Double(b))
        case (.uint(let a), .double(let b)): .of(Double(a), b)
        case (.double(let a), .uint(let b)): .of(a, Double(b))
        case (.string(let a), .string(let b)): Text.order(a, b)
        case (.bytes(let a), .bytes(let b)): a.lexicographicallyPrecedes(b) ? .less : a == b ? .equal : .greater
        case (.timestamp(let a), .timestamp(let b)): .of(a, b)
        case (.duration(let a), .duration(let b)): .of(a, b)
        default: nil
        }
    }
}
