package import AsyncHTTPClient
package import NIOCore
package import WeirFlow
package import WeirSettings
package import WeirWorld

/// What an operator may set for one type of destination, and how that becomes a plan.
package protocol DestinationSettings: Settings {
    /// What is written after `type:`.
    static var type: String { get }
    /// Other names that are understood.
    static var aliases: [String] { get }
    /// One sentence for the reference page.
    static var summary: String { get }

    /// Checks what goes beyond single fields (URLs, expressions, certificates) and says how batches are cut and where
    /// they go.
    /// Pure: nothing is opened or connected. Problems are noted in `planning`; `nil` when there was an error.
    func plan(_ planning: inout DestinationPlanning) -> DestinationOutline?
}

extension DestinationSettings {
    package static var aliases: [String] { [] }
}

/// What becomes of a destination's settings.
package enum DestinationOutline: Sendable {
    /// It talks to a receiver.
    case receiver(DestinationPlan)
    /// It owns other destinations by name.
    case composed(ComposedPlan)
}

/// What destinations may use; made once by the node.
package struct DestinationMeans: Sendable {
    package var world: World
    package var eventLoops: any EventLoopGroup
    /// Shared by all HTTP destinations; the node shuts it down after the last `close`. See `HTTPFamily.makeClient`.
    package var http: HTTPClient

    package init(world: World, eventLoops: any EventLoopGroup, http: HTTPClient) {
        self.world = world
        self.eventLoops = eventLoops
        self.http = http
    }
}

/// One pass over one destination's settings: the name, the means, and the problems found on the way.
package struct DestinationPlanning {
    package let name: String
    package let means: DestinationMeans
    /// `destinations.siem`.
    package let path: String
    package let provenance: SettingProvenance
    package private(set) var problems: [SettingProblem] = []

    package init(
        name: String, means: DestinationMeans, path: String = "", provenance: SettingProvenance = SettingProvenance()
    ) {
        self.name = name
        self.means = means
        self.path = path
        self.provenance = provenance
    }

    package var hasErrors: Bool { problems.contains { $0.severity == .error } }

    /// - Parameter key: inside the destination's settings: `urls[1].url`.
    package mutating func mistake(_ key: String, _ message: String, help: String = "") {
        problems.append(provenance.problem(SettingMistake(key, message, help: help), in: path))
    }

    package mutating func note(_ mistakes: [SettingMistake]) {
        problems += mistakes.map { provenance.problem($0, in: path) }
    }

    package mutating func note(_ problem: SettingProblem) { problems.append(problem) }
}
