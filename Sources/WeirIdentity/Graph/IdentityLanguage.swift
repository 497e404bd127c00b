package import WeirExpressions

/// What expressions about identities may speak of: one name for each silo, the same below `old`, and `id`, `env`,
/// `now`, `rule`. Made once from the configuration; graphs and expressions that share it fit each other.
///
/// A silo's name is the identity's object of the type `user`, or of the silo's only type. Objects of other types have
/// the name `silo_type`.
package struct IdentityLanguage: Sendable {
    package let kinds: [ObjectKind]
    package let schemas: [ObjectSchema]
    let names = AttributeNames()
    private let places: [ObjectKind: Int]

    package init(_ kinds: [(kind: ObjectKind, schema: ObjectSchema)]) {
        self.kinds = kinds.map(\.kind)
        schemas = kinds.map(\.schema)
        places = Dictionary(
            kinds.enumerated().map { ($0.element.kind, $0.offset) }, uniquingKeysWith: { one, _ in one })
    }

    func place(of kind: ObjectKind) -> Int? { places[kind] }

    /// By what name expressions call the kind.
    func variable(of place: Int) -> String {
        let kind = kinds[place]
        let types = kinds.filter { $0.silo == kind.silo }
        return kind.type == "user" || types.count == 1 ? kind.silo : kind.silo + "_" + kind.type
    }

    private func variable(_ place: Int, slot: Int) -> RecordVariable {
        RecordVariable(slot: slot, names: names, lists: schemas[place].lists, known: schemas[place].known)
    }

    private func environment(_ extra: [String: CheckedType]) -> ExpressionEnvironment {
        var variables: [String: CheckedType] = [
            "id": .string, "env": .map(.string, .dyn), "now": .timestamp, "rule": .string,
        ]
        for (name, type) in extra { variables[name] = type }
        var environment = ExpressionEnvironment(variables: variables)
        for place in kinds.indices {
            environment.records[variable(of: place)] = variable(place, slot: place)
            environment.records["old." + variable(of: place)] = variable(place, slot: kinds.count + place)
        }
        environment.functions = IdentityFunctions.all
        return environment
    }

    package func compile(
        _ source: String, extra: [String: CheckedType] = [:]
    ) throws(ExpressionProblem) -> GraphExpression {
        GraphExpression(try Expression(source, environment: environment(extra)))
    }

    /// An expression over the objects of one kind alone: its join keys.
    func compileKey(_ source: String, of place: Int) throws(ExpressionProblem) -> Expression {
        var environment = ExpressionEnvironment(variables: [:])
        let variable = variable(place, slot: 0)
        environment.records[self.variable(of: place)] = variable
        if self.variable(of: place) != kinds[place].silo { environment.records[kinds[place].silo] = variable }
        environment.functions = IdentityFunctions.all
        return try Expression(source, environment: environment)
    }
}

/// An expression about identities, evaluated on graphs of the language that read it.
package struct GraphExpression: IdentityExpression {
    private let expression: Expression

    init(_ expression: Expression) { self.expression = expression }

    package var source: String { expression.source }
    package var resultType: String { expression.resultType }

    package func evaluate(
        _ identity: Int?, in snapshot: any IdentitySnapshot, _ scope: EvaluationScope
    ) throws(ExpressionFailure) -> Value {
        guard let graph = snapshot as? IdentityGraph else {
            throw ExpressionFailure(.unknownName, "no graph to look at")
        }
        var bindings: [String: Value] = [:]
        for name in expression.variablesRead {
            switch name {
            case "id": if let identity { bindings[name] = .string(graph.id(of: identity)) }
            case "now": bindings[name] = .timestamp(scope.now)
            case "env": bindings[name] = .map(scope.env)
            case "rule": bindings[name] = .string(scope.rule)
            default: bindings[name] = scope.extra[name]
            }
        }
        let count = graph.language.kinds.count
        let result: Result<Value, ExpressionFailure> = withUnsafeTemporaryAllocation(
            of: AttributeRecord.self, capacity: 2 * count
        ) { records in
            for place in 0..<count {
                let now = identity.map { graph.record(of: $0, place) } ?? .none
                let old = identity.map { graph.oldRecord(of: $0, place) } ?? .none
                records.initializeElement(at: place, to: scope.isOld ? old : now)
                records.initializeElement(at: count + place, to: old)
            }
            let context = GraphContext(graph: graph, identity: identity)
            do throws(ExpressionFailure) {
                return .success(
                    try expression.evaluate(UnsafeBufferPointer(records), bindings: bindings, context: context))
            } catch {
                return .failure(error)
            }
        }
        return try result.get()
    }
}
