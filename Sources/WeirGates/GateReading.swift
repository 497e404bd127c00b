package import WeirWorld

/// Everything that can be known about a gate at one moment: what API, console, metrics and `weir why` read.
package struct GateReading: Sendable {
    package var id: String
    package var kind: GateKind
    package var state: GateState
    package var reason: Reason
    package var since: WallTime
    /// In the limit's unit; `nil` when it cannot be measured. While a queue on disk is engaged, level and limit are
    /// the queue's: that is what fills.
    package var level: Int64?
    package var limit: Limit
    /// What lets it go, as a sentence: "when the receiver answers; next attempt in 4 s".
    package var reopens: String
    /// Measured detail lines for `weir why`, in order: ("in flight", "5 of 5 requests").
    package var details: [Detail]
    /// Names of the sources that send through this gate, and of the receiver behind it: the edges of the flow graph.
    package var senders: [String]
    package var receiver: String
    /// The gates that a composed destination sends to, whose states make its own; empty for every other gate. What it
    /// counts is counted by them again, so a sum over gates leaves it out.
    package var members: [String]
    package var counters: FlowCounters
    package var queue: QueueReading?
    package var forecast: Forecast
    /// p50 and p95 of the time from taking a batch to its delivery, in seconds; `nil` before the first delivery.
    package var latency: (median: Double, high: Double)?
    /// The same times, counted in buckets since the start.
    package var latencyBuckets: LatencyBuckets

    package struct Detail: Sendable, Hashable {
        package var name: String
        package var value: String
        package init(_ name: String, _ value: String) {
            self.name = name
            self.value = value
        }
    }

    /// How long until full or drained at the present rates; `nil` where it never will be.
    package struct Forecast: Sendable, Hashable {
        package var full: Duration?
        package var drained: Duration?
        package init(full: Duration? = nil, drained: Duration? = nil) {
            self.full = full
            self.drained = drained
        }
    }

    /// The disk queue in front of the receiver.
    package struct QueueReading: Sendable, Hashable {
        package var mode: String
        package var bytes: Int64
        package var events: Int64
        package var maxBytes: Int64
        package var oldest: WallTime?
        package var segments: Int
        package var isEngaged: Bool
        package var trouble: Reason?
        package init(
            mode: String, bytes: Int64, events: Int64, maxBytes: Int64, oldest: WallTime?, segments: Int,
            isEngaged: Bool,
            trouble: Reason? = nil
        ) {
            self.mode = mode
            self.bytes = bytes
            self.events = events
            self.maxBytes = maxBytes
            self.oldest = oldest
            self.segments = segments
            self.isEngaged = isEngaged
            self.trouble = trouble
        }
    }

    package init(
        id: String, kind: GateKind, state: GateState, reason: Reason, since: WallTime, level: Int64?, limit: Limit,
        reopens: String, details: [Detail] = [], senders: [String] = [], receiver: String,
        members: [String] = [], counters: FlowCounters = .init(),
        queue: QueueReading? = nil, forecast: Forecast = .init(), latency: (median: Double, high: Double)? = nil,
        latencyBuckets: LatencyBuckets = .init()
    ) {
        self.id = id
        self.kind = kind
        self.state = state
        self.reason = reason
        self.since = since
        self.level = level
        self.limit = limit
        self.reopens = reopens
        self.details = details
        self.senders = senders
        self.receiver = receiver
        self.members = members
        self.counters = counters
        self.queue = queue
        self.forecast = forecast
        self.latency = latency
        self.latencyBuckets = latencyBuckets
    }

    /// Level as a part of the limit; `nil` when unmeasured.
    package var ratio: Double? { level.map { Double($0) / Double(limit.amount) } }
}

/// The monotone counters of the conservation law: taken = delivered + held + dropped + dead-lettered (+ what a restart
/// found on disk, counted in `recovered`, on the left side).
package struct FlowCounters: Sendable, Hashable {
    package var takenEvents: UInt64 = 0
    package var takenBytes: UInt64 = 0
    package var recoveredEvents: UInt64 = 0
    package var deliveredEvents: UInt64 = 0
    package var deliveredBytes: UInt64 = 0
    package var deadLetteredEvents: UInt64 = 0
    /// By reason code, sorted by code when shown.
    package var droppedEvents: [String: UInt64] = [:]
    /// Computed, not counted: what is in memory and on disk now.
    package var heldEvents: Int64 = 0
    package var attempts: UInt64 = 0
    package var failures: [String: UInt64] = [:]
    /// By `state/reason`: the new state and the code of its reason.
    package var transitions: [String: UInt64] = [:]
    /// Time that senders have waited at this gate, in nanoseconds.
    package var blockedNanoseconds: UInt64 = 0

    package init() {}

    package var droppedTotal: UInt64 { droppedEvents.values.reduce(0, &+) }

    /// Zero when the conservation law holds.
    package var unaccounted: Int64 {
        Int64(bitPattern: takenEvents &+ recoveredEvents &- deliveredEvents &- deadLetteredEvents &- droppedTotal)
            - heldEvents
    }
}
