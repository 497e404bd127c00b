/// Answers one operation: field after field, in the order of the document, exactly what was asked (section 6).
///
/// A field that fails is null, and its error says where; the others are answered all the same.
struct GraphExecutor: Sendable {
    let schema: GraphSchema
    /// Fields of all objects of one answer together: a short document can ask for all of very long lists.
    var valuesMost = 1_000_000
    /// Turns what a resolver threw into what a client is told.
    let explain: @Sendable (any Error) -> GraphProblem

    func execute(
        _ document: GraphDocument, operationName: String?, variables given: GraphValue, request: DoorRequest
    ) async throws(GraphProblem) -> GraphAnswer {
        let operation = try document.operation(named: operationName)
        try GraphValidation.check(operation, in: document, against: schema)
        let variables = try GraphCoercion.variables(of: operation, given: given)
        let run = Run(executor: self, document: document, variables: variables, request: request)
        var progress = Progress()
        let root = try schema.root(operation.kind)
        let data = try await run.object(nil, root, operation.selections, path: [], &progress)
        return GraphAnswer(data: data, problems: progress.problems)
    }

    private struct Progress {
        var problems: [GraphProblem] = []
        var values = 0
    }

    private struct Run {
        let executor: GraphExecutor
        let document: GraphDocument
        let variables: [String: GraphValue]
        let request: DoorRequest

        func object(
            _ source: (any Sendable)?, _ type: GraphObjectType, _ selections: [GraphSelection], path: [String],
            _ progress: inout Progress
        ) async throws(GraphProblem) -> GraphValue {
            let set = try GraphSelectionSet.collect(selections, of: type.name, in: document, variables)
            var members: [GraphValue.Member] = []
            members.reserveCapacity(set.entries.count)
            progress.values += set.entries.count
            guard progress.values <= executor.valuesMost else {
                throw GraphProblem(
                    .tooLarge, "The answer has more than \(executor.valuesMost) fields: ask for less.", path: path)
            }
            for entry in set.entries {
                let value: GraphValue
                let place = path + [entry.key]
                do throws(GraphProblem) {
                    value = try await field(entry, of: source, type, place, &progress)
                } catch {
                    var problem = error
                    if problem.path.isEmpty { problem.path = place }
                    problem.location = problem.location ?? entry.nodes.first?.location
                    progress.problems.append(problem)
                    value = .null
                }
                members.append(.init(name: entry.key, value: value))
            }
            return .object(members)
        }

        private func field(
            _ entry: GraphSelectionSet.Entry, of source: (any Sendable)?, _ type: GraphObjectType, _ path: [String],
            _ progress: inout Progress
        ) async throws(GraphProblem) -> GraphValue {
            guard let node = entry.nodes.first else { return .null }
            if node.name == "__typename" { return .string(type.name) }
            guard let field = type.fields[node.name] else { return .null }
            let arguments = try GraphCoercion.arguments(of: node, for: field, variables)
            let call = GraphCall(source: source, arguments: arguments, request: request)
            let output: GraphOutput
            do { output = try await field.resolve(call) } catch { throw executor.explain(error) }

            if case .leaf(let value) = output { return value }
            guard let inner = field.type.flatMap({ executor.schema.types[$0] }) else { return .null }
            let selections = entry.nodes.flatMap(\.selections)
            switch output {
            case .leaf, .null: return .null
            case .node(let node): return try await object(node, inner, selections, path: path, &progress)
            case .nodes(let nodes):
                var values: [GraphValue] = []
                for (index, node) in nodes.enumerated() {
                    let place = path + [String(index)]
                    values.append(try await object(node, inner, selections, path: place, &progress))
                }
                return .list(values)
            }
        }
    }
}

struct GraphAnswer: Sendable, Hashable {
    var data: GraphValue?
    var problems: [GraphProblem] = []

    /// `errors` is there only when there is one: clients look whether the name is there, and read the first.
    var value: GraphValue {
        var members: [GraphValue.Member] = []
        if !problems.isEmpty { members.append(.init(name: "errors", value: .list(problems.map(\.value)))) }
        if let data { members.append(.init(name: "data", value: data)) }
        return .object(members)
    }

    static func problem(_ problem: GraphProblem) -> GraphAnswer { GraphAnswer(data: .null, problems: [problem]) }
}
