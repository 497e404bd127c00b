package import WeirGates
package import WeirWorld

/// A gate as the API shows it. Keys are part of the contract: they may be added, never renamed. What is not known is
/// left out.
package struct GateView: Codable, Sendable, Hashable {
    package var id: String
    package var kind: String
    package var state: String
    package var reason: ReasonView
    /// RFC 3339, UTC.
    package var since: String
    package var sinceSeconds: Double
    package var level: Int64?
    package var levelRatio: Double?
    package var limit: LimitView
    package var reopens: String
    package var details: [DetailView]
    package var senders: [String]
    package var receiver: String
    package var rates: RatesView
    package var counters: CountersView
    package var queue: QueueView?
    package var forecast: ForecastView
    package var latency: LatencyView?
    /// Only in the answer for one gate.
    package var history: [TransitionView]?

    package struct LimitView: Codable, Sendable, Hashable {
        package var amount: Int64
        package var unit: String
        package var origin: String
    }

    package struct DetailView: Codable, Sendable, Hashable {
        package var name: String
        package var value: String
    }

    /// Means over the last 5 s.
    package struct RatesView: Codable, Sendable, Hashable {
        package var inEventsPerSecond: Double
        package var outEventsPerSecond: Double
    }

    package struct CountersView: Codable, Sendable, Hashable {
        package var takenEvents: UInt64
        package var takenBytes: UInt64
        package var recoveredEvents: UInt64
        package var deliveredEvents: UInt64
        package var deliveredBytes: UInt64
        package var deadLetteredEvents: UInt64
        package var droppedEvents: [String: UInt64]
        package var heldEvents: Int64
        package var attempts: UInt64
        package var failures: [String: UInt64]
        package var transitions: [String: UInt64]
        package var blockedSeconds: Double
        /// Zero when the conservation law holds.
        package var unaccountedEvents: Int64
    }

    package struct ForecastView: Codable, Sendable, Hashable {
        package var fullSeconds: Double?
        package var drainedSeconds: Double?
    }

    package struct LatencyView: Codable, Sendable, Hashable {
        package var medianSeconds: Double
        package var highSeconds: Double
    }

    package struct TransitionView: Codable, Sendable, Hashable {
        package var at: String
        package var state: String
        package var reason: ReasonView
    }
}

package struct ReasonView: Codable, Sendable, Hashable {
    package var code: String
    package var sentence: String
    /// Where the project's documentation says what to do; missing where nothing is to be done.
    package var runbook: String?

    init(_ reason: Reason, runbook: String? = nil) {
        code = reason.code
        sentence = reason.sentence
        self.runbook = runbook
    }
}

package struct QueueView: Codable, Sendable, Hashable {
    package var mode: String
    package var bytes: Int64
    package var events: Int64
    package var maxBytes: Int64
    package var oldest: String?
    package var oldestSeconds: Double?
    package var segments: Int
    package var engaged: Bool
    package var trouble: ReasonView?

    init(_ reading: GateReading.QueueReading, at now: WallTime) {
        mode = reading.mode
        bytes = reading.bytes
        events = reading.events
        maxBytes = reading.maxBytes
        oldest = reading.oldest?.description
        oldestSeconds = reading.oldest.map { max(0, (now - $0).inSeconds) }
        segments = reading.segments
        engaged = reading.isEngaged
        trouble = reading.trouble.map { ReasonView($0) }
    }
}

extension GateView {
    init(_ reading: GateReading, rates: RatesView = RatesView(), history: [TransitionView]? = nil, at now: WallTime) {
        id = reading.id
        kind = reading.kind.rawValue
        state = reading.state.rawValue
        reason = ReasonView(reading.reason, runbook: Runbook.gate(reading))
        since = reading.since.description
        sinceSeconds = max(0, (now - reading.since).inSeconds)
        level = reading.level
        levelRatio = reading.ratio
        limit = LimitView(amount: reading.limit.amount, unit: reading.limit.unit.rawValue, origin: reading.limit.origin)
        reopens = reading.reopens
        details = reading.details.map { DetailView(name: $0.name, value: $0.value) }
        senders = reading.senders
        receiver = reading.receiver
        self.rates = rates
        counters = CountersView(reading.counters)
        queue = reading.queue.map { QueueView($0, at: now) }
        forecast = ForecastView(
            fullSeconds: reading.forecast.full?.inSeconds, drainedSeconds: reading.forecast.drained?.inSeconds)
        latency = reading.latency.map { LatencyView(medianSeconds: $0.median, highSeconds: $0.high) }
        self.history = history
    }
}

extension GateView.RatesView {
    init() { self.init(inEventsPerSecond: 0, outEventsPerSecond: 0) }
}

extension GateView.CountersView {
    init(_ counters: FlowCounters) {
        self.init(
            takenEvents: counters.takenEvents, takenBytes: counters.takenBytes,
            recoveredEvents: counters.recoveredEvents,
            deliveredEvents: counters.deliveredEvents, deliveredBytes: counters.deliveredBytes,
            deadLetteredEvents: counters.deadLetteredEvents, droppedEvents: counters.droppedEvents,
            heldEvents: counters.heldEvents, attempts: counters.attempts, failures: counters.failures,
            transitions: counters.transitions, blockedSeconds: Double(counters.blockedNanoseconds) / 1e9,
            unaccountedEvents: counters.unaccounted)
    }

    package var droppedTotal: UInt64 { droppedEvents.values.reduce(0, &+) }
}

extension GateView {
    /// A reading as the API shows it, without rates and history: for terminals that print it once.
    package init(_ reading: GateReading, at now: WallTime) {
        self.init(reading, rates: RatesView(), history: nil, at: now)
    }
}
