/// Turns resolved terms into closures, one for each node, with short ways for what conditions are made of.
struct Compiler {
    /// Paths below `event` that are asked for, first names only, in the order of appearance.
    private(set) var fieldsRead: [String] = []
    private(set) var readsWholeRecord = false
    /// Named values that are asked for.
    private(set) var variablesRead: Set<String> = []

    mutating func compile(_ term: Term) -> Code {
        if let path = EventPath(term) {
            noteField(path.names[0])
            return { (frame) throws(ExpressionFailure) in
                try frame.spend()
                return try EventField.value(at: path, in: &frame)
            }
        }
        switch term {
        case .constant(let value): return { (_) throws(ExpressionFailure) in value }
        case .variable(let name): return variable(name)
        case .local(let slot):
            return { (frame) throws(ExpressionFailure) in
                guard let value = frame.slots[slot] else { throw ExpressionFailure(.unknownName, "slot \(slot)") }
                return value
            }
        case .lazy(let slot, let inner):
            let code = compile(inner)
            return { (frame) throws(ExpressionFailure) in
                if let value = frame.slots[slot] { return value }
                let value = try code(&frame)
                frame.slots[slot] = value
                return value
            }
        case .failing(let failure): return { (_) throws(ExpressionFailure) in throw failure }
        case .attribute(let path):
            return { (frame) throws(ExpressionFailure) in
                try frame.spend()
                return try path.value(in: &frame)
            }
        case .hasAttribute(let path):
            return { (frame) throws(ExpressionFailure) in
                try frame.spend()
                return .bool(path.isPresent(in: &frame))
            }
        case .record(let variable):
            return { (frame) throws(ExpressionFailure) in try variable.map(in: &frame) }
        case .hasRecord(let slot):
            return { (frame) throws(ExpressionFailure) in
                try frame.spend()
                return .bool(slot < frame.records.count && frame.records[slot].isPresent)
            }
        case .select(let inner, let field, let isOptional): return select(compile(inner), field, isOptional)
        case .has(let inner, let field, let isOptional): return has(inner, field, isOptional)
        case .index(let inner, let key, let isOptional): return index(compile(inner), compile(key), isOptional)
        case .call(let function, let arguments): return call(function, arguments)
        case .and(let parts): return junction(parts, deciding: false)
        case .or(let parts): return junction(parts, deciding: true)
        case .conditional(let condition, let yes, let no): return conditional(condition, yes, no)
        case .list(let elements, let optional): return list(elements, optional)
        case .map(let entries): return map(entries)
        case .comprehension(let loop): return comprehension(loop)
        case .bind(let slot, let value, let body):
            let valueCode = compile(value)
            let bodyCode = compile(body)
            return { (frame) throws(ExpressionFailure) in
                frame.slots[slot] = try valueCode(&frame)
                return try bodyCode(&frame)
            }
        case .block(let slots, let body):
            let code = compile(body)
            return { (frame) throws(ExpressionFailure) in
                for slot in slots { frame.slots[slot] = nil }
                return try code(&frame)
            }
        }
    }

    private mutating func noteField(_ name: String) {
        if !fieldsRead.contains(name) { fieldsRead.append(name) }
    }

    private mutating func variable(_ name: String) -> Code {
        if name == "event" { readsWholeRecord = true }
        variablesRead.insert(name)
        return { (frame) throws(ExpressionFailure) in
            try frame.spend()
            if let value = frame.bindings[name] { return value }
            if let record = frame.record {
                switch name {
                case "event": return try EventField.whole(record)
                case "source": return .string(record.source)
                case "meta": return EventField.map(record.meta)
                default: break
                }
            }
            throw ExpressionFailure(.unknownName, name)
        }
    }

    // MARK: Fields and elements

    private func select(_ inner: @escaping Code, _ field: String, _ isOptional: Bool) -> Code {
        let key = Value.string(field)
        return { (frame) throws(ExpressionFailure) in
            try frame.spend()
            return try Self.select(try inner(&frame), key, field, isOptional)
        }
    }

    static func select(
        _ target: Value, _ key: Value, _ field: String, _ isOptional: Bool
    ) throws(ExpressionFailure) -> Value {
        switch target {
        case .map(let map):
            if let value = map[key] { return isOptional ? .optional(value) : value }
            if isOptional { return .optional(nil) }
            throw ExpressionFailure(.noSuchKey, field)
        case .optional(nil): return target
        case .optional(let inner?): return try select(inner, key, field, true)
        default: throw ExpressionFailure(.noSuchOverload, "type '\(target.typeName)' does not support field selection")
        }
    }

    private mutating func has(_ inner: Term, _ field: String, _ isOptional: Bool) -> Code {
        if let path = EventPath(.select(inner, field, isOptional: isOptional)) {
            noteField(path.names[0])
            return { (frame) throws(ExpressionFailure) in
                try frame.spend()
                return .bool(try EventField.isPresent(path, in: &frame))
            }
        }
        let code = compile(inner)
        let key = Value.string(field)
        return { (frame) throws(ExpressionFailure) in
            try frame.spend()
            return .bool(try Self.has(try code(&frame), key, field))
        }
    }

