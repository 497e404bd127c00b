import WeirFlow
import WeirNode
import WeirWorld

package struct SourceView: Codable, Sendable, Hashable {
    package var name: String
    package var type: String
    package var state: String
    package var reason: ReasonView?
    package var addresses: [String]
    package var canBeDelayed: Bool
    package var events: UInt64
    package var bytes: UInt64
    package var eventsPerSecond: Double
    package var connections: Int
    package var waiting: Int
    package var waitedSeconds: Double
    package var dropped: [String: UInt64]
    package var malformed: [String: UInt64]
    package var refused: [String: UInt64]

    init(_ status: SourceStatus, eventsPerSecond: Double) {
        let reading = status.reading
        name = reading.name
        type = reading.type
        state = status.state
        reason = status.reason.map { ReasonView($0) }
        addresses = status.addresses
        canBeDelayed = status.canBeDelayed
        events = reading.events
        bytes = reading.bytes
        self.eventsPerSecond = eventsPerSecond
        connections = reading.connections
        waiting = reading.waiting
        waitedSeconds = Double(reading.waitedNanoseconds) / 1e9
        dropped = reading.dropped
        malformed = reading.malformed
        refused = reading.refused
    }
}

package struct DestinationView: Codable, Sendable, Hashable {
    package var name: String
    package var type: String
    package var gate: GateView?
    package var endpoints: [EndpointView]
    package var deadLetterEvents: Int64
    package var deadLetterBytes: Int64

    package struct EndpointView: Codable, Sendable, Hashable {
        package var name: String
        package var weight: Int
        package var breaker: String
        package var inFlight: Int
        package var concurrency: Int
        package var sentEvents: UInt64
        package var trouble: ReasonView?

        init(_ status: EndpointStatus) {
            name = status.name
            weight = status.weight
            breaker = status.breaker
            inFlight = status.inFlight
            concurrency = status.concurrency
            sentEvents = status.sentEvents
            trouble = status.trouble.map { ReasonView($0) }
        }
    }

    init(_ status: DestinationStatus, rates: GateView.RatesView, at now: WallTime) {
        name = status.name
        type = status.type
        gate = status.gate.map { GateView($0, rates: rates, at: now) }
        endpoints = status.endpoints.map(EndpointView.init)
        deadLetterEvents = status.deadLetters.events
        deadLetterBytes = status.deadLetters.bytes
    }
}

package struct RouteView: Codable, Sendable, Hashable {
    package var name: String
    package var condition: String
    package var to: [String]
    package var final: Bool
    package var matchedEvents: UInt64
    package var failedEvents: UInt64

    init(_ status: RouteStatus) {
        name = status.name
        condition = status.condition
        to = status.to
        final = status.isFinal
        matchedEvents = status.matchedEvents
        failedEvents = status.failedEvents
    }
}

package struct StoredQueueView: Codable, Sendable, Hashable {
    package var name: String
    package var directory: String
    package var orphan: Bool
    /// For an orphan: the destination whose gate its events go through now.
    package var drainsTo: String?
    package var queue: QueueView

    init(_ status: QueueStatus, at now: WallTime) {
        drainsTo = status.drainsTo
        name = status.name
        directory = status.directory
        orphan = status.isOrphan
        queue = QueueView(status.reading, at: now)
    }
}

package struct HealthView: Codable, Sendable, Hashable {
    package var at: String
    package var ready: Bool
    package var version: String
    package var started: String
    package var uptimeSeconds: Double
    package var checks: [CheckView]
    package var warnings: [String]

    package struct CheckView: Codable, Sendable, Hashable {
        package var name: String
        package var ok: Bool
        package var message: String
    }

    init(_ node: any NodeAccess) {
        let checks = node.health
        ready = checks.allSatisfy(\.isOK)
        version = node.version
        let now = node.world.time.wall
        at = now.description
        started = node.started.description
        uptimeSeconds = max(0, (now - node.started).inSeconds)
        self.checks = checks.map { CheckView(name: $0.name, ok: $0.isOK, message: $0.message) }
        warnings = node.warnings
    }
}

package struct TapView: Codable, Sendable, Hashable {
    package var at: String
    package var source: String
    package var kind: String
    /// The event, when its bytes are UTF-8.
    package var content: String?
    /// The event, when they are not.
    package var contentBase64: String?
    package var skipped: Int
}

package struct DeadLetterAPIView: Codable, Sendable, Hashable {
    package var at: String
    package var reason: ReasonView
    package var attempts: Int
    package var content: String?
    package var contentBase64: String?
}

package struct ReplayView: Codable, Sendable, Hashable {
    package var events: Int
}

/// What the event stream of the API carries once a second.
package struct ReadingsView: Codable, Sendable, Hashable {
    package var at: String
    package var gates: [GateView]
    package var sources: [SourceView]
}
