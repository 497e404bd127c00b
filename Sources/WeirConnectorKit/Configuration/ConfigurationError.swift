/// What is wrong with a connector's configuration: all of it at once, each with its place and what to do.
public struct ConfigurationError: Error, Sendable, Hashable, CustomStringConvertible {
    public struct Problem: Sendable, Hashable {
        /// What and why: "`CONNECTOR_QUEUE_THRESHOLD` is not a number of MB".
        public var message: String
        /// Where it was read: "environment" or "config.yml:7"; `nil` for what is nowhere.
        public var place: String?
        /// What to do.
        public var help: String
    }

    public let problems: [Problem]

    init(_ problems: [Problem]) { self.problems = problems }

    /// One line a problem: `config.yml:7: …: write …`.
    public var description: String {
        problems.map { problem in
            let place = problem.place.map { "\($0): " } ?? ""
            return "\(place)\(problem.message); \(problem.help)"
        }.joined(separator: "\n")
    }
}
