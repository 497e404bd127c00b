import WeirGates
import WeirWorld

/// The last quarter of an hour of one gate, as the console saw it once a second: pressure for the sparkline, counters
/// for the rates, states for the timeline. About 2 kB a gate, whatever happens.
struct LevelHistory: Sendable {
    /// One point of the sparkline is the highest pressure of this long.
    static let step: Duration = .seconds(10)
    static let capacity = 90
    static let transitionsMost = 50
    /// Rates are means over this long, so that one batch does not make a figure jump.
    static let rateWindow: Duration = .seconds(5)

    private(set) var points: [Point] = []
    private(set) var transitions: [GateView.TransitionView] = []
    private var flow = RateWindow(window: Self.rateWindow)
    private var last: (state: GateState, since: WallTime)?

    struct Point: Sendable, Hashable {
        var slot: Int64
        /// Level as a part of the limit; `nil` when it could not be measured.
        var ratio: Double?
    }

    mutating func add(_ reading: GateReading, at now: Moment) {
        let slot = now.nanoseconds / Self.step.nanoseconds
        if let last = points.last, last.slot == slot {
            if let ratio = reading.ratio { points[points.count - 1].ratio = max(last.ratio ?? 0, ratio) }
        } else {
            points.append(Point(slot: slot, ratio: reading.ratio))
            if points.count > Self.capacity { points.removeFirst(points.count - Self.capacity) }
        }
        let counters = reading.counters
        flow.add(
            [counters.takenEvents, counters.deliveredEvents, counters.takenBytes, counters.deliveredBytes], at: now)
        // The same state since another time: it was left and came back between two looks.
        if last?.state != reading.state || last?.since != reading.since {
            last = (reading.state, reading.since)
            transitions.append(
                GateView.TransitionView(
                    at: reading.since.description, state: reading.state.rawValue, reason: ReasonView(reading.reason)))
            if transitions.count > Self.transitionsMost { transitions.removeFirst() }
        }
    }

    var rates: GateView.RatesView {
        let rates = flow.perSecond
        guard rates.count == 4 else { return GateView.RatesView() }
        return GateView.RatesView(inEventsPerSecond: rates[0], outEventsPerSecond: rates[1])
    }

    /// When a gate of bytes that forecasts nothing itself is full or drained at the present rates.
    func forecast(_ reading: GateReading) -> GateReading.Forecast {
        let rates = flow.perSecond
        guard rates.count == 4, let level = reading.level, reading.limit.unit == .bytes else { return .init() }
        let growth = rates[2] - rates[3]
        var forecast = GateReading.Forecast()
        let room = Double(reading.limit.amount - level)
        // More than three years is no forecast, and would not fit into a duration everywhere.
        if growth > 0, room > 0, room / growth < 1e8 { forecast.full = .seconds(room / growth) }
        if growth < 0, level > 0, Double(level) / -growth < 1e8 { forecast.drained = .seconds(Double(level) / -growth) }
        return forecast
    }
}

/// Rates of counters over a short window.
struct RateWindow: Sendable {
    private let window: Duration
    private var samples: [(at: Moment, counters: [UInt64])] = []

    init(window: Duration) { self.window = window }

    mutating func add(_ counters: [UInt64], at now: Moment) {
        // A counter that went back belongs to a part that was made anew (a reload): start again.
        if let last = samples.last, zip(counters, last.counters).contains(where: { $0 < $1 }) { samples.removeAll() }
        samples.append((now, counters))
        // One sample older than the window stays, so that the window is covered.
        while samples.count > 2, now - samples[1].at >= window { samples.removeFirst() }
    }

    /// A rate for each counter; empty before the first sample, zeros before the second.
    var perSecond: [Double] {
        guard let first = samples.first, let last = samples.last else { return [] }
        let seconds = (last.at - first.at).inSeconds
        return zip(first.counters, last.counters).map { seconds > 0 ? Double($1 - $0) / seconds : 0 }
    }
}
