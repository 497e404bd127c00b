extension Parser {
    /// Expands a call that is a macro; nil when it is none (then it is an ordinary method).
    func macro(on target: Node, _ name: String, _ arguments: [Node], at start: Int) throws(ExpressionProblem) -> Node? {
        if case .name("cel", isAbsolute: false) = target.kind { return try celMacro(name, arguments, at: start) }
        switch (name, arguments.count) {
        case ("all", 2), ("all", 3): return try loop(.all, target, arguments, hasTransform: false, start)
        case ("exists", 2), ("exists", 3): return try loop(.exists, target, arguments, hasTransform: false, start)
        case ("exists_one", 2), ("existsOne", 2), ("exists_one", 3), ("existsOne", 3):
            return try loop(.existsOne, target, arguments, hasTransform: false, start)
        case ("filter", 2): return try loop(.filter, target, arguments, hasTransform: false, start)
        case ("map", 2):
            return try loop(.map, target, arguments, names: 1, predicate: nil, transform: 1, start)
        case ("map", 3):
            return try loop(.map, target, arguments, names: 1, predicate: 1, transform: 2, start)
        case ("transformList", 3):
            return try loop(.map, target, arguments, names: 2, predicate: nil, transform: 2, start)
        case ("transformList", 4):
            return try loop(.map, target, arguments, names: 2, predicate: 2, transform: 3, start)
        case ("transformMap", 3):
            return try loop(.transformMap, target, arguments, names: 2, predicate: nil, transform: 2, start)
        case ("transformMap", 4):
            return try loop(.transformMap, target, arguments, names: 2, predicate: 2, transform: 3, start)
        case ("transformMapEntry", 3):
            return try loop(.transformMapEntry, target, arguments, names: 2, predicate: nil, transform: 2, start)
        case ("transformMapEntry", 4):
            return try loop(.transformMapEntry, target, arguments, names: 2, predicate: 2, transform: 3, start)
        case ("optMap", 2):
            return try loop(.optionalMap, target, arguments, names: 1, predicate: nil, transform: 1, start)
        case ("optFlatMap", 2):
            return try loop(.optionalFlatMap, target, arguments, names: 1, predicate: nil, transform: 1, start)
        default: return nil
        }
    }

    private func loop(
        _ shape: Node.Comprehension.Shape, _ range: Node, _ arguments: [Node], hasTransform: Bool, _ start: Int
    ) throws(ExpressionProblem) -> Node {
        let names = arguments.count - 1
        return try loop(shape, range, arguments, names: names, predicate: names, transform: nil, start)
    }

    private func loop(
        _ shape: Node.Comprehension.Shape, _ range: Node, _ arguments: [Node], names: Int, predicate: Int?,
        transform: Int?,
        _ start: Int
    ) throws(ExpressionProblem) -> Node {
        var variables: [String] = []
        for argument in arguments.prefix(names) {
            let name = try variable(argument)
            guard !variables.contains(name) else { throw problem("the two variables need two names", at: argument.at) }
            variables.append(name)
        }
        let comprehension = Node.Comprehension(
            shape: shape, range: range, names: variables, predicate: predicate.map { arguments[$0] },
            transform: transform.map { arguments[$0] })
        return Node(kind: .comprehension(comprehension), at: start)
    }

    private func variable(_ node: Node) throws(ExpressionProblem) -> String {
        guard case .name(let name, isAbsolute: false) = node.kind else {
            throw problem("a simple name is needed here: the variable of the macro", at: node.at)
        }
        return name
    }

    private func celMacro(_ name: String, _ arguments: [Node], at start: Int) throws(ExpressionProblem) -> Node? {
        switch (name, arguments.count) {
        case ("bind", 3): return Node(kind: .bind(try variable(arguments[0]), arguments[1], arguments[2]), at: start)
        case ("block", 2):
            guard case .list(let slots) = arguments[0].kind else {
                throw problem("cel.block() takes a list of slots first", at: arguments[0].at)
            }
            return Node(kind: .block(slots.map(\.node), arguments[1]), at: start)
        case ("index", 1):
            guard case .constant(.int(let slot)) = arguments[0].kind, slot >= 0 else {
                throw problem("cel.index() takes the number of a slot", at: start)
            }
            return Node(kind: .name("@index\(slot)", isAbsolute: false), at: start)
        case ("iterVar", 2), ("accuVar", 2):
            guard case .constant(.int(let deep)) = arguments[0].kind,
                case .constant(.int(let which)) = arguments[1].kind
            else { throw problem("cel.\(name)() takes two numbers", at: start) }
            return Node(kind: .name("@\(name)\(deep):\(which)", isAbsolute: false), at: start)
        default: return nil
        }
    }
}
