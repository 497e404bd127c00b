extension Library {
    static let mathematics: [Function] = [
        Function(
            "math.greatest",
            [
                "(A) A", "(list(A)) A", "(int, int*) int", "(uint, uint*) uint", "(double, double*) double",
                "(dyn, dyn*) dyn",
            ],
            .many { (values) throws(ExpressionFailure) in try extreme(values, "math.greatest", .greater) }),
        Function(
            "math.least",
            [
                "(A) A", "(list(A)) A", "(int, int*) int", "(uint, uint*) uint", "(double, double*) double",
                "(dyn, dyn*) dyn",
            ],
            .many { (values) throws(ExpressionFailure) in try extreme(values, "math.least", .less) }),
        rounding("math.ceil") { $0.rounded(.up) },
        rounding("math.floor") { $0.rounded(.down) },
        rounding("math.round") { $0.rounded(.toNearestOrAwayFromZero) },
        rounding("math.trunc") { $0.rounded(.towardZero) },
        Function(
            "math.sqrt", ["(int) double", "(uint) double", "(double) double"],
            .one { (value) throws(ExpressionFailure) in
                switch value {
                case .double(let a): return .double(a.squareRoot())
                case .int(let a): return .double(Double(a).squareRoot())
                case .uint(let a): return .double(Double(a).squareRoot())
                default: throw Function.mismatch("math.sqrt", value)
                }
            }),
        Function(
            "math.abs", ["(int) int", "(uint) uint", "(double) double"],
            .one { (value) throws(ExpressionFailure) in
                switch value {
                case .int(let a):
                    guard a != .min else { throw ExpressionFailure(.range, "math.abs overflows int") }
                    return .int(abs(a))
                case .uint: return value
                case .double(let a): return .double(abs(a))
                default: throw Function.mismatch("math.abs", value)
                }
            }),
        Function(
            "math.sign", ["(int) int", "(uint) uint", "(double) double"],
            .one { (value) throws(ExpressionFailure) in
                switch value {
                case .int(let a): return .int(a.signum())
                case .uint(let a): return .uint(a == 0 ? 0 : 1)
                case .double(let a): return .double(a.isNaN ? .nan : a > 0 ? 1 : a < 0 ? -1 : 0)
                default: throw Function.mismatch("math.sign", value)
                }
            }),
        question("math.isNaN") { $0.isNaN },
        question("math.isInf") { $0.isInfinite },
        question("math.isFinite") { $0.isFinite },
        bits("math.bitAnd") { $0 & $1 },
        bits("math.bitOr") { $0 | $1 },
        bits("math.bitXor") { $0 ^ $1 },
        Function(
            "math.bitNot", ["(int) int", "(uint) uint"],
            .one { (value) throws(ExpressionFailure) in
                switch value {
                case .int(let a): return .int(~a)
                case .uint(let a): return .uint(~a)
                default: throw Function.mismatch("math.bitNot", value)
                }
            }),
        shift("math.bitShiftLeft", { $1 > 63 ? 0 : $0 << $1 }, { $1 > 63 ? 0 : $0 << $1 }),
        // The sign of an int stays, as in the conformance cases.
        shift("math.bitShiftRight", { $0 >> min($1, 63) }, { $1 > 63 ? 0 : $0 >> $1 }),
    ]

    private static func extreme(_ values: [Value], _ name: String, _ wanted: Order) throws(ExpressionFailure) -> Value {
        var candidates = values
        if values.count == 1, case .list(let list) = values[0] { candidates = list }
        guard var best = candidates.first else {
            throw ExpressionFailure(.invalidArgument, "\(name) of an empty list")
        }
        for value in candidates {
            switch value {
            case .int, .uint, .double: break
            default: throw Function.mismatch(name, value)
            }
            if value.order(to: best) == wanted { best = value }
        }
        return best
    }

    private static func rounding(_ name: String, _ body: @escaping @Sendable (Double) -> Double) -> Function {
        Function(
            name, ["(double) double"],
            .one { (value) throws(ExpressionFailure) in
                guard case .double(let a) = value else { throw Function.mismatch(name, value) }
                return .double(body(a))
            })
    }

    private static func question(_ name: String, _ body: @escaping @Sendable (Double) -> Bool) -> Function {
        Function(
            name, ["(double) bool"],
            .one { (value) throws(ExpressionFailure) in
                guard case .double(let a) = value else { throw Function.mismatch(name, value) }
                return .bool(body(a))
            })
    }

    private static func bits(_ name: String, _ body: @escaping @Sendable (UInt64, UInt64) -> UInt64) -> Function {
        Function(
            name, ["(int, int) int", "(uint, uint) uint"],
            .two { (left, right) throws(ExpressionFailure) in
                switch (left, right) {
                case (.int(let a), .int(let b)):
                    return .int(Int64(bitPattern: body(UInt64(bitPattern: a), UInt64(bitPattern: b))))
                case (.uint(let a), .uint(let b)): return .uint(body(a, b))
                default: throw Function.mismatch(name, left, right)
                }
            })
    }

    private static func shift(
        _ name: String, _ signed: @escaping @Sendable (Int64, Int64) -> Int64,
        _ unsigned: @escaping @Sendable (UInt64, Int64) -> UInt64
    ) -> Function {
        Function(
            name, ["(int, int) int", "(uint, int) uint"],
            .two { (left, right) throws(ExpressionFailure) in
                guard case .int(let by) = right else { throw Function.mismatch(name, left, right) }
                guard by >= 0 else { throw ExpressionFailure(.invalidArgument, "\(name) by a negative number") }
                switch left {
                case .int(let a): return .int(signed(a, by))
                case .uint(let a): return .uint(unsigned(a, by))
                default: throw Function.mismatch(name, left, right)
                }
            })
    }
}
