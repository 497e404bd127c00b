/// Makes values fit the types they are declared with (section 6.1.2 and 6.4.1), as far as the built-in scalars go.
///
/// Enumerations and input objects pass as they are: unknown input members are accepted, because each release of pycti
/// sends a few more.
enum GraphCoercion {
    static func variables(
        of operation: GraphOperation, given: GraphValue
    ) throws(GraphProblem) -> [String: GraphValue] {
        var values: [String: GraphValue] = [:]
        for variable in operation.variables {
            guard values[variable.name] == nil else {
                throw GraphProblem(
                    .validation, "The variable `$\(variable.name)` is declared twice.", at: variable.location)
            }
            if let value = given[variable.name] {
                values[variable.name] = try fit(
                    value, variable.type, "The variable `$\(variable.name)`", at: variable.location, canStream: true)
            } else if let fallback = variable.fallback {
                values[variable.name] = try resolve(fallback, [:])
            } else if variable.type.isRequired {
                throw GraphProblem(
                    .badInput,
                    "The variable `$\(variable.name)` of type \(variable.type) was not given.", at: variable.location)
            }
        }
        return values
    }

    static func arguments(
        of node: GraphFieldNode, for field: GraphField, _ variables: [String: GraphValue]
    ) throws(GraphProblem) -> [String: GraphValue] {
        var values: [String: GraphValue] = [:]
        for argument in node.arguments {
            guard let value = try resolve(argument.value, variables) else { continue }
            // What the table does not know is accepted and not looked at.
            guard let known = field.arguments.first(where: { $0.name == argument.name }) else { continue }
            values[known.name] = try fit(
                value, known.type, "The argument `\(known.name)` of `\(node.name)`", at: argument.location,
                canStream: known.canStream)
        }
        for argument in field.arguments where argument.type.isRequired && values[argument.name] == nil {
            throw GraphProblem(
                .badInput, "The argument `\(argument.name)` of `\(node.name)` was not given.", at: node.location)
        }
        return values
    }

    /// A literal with its variables put in; `nil` when it is a variable without a value.
    static func resolve(
        _ literal: GraphLiteral, _ variables: [String: GraphValue]
    ) throws(GraphProblem) -> GraphValue? {
        switch literal {
        case .value(let value): return value
        case .variable(let name, _): return variables[name]
        case .list(let elements):
            var values: [GraphValue] = []
            for element in elements { values.append(try resolve(element, variables) ?? .null) }
            return .list(values)
        case .object(let members):
            var values: [GraphValue.Member] = []
            for member in members {
                guard let value = try resolve(member.value, variables) else { continue }
                values.append(.init(name: member.name, value: value))
            }
            return .object(values)
        }
    }

    private static func fit(
        _ value: GraphValue, _ type: GraphTypeName, _ what: String, at location: GraphLocation, canStream: Bool
    ) throws(GraphProblem) -> GraphValue {
        switch type {
        case .required(let inner):
            guard !value.isNull else {
                throw GraphProblem(.badInput, "\(what) of type \(type) must not be null.", at: location)
            }
            return try fit(value, inner, what, at: location, canStream: canStream)
        case .list(let inner):
            guard !value.isNull else { return .null }
            // One value stands for a list of one.
            guard let elements = value.elements else {
                return .list([try fit(value, inner, what, at: location, canStream: false)])
            }
            var fitting: [GraphValue] = []
            for element in elements {
                fitting.append(try fit(element, inner, what, at: location, canStream: false))
            }
            return .list(fitting)
        case .named(let name):
            if value == .streamed && !canStream {
                throw GraphProblem(.tooLarge, "\(what) is too long.", at: location)
            }
            guard let fitting = scalar(value, name) else {
                throw GraphProblem(.badInput, "\(what) is no \(name).", at: location)
            }
            return fitting
        }
    }

    /// `nil` when the value does not fit; types that are no built-in scalars take everything.
    private static func scalar(_ value: GraphValue, _ type: String) -> GraphValue? {
        if value.isNull { return value }
        switch (type, value) {
        case ("String", .string), ("String", .streamed), ("ID", .string), ("Boolean", .bool): return value
        case ("ID", .int(let number)): return .string(String(number))
        case ("Int", _): return value.whole.map { .whole($0) }
        case ("Float", _): return value.decimal.map { .number($0) }
        case ("String", _), ("ID", _), ("Boolean", _): return nil
        default: return value == .streamed ? nil : value
        }
    }
}
