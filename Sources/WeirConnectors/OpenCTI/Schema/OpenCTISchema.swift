internal import Logging
internal import WeirWorld

/// The part of OpenCTI's schema that connectors use, over a `ConnectorPlatform`.
struct OpenCTISchema: Sendable {
    let platform: any ConnectorPlatform
    let broker: (any BundleBroker)?
    let world: World
    /// What `about` says.
    let version: String

    var schema: GraphSchema {
        GraphSchema(
            [
                GraphObjectType("Query", aboutFields + connectorQueries + workQueries + markingQueries),
                GraphObjectType("Mutation", connectorMutations + workMutations + pushMutations),
                about,
            ] + connectorTypes + workTypes + markingTypes)
    }

    private var aboutFields: [GraphField] {
        [.object("about", "AppInfo") { _ in .node(version) }]
    }

    private var about: GraphObjectType {
        GraphObjectType("AppInfo", [.leaf("version", of: String.self) { .string($0) }])
    }
}

extension OpenCTISchema {
    /// What a client is told of what went wrong behind the door.
    @Sendable static func explain(_ error: any Error) -> GraphProblem {
        switch error {
        case let problem as GraphProblem: problem
        case let failure as ConnectorFailure:
            switch failure.code {
            case .unknownConnector: GraphProblem(.missing, failure.message)
            // pycti looks for this word, and only in the answer to `addExpectations`; there it means "give up".
            case .unknownWork: GraphProblem(.workNotAlive, failure.message)
            case .invalid: GraphProblem(.badInput, failure.message)
            case .held, .storage: GraphProblem(.database, failure.message)
            case .stopped: GraphProblem(.stopped, failure.message)
            }
        case is CancellationError: GraphProblem(.stopped, "Weir is stopping. Try again.")
        default: GraphProblem(.functional, "Weir could not do this: \(error).")
        }
    }
}

extension GraphValue {
    /// As OpenCTI writes dates; `nil` is null.
    static func time(_ time: WallTime?) -> GraphValue { text(time?.description) }
}
