package import NIOCore
package import WeirFlow
package import WeirGates
package import WeirWorld

/// What API, console and metrics may see of a running node and ask of it. Everything is a snapshot; nothing blocks.
package protocol NodeAccess: Sendable {
    var version: String { get }
    var started: WallTime { get }
    var world: World { get }
    /// State, reason, level, limit, counters and forecast of every gate; also holds and releases.
    var gates: GateRegistry { get }
    var sources: [SourceStatus] { get }
    /// Their counters alone: does not look at the gates, of which there may be very many.
    var sourceReadings: [SourceReading] { get }
    var destinations: [DestinationStatus] { get }
    var routes: [RouteStatus] { get }
    var queues: [QueueStatus] { get }
    /// The parts of readiness, in order. The node is ready when none has failed. A held gate is not a failure.
    var health: [HealthCheck] { get }
    /// Problems of the configuration that did not keep it from starting (warnings), as printed by `weir check`.
    var warnings: [String] { get }
    /// `nil` where the configuration has none.
    var connectors: (any ConnectorAccess)? { get }
    /// `nil` where the configuration has none.
    var tunnel: (any TunnelAccess)? { get }
    /// `nil` where the configuration has none.
    var identity: (any IdentityAccess)? { get }

    /// Shows events that pass a source, route or destination; ends after `limit` events, after `duration`, or with the
    /// task. Bounded: what the reader is too slow for is skipped and counted in the next event's `skipped`.
    /// - Returns: `nil` when nothing has that name.
    func tap(_ name: String, limit: Int, duration: Duration) -> AsyncStream<TapEvent>?

    /// Begins to send what an orphaned queue holds through the gate of a destination.
    /// - Returns: false when there is no such orphan or destination, or it drains already.
    func drainQueue(_ name: String, to destination: String) -> Bool

    /// Dead letters of a destination, oldest first.
    func deadLetters(_ destination: String, limit: Int) async throws -> [DeadLetterView]
    /// Sends dead letters again through the destination's own gate; returns how many.
    func replayDeadLetters(_ destination: String) async throws -> Int
}

extension NodeAccess {
    package var connectors: (any ConnectorAccess)? { nil }
    package var tunnel: (any TunnelAccess)? { nil }
    package var identity: (any IdentityAccess)? { nil }
}

package struct SourceStatus: Sendable {
    package var reading: SourceReading
    package var addresses: [String]
    package var canBeDelayed: Bool
    /// `reading`, `held`, `stopped` or `failed`.
    package var state: String
    /// Why, when it is not `reading`: names the gate that holds it.
    package var reason: Reason?

    package init(
        reading: SourceReading, addresses: [String], canBeDelayed: Bool, state: String, reason: Reason? = nil
    ) {
        self.reading = reading
        self.addresses = addresses
        self.canBeDelayed = canBeDelayed
        self.state = state
        self.reason = reason
    }
}

package struct DestinationStatus: Sendable {
    package var name: String
    package var type: String
    /// The gate in front of it (its id is the destination's name).
    package var gate: GateReading?
    package var endpoints: [EndpointStatus]
    package var deadLetters: (events: Int64, bytes: Int64)

    package init(
        name: String, type: String, gate: GateReading?, endpoints: [EndpointStatus],
        deadLetters: (events: Int64, bytes: Int64) = (0, 0)
    ) {
        self.name = name
        self.type = type
        self.gate = gate
        self.endpoints = endpoints
        self.deadLetters = deadLetters
    }
}

package struct EndpointStatus: Sendable, Hashable {
    package var name: String
    package var weight: Int
    /// `closed` (works), `open` (rests after failures) or `half_open` (one probe).
    package var breaker: String
    package var inFlight: Int
    /// Present adaptive limit of requests in flight.
    package var concurrency: Int
    package var sentEvents: UInt64
    package var trouble: Reason?

    package init(
        name: String, weight: Int, breaker: String, inFlight: Int, concurrency: Int, sentEvents: UInt64,
        trouble: Reason? = nil
    ) {
        self.name = name
        self.weight = weight
        self.breaker = breaker
        self.inFlight = inFlight
        self.concurrency = concurrency
        self.sentEvents = sentEvents
        self.trouble = trouble
    }
}

package struct RouteStatus: Sendable, Hashable {
    package var name: String
    package var condition: String
    package var to: [String]
    package var isFinal: Bool
    package var matchedEvents: UInt64
    /// Events whose condition could not be evaluated (counted as no match).
    package var failedEvents: UInt64

    package init(
        name: String, condition: String, to: [String], isFinal: Bool, matchedEvents: UInt64, failedEvents: UInt64
    ) {
        self.name = name
        self.condition = condition
        self.to = to
        self.isFinal = isFinal
        self.matchedEvents = matchedEvents
        self.failedEvents = failedEvents
    }
}

package struct QueueStatus: Sendable, Hashable {
    package var name: String
    package var directory: String
    package var reading: GateReading.QueueReading
    /// True where no destination of the configuration owns it.
    package var isOrphan: Bool
    /// For an orphan: the destination whose gate its events go through now.
    package var drainsTo: String?

    package init(name: String, directory: String, reading: GateReading.QueueReading, isOrphan: Bool) {
        self.name = name
        self.directory = directory
        self.reading = reading
        self.isOrphan = isOrphan
    }
}

package struct HealthCheck: Sendable, Hashable {
    package var name: String
    package var isOK: Bool
    /// It does its work, but not all of it: ready all the same.
    package var isDegraded = false
    package var message: String

    package var isWell: Bool { isOK && !isDegraded }

    package init(name: String, isOK: Bool, isDegraded: Bool = false, message: String) {
        self.name = name
        self.isOK = isOK
        self.isDegraded = isDegraded
        self.message = message
    }
}

package struct TapEvent: Sendable {
    package var at: WallTime
    package var source: String
    package var kind: EventKind
    package var content: ByteBuffer
    /// Events that passed since the one before and were not shown.
    package var skipped: Int

    package init(at: WallTime, source: String, kind: EventKind, content: ByteBuffer, skipped: Int) {
        self.at = at
        self.source = source
        self.kind = kind
        self.content = content
        self.skipped = skipped
    }
}

package struct DeadLetterView: Sendable {
    package var at: WallTime
    package var reason: Reason
    package var attempts: Int
    package var content: ByteBuffer

    package init(at: WallTime, reason: Reason, attempts: Int, content: ByteBuffer) {
        self.at = at
        self.reason = reason
        self.attempts = attempts
        self.content = content
    }
}
