extension Compiler {
    /// The macros that walk a list or a map. Every round costs a step, so nesting them cannot run away.
    mutating func comprehension(_ loop: Term.Loop) -> Code {
        let range = compile(loop.range)
        let predicate = loop.predicate.map { compile($0) }
        let transform = loop.transform.map { compile($0) }
        let slots = loop.slots
        switch loop.shape {
        case .all: return quantifier(range, slots, predicate, deciding: false)
        case .exists: return quantifier(range, slots, predicate, deciding: true)
        case .existsOne:
            return { (frame) throws(ExpressionFailure) in
                var found = 0
                for round in try Self.rounds(try range(&frame), slots.count) {
                    if try Self.holds(predicate, round, slots, &frame) { found += 1 }
                }
                return .bool(found == 1)
            }
        case .filter, .map:
            return { (frame) throws(ExpressionFailure) in
                var values: [Value] = []
                for round in try Self.rounds(try range(&frame), slots.count) {
                    guard try Self.holds(predicate, round, slots, &frame) else { continue }
                    if let transform { values.append(try transform(&frame)) } else { values.append(round.first) }
                }
                return .list(values)
            }
        case .transformMap:
            return { (frame) throws(ExpressionFailure) in
                var map = ValueMap()
                for round in try Self.rounds(try range(&frame), slots.count) {
                    guard try Self.holds(predicate, round, slots, &frame), let transform else { continue }
                    map[round.first] = try transform(&frame)
                }
                return .map(map)
            }
        case .transformMapEntry:
            return { (frame) throws(ExpressionFailure) in
                var map = ValueMap()
                for round in try Self.rounds(try range(&frame), slots.count) {
                    guard try Self.holds(predicate, round, slots, &frame), let transform else { continue }
                    let entry = try transform(&frame)
                    guard case .map(let entries) = entry else { throw Function.mismatch("transformMapEntry", entry) }
                    for (at, key) in entries.keys.enumerated() {
                        guard map.position(of: key) == nil else {
                            throw ExpressionFailure(.invalidArgument, "repeated key \(key.literal)")
                        }
                        map[key] = entries.values[at]
                    }
                }
                return .map(map)
            }
        case .optionalMap, .optionalFlatMap:
            let isFlat = loop.shape == .optionalFlatMap
            return { (frame) throws(ExpressionFailure) in
                try frame.spend()
                let value = try range(&frame)
                guard case .optional(let inner) = value else { throw Function.mismatch("optMap", value) }
                guard let inner, let transform else { return .optional(nil) }
                frame.slots[slots[0]] = inner
                let result = try transform(&frame)
                guard isFlat else { return .optional(result) }
                guard case .optional = result else { throw Function.mismatch("optFlatMap", result) }
                return result
            }
        }
    }

    /// `all` and `exists`: as with `&&` and `||`, one deciding element outweighs failures of others.
    private func quantifier(_ range: @escaping Code, _ slots: [Int], _ predicate: Code?, deciding: Bool) -> Code {
        { (frame) throws(ExpressionFailure) in
            var failure: ExpressionFailure?
            for round in try Self.rounds(try range(&frame), slots.count) {
                do throws(ExpressionFailure) {
                    if try Self.holds(predicate, round, slots, &frame) == deciding { return .bool(deciding) }
                } catch {
                    if error.kind == .tooCostly { throw error }
                    if failure == nil { failure = error }
                }
            }
            if let failure { throw failure }
            return .bool(!deciding)
        }
    }

    struct Round {
        var first: Value
        var second: Value?
    }

    private static func rounds(_ range: Value, _ names: Int) throws(ExpressionFailure) -> [Round] {
        switch range {
        case .list(let list):
            guard names == 2 else { return list.map { Round(first: $0, second: nil) } }
            return list.enumerated().map { Round(first: .int(Int64($0.offset)), second: $0.element) }
        case .map(let map):
            guard names == 2 else { return map.keys.map { Round(first: $0, second: nil) } }
            return zip(map.keys, map.values).map { Round(first: $0, second: $1) }
        default: throw ExpressionFailure(.noSuchOverload, "a \(range.typeName) is no range of a macro")
        }
    }

    @inline(__always)
    private static func holds(
        _ predicate: Code?, _ round: Round, _ slots: [Int], _ frame: inout Frame
    ) throws(ExpressionFailure) -> Bool {
        try frame.spend()
        frame.slots[slots[0]] = round.first
        if slots.count > 1 { frame.slots[slots[1]] = round.second }
        guard let predicate else { return true }
        let value = try predicate(&frame)
        guard case .bool(let bool) = value else { throw Function.mismatch("condition of a macro", value) }
        return bool
    }
}