    static func has(_ target: Value, _ key: Value, _ field: String) throws(ExpressionFailure) -> Bool {
        switch target {
        case .map(let map): return map.position(of: key) != nil
        case .optional(nil): return false
        case .optional(let inner?): return try has(inner, key, field)
        default: throw ExpressionFailure(.noSuchOverload, "type '\(target.typeName)' does not support field selection")
        }
    }

    private func index(_ inner: @escaping Code, _ key: @escaping Code, _ isOptional: Bool) -> Code {
        { (frame) throws(ExpressionFailure) in
            try frame.spend()
            let target = try inner(&frame)
            return try Self.element(of: target, at: try key(&frame), isOptional)
        }
    }

    static func element(of target: Value, at key: Value, _ isOptional: Bool) throws(ExpressionFailure) -> Value {
        switch target {
        case .optional(nil): return target
        case .optional(let inner?): return try element(of: inner, at: key, true)
        case .map(let map):
            if let value = map[key] { return isOptional ? .optional(value) : value }
            if isOptional { return .optional(nil) }
            throw ExpressionFailure(.noSuchKey, key.literal)
        case .list(let list):
            let position: Int?
            switch key {
            case .int(let value): position = Int(exactly: value)
            case .uint(let value): position = Int(exactly: value)
            case .double(let value): position = Int(exactly: value)
            default: throw Function.mismatch("_[_]", target, key)
            }
            if let position, position >= 0, position < list.count {
                return isOptional ? .optional(list[position]) : list[position]
            }
            if isOptional { return .optional(nil) }
            throw ExpressionFailure(.range, "index \(key.literal) is outside a list of \(list.count)")
        default: throw Function.mismatch("_[_]", target, key)
        }
    }

    // MARK: Logic

    /// `&&` and `||`: a side that decides wins over one that fails, whichever comes first.
    private mutating func junction(_ parts: [Term], deciding: Bool) -> Code {
        let codes = parts.map { compile($0) }
        let name = deciding ? "_||_" : "_&&_"
        return { (frame) throws(ExpressionFailure) in
            var failure: ExpressionFailure?
            for code in codes {
                do throws(ExpressionFailure) {
                    let value = try code(&frame)
                    if case .bool(let bool) = value {
                        if bool == deciding { return .bool(deciding) }
                    } else if failure == nil {
                        failure = Function.mismatch(name, value)
                    }
                } catch {
                    if error.kind == .tooCostly { throw error }
                    if failure == nil { failure = error }
                }
            }
            if let failure { throw failure }
            return .bool(!deciding)
        }
    }

    private mutating func conditional(_ condition: Term, _ yes: Term, _ no: Term) -> Code {
        let conditionCode = compile(condition)
        let yesCode = compile(yes)
        let noCode = compile(no)
        return { (frame) throws(ExpressionFailure) in
            try frame.spend()
            let value = try conditionCode(&frame)
            guard case .bool(let bool) = value else { throw Function.mismatch("_?_:_", value) }
            return bool ? try yesCode(&frame) : try noCode(&frame)
        }
    }

    // MARK: Literals

    private mutating func list(_ elements: [Term], _ optional: [Bool]) -> Code {
        let codes = elements.map { compile($0) }
        let hasOptional = optional.contains(true)
        return { (frame) throws(ExpressionFailure) in
            try frame.spend(codes.count)
            var values: [Value] = []
            values.reserveCapacity(codes.count)
            for (at, code) in codes.enumerated() {
                let value = try code(&frame)
                if hasOptional, optional[at] {
                    guard case .optional(let inner) = value else { throw Function.mismatch("[?_]", value) }
                    if let inner { values.append(inner) }
                } else {
                    values.append(value)
                }
            }
            return .list(values)
        }
    }

    private mutating func map(_ entries: [(key: Term, value: Term, isOptional: Bool)]) -> Code {
        var codes: [(key: Code, value: Code, isOptional: Bool)] = []
        for entry in entries { codes.append((compile(entry.key), compile(entry.value), entry.isOptional)) }
        let parts = codes
        return { (frame) throws(ExpressionFailure) in
            try frame.spend(parts.count)
            var map = ValueMap()
            for part in parts {
                let key = try part.key(&frame)
                switch key {
                case .bool, .int, .uint, .string: break
                default: throw ExpressionFailure(.invalidArgument, "unsupported key type \(key.typeName)")
                }
                guard map.position(of: key) == nil else {
                    throw ExpressionFailure(.invalidArgument, "repeated key \(key.literal)")
                }
                let value = try part.value(&frame)
                if part.isOptional {
                    guard case .optional(let inner) = value else { throw Function.mismatch("{?_:_}", value) }
                    if let inner { map[key] = inner }
                } else {
                    map[key] = value
                }
            }
            return .map(map)
        }
    }
}
