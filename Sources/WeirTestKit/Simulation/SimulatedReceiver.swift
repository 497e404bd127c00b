import NIOCore
import Synchronization
package import WeirFlow
import WeirGates
import WeirWorld

/// One endpoint of a receiver in the simulation: takes batches, slowly or quickly, and fails as its faults say.
///
/// Events whose text begins with `bad` are refused for good: a batch with one in it is answered as HTTP would answer
/// 400.
package final class SimulatedReceiver: Destination {
    /// Chances of each answer in the trouble act, 0...1, tried in this order; what is left takes the batch.
    package struct Faults: Sendable {
        /// Away for a while: connections are refused, for up to 20 s.
        package var outage = 0.0
        /// 503 without a word.
        package var busy = 0.0
        /// 429 or 503 with Retry-After, 1 to 30 s, rarely 400 s.
        package var retryAfter = 0.0
        /// Takes the batch, and the answer is lost: the connection breaks.
        package var lostAnswer = 0.0
        /// Takes part of the batch (a random beginning), then the connection breaks.
        package var reset = 0.0
        /// Says nothing until the sender gives up.
        package var silence = 0.0
        /// Answers, but takes only some items.
        package var partial = 0.0
        /// Credentials are refused until a person mends it.
        package var unauthorized = 0.0

        package init() {}
    }

    private struct State {
        var faults: Faults
        var awayUntil = Moment.zero
        var isUnauthorized = false
        var inFlight = 0
        var inFlightMost = 0
        var arrivals: [String] = []
        var badAlone: [String: Int] = [:]
        var sends = 0
    }

    package let name: String
    private let simulation: Simulation
    private let time: SimulatedTime
    private let state: Mutex<State>
    /// How long an answer takes at most.
    private let latencyMost: Duration
    /// Called at the start of every attempt, for checks that look at the moment.
    private let onAttempt: @Sendable () -> Void
    private let onPause: @Sendable (Duration) -> Void

    package init(
        _ name: String, _ simulation: Simulation, faults: Faults, latencyMost: Duration = .milliseconds(200),
        onAttempt: @escaping @Sendable () -> Void = {}, onPause: @escaping @Sendable (Duration) -> Void = { _ in }
    ) {
        self.name = name
        self.simulation = simulation
        self.latencyMost = latencyMost
        self.onAttempt = onAttempt
        self.onPause = onPause
        time = SimulatedTime(simulation)
        state = Mutex(State(faults: faults))
    }

    /// The calm act: no more faults, and what was wrong is mended.
    package func calm() {
        state.withLock { state in
            state.faults = Faults()
            state.awayUntil = .zero
            state.isUnauthorized = false
        }
    }

    package func mendCredentials() { state.withLock { $0.isUnauthorized = false } }

    /// Every event that arrived, in order, with duplicates.
    package var arrivals: [String] { state.withLock { $0.arrivals } }
    package var inFlightMost: Int { state.withLock { $0.inFlightMost } }
    package var sends: Int { state.withLock { $0.sends } }
    /// How often each bad event was refused alone: afterwards nobody can doubt that it is bad.
    package var badAlone: [String: Int] { state.withLock { $0.badAlone } }

    package func open() async throws(DeliveryFailure) {
        do { try await time.sleep(for: .microseconds(Int64(simulation.random() % 20_000))) } catch { throw .cancelled }
        if state.withLock({ $0.awayUntil > simulation.now }) {
            throw .unreachable(Reason("connect_refused", "Nobody listens at \(name)."))
        }
        if state.withLock({ $0.isUnauthorized }) {
            throw .misconfigured(Reason("http_401", "\(name) refused the credentials."))
        }
    }

    package func close() async {}

    package func send(_ batch: Batch) async throws(DeliveryFailure) -> DeliveryReport {
        onAttempt()
        state.withLock { state in
            state.sends += 1
            state.inFlight += 1
            state.inFlightMost = max(state.inFlightMost, state.inFlight)
        }
        defer { state.withLock { $0.inFlight -= 1 } }
        do {
            try await time.sleep(
                for: .nanoseconds(Int64(simulation.random() % UInt64(max(1, latencyMost.nanoseconds)))))
        } catch { throw .cancelled }
        return try await answer(batch)
    }

    private func answer(_ batch: Batch) async throws(DeliveryFailure) -> DeliveryReport {
        let events = batch.texts
        let now = simulation.now
        let (faults, isAway, isUnauthorized) = state.withLock { ($0.faults, $0.awayUntil > now, $0.isUnauthorized) }
        if isAway { throw .unreachable(Reason("connection_lost", "The connection to \(name) broke.")) }
        if isUnauthorized { throw .misconfigured(Reason("http_401", "\(name) refused the credentials.")) }
        var chance = Double(simulation.random() >> 11) * 0x1p-53
        func happens(_ part: Double) -> Bool {
            defer { chance -= part }
            return chance >= 0 && chance < part
        }
        if happens(faults.outage) {
            let until = now + .milliseconds(Int64(simulation.random() % 20_000))
            state.withLock { $0.awayUntil = until }
            throw .unreachable(Reason("connection_lost", "The connection to \(name) broke."))
        }
        if happens(faults.busy) { throw .busy(Reason("http_503", "\(name) answered 503.")) }
        if happens(faults.retryAfter) {
            let seconds = simulation.random() % 20 == 0 ? 400 : 1 + Int(simulation.random() % 30)
            onPause(.seconds(min(seconds, 180)))
            throw .busy(Reason("http_429", "\(name) answered 429."), retryAfter: .seconds(seconds))
        }
        if happens(faults.lostAnswer) {
            try take(events)
            throw .unreachable(Reason("connection_lost", "The answer of \(name) was lost."))
        }
        if happens(faults.reset) {
            try take(Array(events.prefix(Int(simulation.random() % UInt64(events.count + 1)))))
            throw .unreachable(Reason("connection_lost", "\(name) reset the connection."))
        }
        if happens(faults.silence) {
            do { try await time.sleep(until: .distantFuture) } catch { throw .cancelled }
        }
        if happens(faults.unauthorized) {
            state.withLock { $0.isUnauthorized = true }
            throw .misconfigured(Reason("http_401", "\(name) refused the credentials."))
        }
        if happens(faults.partial), events.count > 1 {
            var report = DeliveryReport()
            var taken: [String] = []
            for (index, event) in events.enumerated() {
                if event.hasPrefix("bad") {
                    report.rejected.append((index, Reason("http_400", "The item is not valid.")))
                } else if simulation.random() % 2 == 0 {
                    report.postponed.append((index, Reason("http_429", "The item was not taken this time.")))
                } else {
                    taken.append(event)
                }
            }
            try take(taken)
            return report
        }
        try take(events)
        return .delivered
    }

    private func take(_ events: [String]) throws(DeliveryFailure) {
        if events.contains(where: { $0.hasPrefix("bad") }) {
            if events.count == 1 { state.withLock { $0.badAlone[events[0], default: 0] += 1 } }
            throw .rejected(Reason("http_400", "\(name) answered 400."))
        }
        state.withLock { $0.arrivals += events }
    }
}
