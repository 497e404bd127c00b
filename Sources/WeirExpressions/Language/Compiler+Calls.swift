extension Compiler {
    /// Calls: operators on plain numbers go the short way, all else through the library.
    mutating func call(_ function: Function, _ arguments: [Term]) -> Code {
        if function.name == "matches", arguments.count == 2, case .constant(.string(let text)) = arguments[1],
            let pattern = Pattern(text)
        {
            let target = compile(arguments[0])
            return { (frame) throws(ExpressionFailure) in
                let value = try target(&frame)
                guard case .string(let string) = value else { throw Function.mismatch("matches", value, .string("")) }
                try frame.spend(1 + string.utf8.count >> 4)
                return .bool(pattern.isFound(in: string))
            }
        }
        if let test = textTest(function.name, arguments) { return test }
        let codes = arguments.map { compile($0) }
        if codes.count == 2, let operation = comparison(function.name, codes[0], codes[1]) { return operation }
        let name = function.name
        switch (function.body, codes.count) {
        case (.one(let body), 1):
            let first = codes[0]
            return { (frame) throws(ExpressionFailure) in
                let value = try first(&frame)
                try frame.spend(1 + Self.weight(value))
                let result = try body(value)
                try frame.spend(Self.weight(result))
                return result
            }
        case (.two(let body), 2):
            let (first, second) = (codes[0], codes[1])
            return { (frame) throws(ExpressionFailure) in
                let left = try first(&frame)
                let right = try second(&frame)
                try frame.spend(1 + Self.weight(left) + Self.weight(right))
                let result = try body(left, right)
                try frame.spend(Self.weight(result))
                return result
            }
        case (.many(let body), _):
            return { (frame) throws(ExpressionFailure) in
                var values: [Value] = []
                values.reserveCapacity(codes.count)
                for code in codes {
                    let value = try code(&frame)
                    try frame.spend(1 + Self.weight(value))
                    values.append(value)
                }
                let result = try body(values)
                try frame.spend(Self.weight(result))
                return result
            }
        case (.metered(let body), _):
            return { (frame) throws(ExpressionFailure) in
                var values: [Value] = []
                for code in codes { values.append(try code(&frame)) }
                return try body(values, &frame)
            }
        case (.context, _):
            return { (frame) throws(ExpressionFailure) in
                try frame.spend(10)
                guard let context = frame.context else {
                    throw ExpressionFailure(.noSuchOverload, "\(name) has no answer here")
                }
                var values: [Value] = []
                for code in codes { values.append(try code(&frame)) }
                let result = try context.answer(name, values)
                try frame.spend(Self.weight(result))
                return result
            }
        default:
            return { (_) throws(ExpressionFailure) in
                throw ExpressionFailure(.noSuchOverload, "unbound function \(name)")
            }
        }
    }

    /// Steps for touching or making a value: one for each 64 bytes or 4 elements.
    @inline(__always)
    static func weight(_ value: Value) -> Int {
        switch value {
        case .string(let text): text.utf8.count >> 6
        case .bytes(let bytes): bytes.count >> 6
        case .list(let list): list.count >> 2
        case .map(let map): map.count >> 2
        default: 0
        }
    }

    private func comparison(_ name: String, _ first: @escaping Code, _ second: @escaping Code) -> Code? {
        switch name {
        case "_==_", "_!=_":
            let wanted = name == "_==_"
            return { (frame) throws(ExpressionFailure) in
                let left = try first(&frame)
                let right = try second(&frame)
                try frame.spend()
                return .bool(try frame.areEqual(left, right) == wanted)
            }
        case "@in":
            return { (frame) throws(ExpressionFailure) in
                let left = try first(&frame)
                let right = try second(&frame)
                try frame.spend()
                switch right {
                case .map(let map): return .bool(map.position(of: left) != nil)
                case .list(let list):
                    for element in list {
                        try frame.spend()
                        if try frame.areEqual(left, element) { return .bool(true) }
                    }
                    return .bool(false)
                default: throw Function.mismatch("@in", left, right)
                }
            }
        case "_<_": return ordering(name, first, second) { $0 == .less }
        case "_<=_": return ordering(name, first, second) { $0 == .less || $0 == .equal }
        case "_>_": return ordering(name, first, second) { $0 == .greater }
        case "_>=_": return ordering(name, first, second) { $0 == .greater || $0 == .equal }
        default: return nil
        }
    }

    private func ordering(
        _ name: String, _ first: @escaping Code, _ second: @escaping Code,
        _ accepts: @escaping @Sendable (Order) -> Bool
    ) -> Code {
        { (frame) throws(ExpressionFailure) in
            let left = try first(&frame)
            let right = try second(&frame)
            try frame.spend(1 + Self.weight(left))
            guard let order = left.order(to: right) else { throw Function.mismatch(name, left, right) }
            return .bool(accepts(order))
        }
    }
}
