/// What is wrong with a request, in the shape that pycti prints well: it reads `errors[0].name` (or
/// `extensions.code`), `message` and `data` of the first error, and nothing else.
struct GraphProblem: Error, Sendable, Hashable {
    /// Codes of OpenCTI where it has one, so that clients which look at them find what they know.
    enum Code: String, Sendable, Hashable {
        case syntax = "GRAPHQL_PARSE_FAILED"
        case validation = "GRAPHQL_VALIDATION_FAILED"
        case badInput = "BAD_USER_INPUT"
        case tooLarge = "REQUEST_TOO_LARGE"
        case authRequired = "AUTH_REQUIRED"
        case functional = "FUNCTIONAL_ERROR"
        case missing = "RESOURCE_NOT_FOUND"
        /// The one code that pycti acts on.
        case workNotAlive = "WORK_NOT_ALIVE"
        case database = "DATABASE_ERROR"
        case stopped = "SERVICE_UNAVAILABLE"
    }

    var code: Code
    /// What, where, why and what to do.
    var message: String
    /// Line and column in the document, from 1.
    var location: GraphLocation?
    /// Names and indexes from the root of the answer.
    var path: [String] = []

    init(_ code: Code, _ message: String, at location: GraphLocation? = nil, path: [String] = []) {
        self.code = code
        self.message = message
        self.location = location
        self.path = path
    }

    var value: GraphValue {
        var members: [GraphValue.Member] = [
            .init(name: "message", value: .string(message)), .init(name: "name", value: .string(code.rawValue)),
        ]
        if let location {
            let place: GraphValue = .object(["line": .whole(location.line), "column": .whole(location.column)])
            members.append(.init(name: "locations", value: .list([place])))
        }
        if !path.isEmpty { members.append(.init(name: "path", value: .texts(path))) }
        members.append(.init(name: "extensions", value: .object(["code": .string(code.rawValue)])))
        return .object(members)
    }
}

struct GraphLocation: Sendable, Hashable {
    var line: Int
    var column: Int
}
