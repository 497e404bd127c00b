/// Lists, maps and the loops that macros become.
extension Checker {
    static func type(of value: Value) -> CheckedType {
        switch value {
        case .null: .null
        case .bool: .bool
        case .int: .int
        case .uint: .uint
        case .double: .double
        case .string: .string
        case .bytes: .bytes
        default: .dyn
        }
    }

    mutating func unwrapped(_ type: CheckedType, at offset: Int) -> CheckedType {
        let type = unifier.resolved(type, openAsDyn: false)
        switch type {
        case .opaque("optional_type", let parts) where parts.count == 1: return parts[0]
        case .dyn, .parameter: return .dyn
        default:
            report("expected type optional_type(_) but found \(type)", at: offset)
            return .dyn
        }
    }

    mutating func checkList(_ elements: [Node.Element]) -> (Term, CheckedType) {
        var terms: [Term] = []
        var joined: CheckedType?
        for element in elements {
            var (term, type) = check(element.node)
            if element.isOptional { type = unwrapped(type, at: element.node.at) }
            terms.append(term)
            joined = unifier.join(joined, type)
        }
        return (.list(terms, optional: elements.map(\.isOptional)), .list(joined ?? unifier.fresh()))
    }

    mutating func checkMap(_ entries: [Node.Entry]) -> (Term, CheckedType) {
        var parts: [(key: Term, value: Term, isOptional: Bool)] = []
        var keys: CheckedType?
        var values: CheckedType?
        for entry in entries {
            let (key, keyType) = check(entry.key)
            var (value, valueType) = check(entry.value)
            if entry.isOptional { valueType = unwrapped(valueType, at: entry.value.at) }
            switch unifier.resolved(keyType, openAsDyn: false) {
            case .bool, .int, .uint, .string, .dyn, .parameter: break
            default: report("a key is a bool, int, uint or string, not \(keyType)", at: entry.key.at)
            }
            parts.append((key, value, entry.isOptional))
            keys = unifier.join(keys, keyType)
            values = unifier.join(values, valueType)
        }
        return (.map(parts), .map(keys ?? unifier.fresh(), values ?? unifier.fresh()))
    }

    mutating func checkLoop(_ loop: Node.Comprehension, at offset: Int) -> (Term, CheckedType) {
        let (range, rangeType) = check(loop.range)
        var types: [CheckedType] = [.dyn, .dyn]
        var elements = CheckedType.dyn
        let isOptional = loop.shape == .optionalMap || loop.shape == .optionalFlatMap
        switch unifier.resolved(rangeType, openAsDyn: false) {
        case .opaque("optional_type", let parts) where isOptional && parts.count == 1: types = [parts[0]]
        case .list(let element) where !isOptional:
            types = loop.names.count == 2 ? [.int, element] : [element]
            elements = element
        case .map(let key, let value) where !isOptional:
            types = loop.names.count == 2 ? [key, value] : [key]
            elements = key
        case .dyn: break
        case .parameter: _ = unifier.fits(.dyn, rangeType)
        case let other:
            report(
                isOptional
                    ? "expected type optional_type(_) but found \(other)"
                    : "expression of type '\(other)' cannot be range of a comprehension (must be list, map, or "
                        + "dynamic)",
                at: offset)
        }
        var slots: [Int] = []
        for (name, type) in zip(loop.names, types) { slots.append(push(name, type)) }
        var predicate: Term?
        if let node = loop.predicate {
            let (term, type) = check(node)
            if !unifier.fits(type, .bool) {
                report(
                    "the condition of a macro is bool, this is \(unifier.resolved(type, openAsDyn: true))", at: node.at)
            }
            predicate = term
        }
        var transform: Term?
        var transformed = CheckedType.dyn
        if let node = loop.transform {
            let (term, type) = check(node)
            transform = term
            transformed = type
        }
        scopes.removeLast(loop.names.count)
        let term = Term.comprehension(
            Term.Loop(shape: loop.shape, range: range, slots: slots, predicate: predicate, transform: transform))
        return (term, result(loop, elements, types, transformed))
    }

    mutating func result(
        _ loop: Node.Comprehension, _ elements: CheckedType, _ types: [CheckedType], _ transformed: CheckedType
    ) -> CheckedType {
        switch loop.shape {
        case .all, .exists, .existsOne: return .bool
        case .filter: return .list(elements)
        case .map: return .list(transformed)
        case .transformMap: return .map(types[0], transformed)
        case .transformMapEntry:
            let entry = unifier.resolved(transformed, openAsDyn: false)
            switch entry {
            case .map, .dyn: return entry
            case .parameter: return .map(.dyn, .dyn)
            default:
                report("transformMapEntry() needs a map, this is \(entry)", at: loop.transform?.at ?? 0)
                return .dyn
            }
        case .optionalMap: return .optional(transformed)
        case .optionalFlatMap:
            let inner = unwrapped(transformed, at: loop.transform?.at ?? 0)
            return .optional(inner)
        }
    }
}
