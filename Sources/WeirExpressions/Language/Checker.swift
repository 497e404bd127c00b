/// Resolves names and checks types, in one walk: what comes out can be evaluated, and its type is known as far as it
/// can be.
struct Checker {
    let environment: ExpressionEnvironment
    private let source: [UInt8]
    private let library: [String: Function]
    var unifier = Unifier()
    var scopes: [(name: String, slot: Int, type: CheckedType, lazy: Term?)] = []
    var slotsUsed = 0
    private(set) var problems: [ExpressionProblem] = []

    struct Checked {
        var term: Term
        var type: CheckedType
        var slots: Int
        /// The first is the one to show.
        var problems: [ExpressionProblem]
    }

    static func check(_ node: Node, source: String, in environment: ExpressionEnvironment) -> Checked {
        var checker = Checker(environment, Array(source.utf8))
        let (term, type) = checker.check(node)
        return Checked(
            term: term, type: checker.unifier.resolved(type, openAsDyn: true), slots: checker.slotsUsed,
            problems: checker.problems)
    }

    private init(_ environment: ExpressionEnvironment, _ source: [UInt8]) {
        self.environment = environment
        self.source = source
        var library = Library.functions
        for function in environment.functions { library[function.name] = function }
        self.library = library
    }

    mutating func report(_ message: String, at offset: Int) {
        guard environment.checking != .off else { return }
        problems.append(ExpressionProblem(message, at: offset, in: source))
    }

    /// A name that may stand in the container or in any namespace round it, innermost first.
    func candidates(_ name: String, isAbsolute: Bool) -> [String] {
        guard !isAbsolute, !environment.container.isEmpty else { return [name] }
        var parts = environment.container.split(separator: ".")
        var result: [String] = []
        while !parts.isEmpty {
            result.append(parts.joined(separator: ".") + "." + name)
            parts.removeLast()
        }
        return result + [name]
    }

    func local(_ name: String) -> (name: String, slot: Int, type: CheckedType, lazy: Term?)? {
        scopes.last { $0.name == name }
    }

    func global(_ name: String, isAbsolute: Bool) -> (Term, CheckedType)? {
        for candidate in candidates(name, isAbsolute: isAbsolute) {
            if let record = environment.records[candidate] { return (.record(record), .map(.string, .dyn)) }
            if let type = environment.variables[candidate] { return (.variable(candidate), type) }
            if let type = CheckedType.named[candidate] {
                return (.constant(.type(candidate)), .type(type))
            }
        }
        return nil
    }

    static func root(_ dotted: String) -> String {
        dotted.firstIndex(of: ".").map { String(dotted[..<$0]) } ?? dotted
    }

    // MARK: The walk

