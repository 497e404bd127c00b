/// The fields that an object is asked for, with fragments opened and `@skip` and `@include` obeyed (section 6.3.2).
struct GraphSelectionSet: Sendable {
    struct Entry: Sendable {
        var key: String
        /// The same field may be selected several times; their selections are answered together.
        var nodes: [GraphFieldNode]
    }

    private(set) var entries: [Entry] = []

    private struct Collection {
        let document: GraphDocument
        let type: String
        let variables: [String: GraphValue]
        var places: [String: Int] = [:]
        var visited: Set<String> = []
    }

    /// - Parameter type: name of the object type that is asked.
    static func collect(
        _ selections: [GraphSelection], of type: String, in document: GraphDocument,
        _ variables: [String: GraphValue]
    ) throws(GraphProblem) -> GraphSelectionSet {
        var set = GraphSelectionSet()
        var collection = Collection(document: document, type: type, variables: variables)
        try set.add(selections, &collection)
        return set
    }

    private mutating func add(_ selections: [GraphSelection], _ collection: inout Collection) throws(GraphProblem) {
        for selection in selections {
            switch selection {
            case .field(let node):
                guard try GraphSelectionSet.isIncluded(node.directives, collection.variables) else { continue }
                if let place = collection.places[node.key] {
                    guard entries[place].nodes.first?.name == node.name else {
                        throw GraphProblem(
                            .validation, "Two different fields are both called `\(node.key)`.", at: node.location)
                    }
                    entries[place].nodes.append(node)
                } else {
                    collection.places[node.key] = entries.count
                    entries.append(Entry(key: node.key, nodes: [node]))
                }
            case .spread(let name, let directives, _):
                guard try GraphSelectionSet.isIncluded(directives, collection.variables),
                    collection.visited.insert(name).inserted,
                    let fragment = collection.document.fragments[name], fragment.condition == collection.type
                else { continue }
                try add(fragment.selections, &collection)
            case .inline(let condition, let directives, let selections, _):
                guard try GraphSelectionSet.isIncluded(directives, collection.variables),
                    condition == nil || condition == collection.type
                else { continue }
                try add(selections, &collection)
            }
        }
    }

    private static func isIncluded(
        _ directives: [GraphDirective], _ variables: [String: GraphValue]
    ) throws(GraphProblem) -> Bool {
        for directive in directives {
            let argument = directive.arguments.first { $0.name == "if" }
            guard let argument, let value = try GraphCoercion.resolve(argument.value, variables)?.flag else {
                throw GraphProblem(
                    .badInput, "`@\(directive.name)` needs `if` with true or false.", at: directive.location)
            }
            if directive.name == "skip" ? value : !value { return false }
        }
        return true
    }
}
