package import WeirGates
package import WeirWorld

/// What was counted for agents. An agent that left is forgotten an hour later, so that names that come and go do not
/// grow the metrics.
package struct AgentFigures: Sendable {
    package static let forgottenAfter = Duration.seconds(3_600)

    /// Links that ended, by reason.
    package var ends: [String: UInt64] = [:]
    /// Times it came back after its last link had ended, by the reason of that end.
    package var reconnects: [String: UInt64] = [:]
    package var mistakes: [AgentMistake: UInt64] = [:]
    package var joined: WallTime
    package var left: WallTime?
    /// The last ends, newest first, ten at the most.
    package var lastEnds: [(at: WallTime, reason: String)] = []
    /// Round trips of its pings.
    package var roundTrips = LatencyBuckets(ConnectorFigures.writes)

    package init(joined: WallTime) { self.joined = joined }

    package struct Book: Sendable {
        package private(set) var agents: [String: AgentFigures] = [:]
        /// Agents that were refused before they had a name that is theirs, by reason.
        package var refused: [String: UInt64] = [:]
        /// Connections at the door of which no link came.
        package var doorEnds: [DoorEnd: UInt64] = [:]

        /// At an agent: what it did not dial for the hub, by why.
        package var opensRefused: [DialStatus: UInt64] = [:]

        package init() {}

        mutating func joined(_ name: String, at now: WallTime) {
            agents = agents.filter { $0.value.left.map { now - $0 < AgentFigures.forgottenAfter } ?? true }
            guard var agent = agents[name] else {
                agents[name] = AgentFigures(joined: now)
                return
            }
            if agent.left != nil, let reason = agent.lastEnds.first?.reason {
                agent.reconnects[reason, default: 0] += 1
            }
            if agent.left != nil { agent.joined = now }
            agent.left = nil
            agents[name] = agent
        }

        mutating func mistook(_ name: String, _ mistake: AgentMistake) {
            agents[name]?.mistakes[mistake, default: 0] += 1
        }

        mutating func left(_ name: String, reason: String, wasLast: Bool, at now: WallTime) {
            guard var agent = agents[name] else { return }
            agent.ends[reason, default: 0] += 1
            agent.lastEnds.insert((now, reason), at: 0)
            if agent.lastEnds.count > 10 { agent.lastEnds.removeLast() }
            if wasLast { agent.left = now }
            agents[name] = agent
        }
    }
}