    mutating func check(_ node: Node) -> (Term, CheckedType) {
        switch node.kind {
        case .constant(let value): return (.constant(value), Self.type(of: value))
        case .name(let name, let isAbsolute): return checkName(node, name, isAbsolute)
        case .select(let inner, let field, let isOptional):
            if let found = attribute(inner, field, isOptional: isOptional, at: node.at) { return found }
            if !isOptional, let dotted = node.dottedName, dotted.isAbsolute || local(Self.root(dotted.name)) == nil,
                let found = global(dotted.name, isAbsolute: dotted.isAbsolute)
            {
                return found
            }
            let (term, type) = check(inner)
            let result = fieldType(field, of: type, isOptional: isOptional, at: node.at)
            return (.select(term, field, isOptional: isOptional), result)
        case .has(let inner, let field, let isOptional):
            if let found = attribute(inner, field, isOptional: false, at: node.at), case .attribute(let path) = found.0
            {
                return (.hasAttribute(path), .bool)
            }
            let (term, type) = check(inner)
            _ = fieldType(field, of: type, isOptional: isOptional, at: node.at)
            return (.has(term, field, isOptional: isOptional), .bool)
        case .index(let inner, let index, let isOptional):
            if case .constant(.string(let field)) = index.kind,
                let found = attribute(inner, field, isOptional: isOptional, at: node.at)
            {
                return found
            }
            let (term, type) = check(inner)
            let (key, keyType) = check(index)
            let result = resolve(isOptional ? "_[?_]" : "_[_]", [type, keyType], isMethod: false, at: node.at)
            return (.index(term, key, isOptional: isOptional), result)
        case .call(let name, let arguments): return checkCall(name, arguments, at: node.at)
        case .method(let target, let name, let arguments): return checkMethod(target, name, arguments, at: node.at)
        case .and(let parts): return (.and(junction(parts, "_&&_")), .bool)
        case .or(let parts): return (.or(junction(parts, "_||_")), .bool)
        case .conditional(let condition, let yes, let no):
            let (conditionTerm, conditionType) = check(condition)
            let (yesTerm, yesType) = check(yes)
            let (noTerm, noType) = check(no)
            let type = resolve("_?_:_", [conditionType, yesType, noType], isMethod: false, at: node.at)
            return (.conditional(conditionTerm, yesTerm, noTerm), type)
        case .list(let elements): return checkList(elements)
        case .map(let entries): return checkMap(entries)
        case .message(let name):
            report("'\(name){…}' makes a protobuf message; there are none here", at: node.at)
            return (.failing(ExpressionFailure(.unknownName, name)), .dyn)
        case .comprehension(let comprehension): return checkLoop(comprehension, at: node.at)
        case .bind(let name, let value, let body):
            let (valueTerm, valueType) = check(value)
            let slot = push(name, valueType)
            let (bodyTerm, bodyType) = check(body)
            scopes.removeLast()
            return (.bind(slot, valueTerm, bodyTerm), bodyType)
        case .block(let slots, let body):
            var numbers: [Int] = []
            for (at, slot) in slots.enumerated() {
                let (term, type) = check(slot)
                let number = push("@index\(at)", type)
                numbers.append(number)
                scopes[scopes.count - 1].lazy = .lazy(number, term)
            }
            let (bodyTerm, bodyType) = check(body)
            scopes.removeLast(slots.count)
            return (.block(numbers, bodyTerm), bodyType)
        }
    }

    mutating func push(_ name: String, _ type: CheckedType) -> Int {
        // Slots are never shared between scopes: the count stays small and a lazy slot cannot be overwritten.
        let slot = slotsUsed
        slotsUsed += 1
        scopes.append((name, slot, type, nil))
        return slot
    }

    mutating func checkName(_ node: Node, _ name: String, _ isAbsolute: Bool) -> (Term, CheckedType) {
        if !isAbsolute, let local = local(name) { return (local.lazy ?? .local(local.slot), local.type) }
        if let found = global(name, isAbsolute: isAbsolute) { return found }
        let known = Array(environment.variables.keys) + Array(environment.records.keys)
        let nearest = Nearest.name(to: name, among: known.sorted())
        report(
            "undeclared reference to '\(name)'" + (nearest.map { ", did you mean '\($0)'?" } ?? ""), at: node.at)
        return (.failing(ExpressionFailure(.unknownName, name)), .dyn)
    }

    mutating func fieldType(
        _ field: String, of type: CheckedType, isOptional: Bool, at offset: Int
    ) -> CheckedType {
        var target = unifier.resolved(type, openAsDyn: false)
        var isWrapped = isOptional
        if case .opaque("optional_type", let parts) = target, parts.count == 1 {
            target = unifier.resolved(parts[0], openAsDyn: false)
            isWrapped = true
        }
        let result: CheckedType
        switch target {
        case .dyn: result = .dyn
        case .map(let key, let value):
            if !unifier.fits(.string, key) {
                report("a map with keys of type \(key) has no field '\(field)'", at: offset)
            }
            result = value
        case .parameter:
            _ = unifier.fits(.dyn, target)
            result = .dyn
        default:
            report("type '\(target)' does not support field selection", at: offset)
            return .dyn
        }
        return isWrapped ? .optional(result) : result
    }

    mutating func junction(_ parts: [Node], _ name: String) -> [Term] {
        var terms: [Term] = []
        for part in parts {
            let (term, type) = check(part)
            if !unifier.fits(type, .bool) {
                report(
                    "'\(name.dropFirst().dropLast())' joins bool values, this is "
                        + "\(unifier.resolved(type, openAsDyn: true))",
                    at: part.at)
            }
            terms.append(term)
        }
        return terms
    }

    // MARK: Calls

    mutating func checkCall(_ written: String, _ arguments: [Node], at offset: Int) -> (Term, CheckedType) {
        if let found = joined(written, arguments) { return found }
        let (terms, types) = check(arguments)
        let isAbsolute = written.hasPrefix(".")
        let name = isAbsolute ? String(written.dropFirst()) : written
        for candidate in candidates(name, isAbsolute: isAbsolute) {
            guard let function = library[candidate] else { continue }
            return call(function, terms, types, isMethod: false, at: offset)
        }
        return unknown(name, at: offset)
    }

    mutating func checkMethod(
        _ target: Node, _ name: String, _ arguments: [Node], at offset: Int
    ) -> (Term, CheckedType) {
        if let dotted = target.dottedName, dotted.isAbsolute || local(Self.root(dotted.name)) == nil {
            for candidate in candidates(dotted.name + "." + name, isAbsolute: dotted.isAbsolute) {
                guard let function = library[candidate] else { continue }
                let (terms, types) = check(arguments)
                return call(function, terms, types, isMethod: false, at: offset)
            }
        }
        let (terms, types) = check([target] + arguments)
        guard let function = library[name] else { return unknown(name, at: offset) }
        return call(function, terms, types, isMethod: true, at: offset)
    }

    mutating func check(_ nodes: [Node]) -> ([Term], [CheckedType]) {
        var terms: [Term] = []
        var types: [CheckedType] = []
        for node in nodes {
            let (term, type) = check(node)
            terms.append(term)
            types.append(type)
        }
        return (terms, types)
    }

    mutating func unknown(_ name: String, at offset: Int) -> (Term, CheckedType) {
        let nearest = Nearest.name(to: name, among: library.keys.filter { !$0.contains("_") }.sorted())
        report("unknown function '\(name)'" + (nearest.map { ", did you mean '\($0)'?" } ?? ""), at: offset)
        return (.failing(ExpressionFailure(.noSuchOverload, "unbound function \(name)")), .dyn)
    }

    mutating func call(
        _ function: Function, _ terms: [Term], _ types: [CheckedType], isMethod: Bool, at offset: Int
    ) -> (Term, CheckedType) {
        if function.name == "matches", terms.count == 2, case .constant(.string(let pattern)) = terms[1] {
            if let message = Pattern.problem(with: pattern) {
                report("not a regular expression: \(message)", at: offset)
            }
        }
        let type = resolve(function, types, isMethod: isMethod, at: offset)
        let isCallable = function.overloads.contains {
            $0.isMethod == isMethod && $0.parameters(for: terms.count) != nil
        }
        guard isCallable else {
            return (.failing(ExpressionFailure(.noSuchOverload, "unbound function \(function.name)")), .dyn)
        }
        return (.call(function, terms), type)
    }

    mutating func resolve(_ name: String, _ types: [CheckedType], isMethod: Bool, at offset: Int) -> CheckedType {
        guard let function = library[name] else { return .dyn }
        return resolve(function, types, isMethod: isMethod, at: offset)
    }

    mutating func resolve(
        _ function: Function, _ types: [CheckedType], isMethod: Bool, at offset: Int
    ) -> CheckedType {
        var result: CheckedType?
        for overload in function.overloads where overload.isMethod == isMethod {
            guard var wanted = overload.parameters(for: types.count) else { continue }
            var returned = overload.result
            if !overload.variables.isEmpty {
                var names: [String: CheckedType] = [:]
                for name in overload.variables.sorted() { names[name] = unifier.fresh() }
                wanted = wanted.map { Signature.rename($0, names) }
                returned = Signature.rename(returned, names)
            }
            guard unifier.fits(types, wanted) else { continue }
            let type = unifier.resolved(returned, openAsDyn: false)
            if let before = result {
                if before != .dyn, before != type { result = .dyn }
            } else {
                result = type
            }
        }
        if let result { return result }
        let shown = types.map { unifier.resolved($0, openAsDyn: true).description }
        let call =
            isMethod && !shown.isEmpty
            ? "\(shown[0]).(\(shown.dropFirst().joined(separator: ", ")))" : "(\(shown.joined(separator: ", ")))"
        report("no matching overload for '\(Self.shown(function.name))' applied to '\(call)'", at: offset)
        return .dyn
    }

    /// Operators as they are written.
    static func shown(_ name: String) -> String {
        name == "@in" ? "in" : name.contains("_") && !name.contains { $0.isLetter } ? name.filter { $0 != "_" } : name
    }
}
