import WeirGates
import WeirWorld

/// How a state looks: a word, a shape and a tone, so that it is told apart without colours, and without reading.
struct StateFace: Sendable, Hashable {
    var word: String
    /// Class of the chip; the same family colours bars and edges (`b-…`, `e-…`).
    var tone: String
    /// Path in a box of 12 × 12. Drawn, because fonts lack many of the signs.
    var path: String

    init(_ state: GateState) {
        word = state.rawValue
        switch state {
        case .open:  // a full disc
            (tone, path) = ("open", "M6 1a5 5 0 1 1 0 10a5 5 0 1 1 0-10z")
        case .filling:  // a disc half full
            (tone, path) = ("fill", "M6 1a5 5 0 1 1 0 10a5 5 0 1 1 0-10zM6 2.4a3.6 3.6 0 1 0 0 7.2z")
        case .blocking:  // a square
            (tone, path) = ("hold", "M1.5 1.5h9v9h-9z")
        case .dropping:  // an arrow into the ground
            (tone, path) = ("drop", "M5 1h2v4h3L6 9L2 5h3zM1.5 10h9v1.4h-9z")
        case .queueing:  // layers
            (tone, path) = ("queue", "M1 1.5h10v2H1zM1 5h10v2H1zM1 8.5h10v2H1z")
        case .buffering:  // a clock
            (tone, path) = ("hold", "M6 1a5 5 0 1 1 0 10a5 5 0 1 1 0-10zM5.3 3v3.5l2.6 1.5l.6-1l-1.9-1.1V3z")
        case .suspended:  // a stop sign with a bar
            (tone, path) = ("susp", "M4 1h4l3 3v4l-3 3H4L1 8V4zM3 5.2v1.6h6V5.2z")
        case .paused:  // two bars
            (tone, path) = ("rest", "M2.5 1.5h2.6v9H2.5zM6.9 1.5h2.6v9H6.9z")
        case .unknown:  // a diamond with a hole
            (tone, path) = ("rest", "M6 .5L11.5 6L6 11.5L.5 6zM6 4.2L4.2 6L6 7.8L7.8 6z")
        }
    }
}

extension StateFace {
    /// Of a run, not of a gate: a cross.
    static let failed = StateFace(
        word: "failed", tone: "hold",
        path: "M2.6 1.2L6 4.6L9.4 1.2L10.8 2.6L7.4 6L10.8 9.4L9.4 10.8L6 7.4L2.6 10.8L1.2 9.4L4.6 6L1.2 2.6z")

    private init(word: String, tone: String, path: String) {
        self.word = word
        self.tone = tone
        self.path = path
    }
}

/// What the pages say of a gate, as text: page and live updates are made from the same values, so they cannot differ.
struct GateFace: Sendable {
    var id: String
    /// What people call it: a connector's id is mostly a UUID.
    var title: String
    var state: StateFace
    var isHeldByPerson: Bool
    var pressure: String
    /// 0…1.
    var bar: Double
    var why: String
    var rates: String
    var spark: String
    var inWords: String

    init(_ reading: GateReading, in seen: Snapshot) {
        id = reading.id
        title = Self.title(reading)
        state = StateFace(reading.state)
        isHeldByPerson = reading.state == .paused || reading.state == .suspended
        pressure = Figures.pressure(reading.level, of: reading.limit.amount, reading.limit.unit.rawValue)
        bar = min(max(reading.ratio ?? 1, 0), 1)
        why = Self.why(reading)
        let flow = seen.rates(reading.id)
        rates = "\(Figures.rate(flow.inEventsPerSecond)) / \(Figures.rate(flow.outEventsPerSecond)) per s"
        let points = seen.histories[reading.id]?.points ?? []
        spark = Sparkline.points(points)
        inWords = "Pressure of \(reading.id) over the last 15 minutes, now \(pressure)"
    }

    static func title(_ reading: GateReading) -> String {
        guard reading.kind == .connector, let name = reading.senders.first else { return reading.id }
        return "connector " + name
    }

    private static func why(_ reading: GateReading) -> String {
        guard reading.state.isHeld, !reading.reopens.isEmpty else { return reading.reason.sentence }
        let reopens = reading.reopens.hasSuffix(".") ? reading.reopens : reading.reopens + "."
        let first = reading.reason.sentence
        let stop = first.hasSuffix(".") || first.isEmpty ? "" : "."
        let begins = reopens.lowercased().hasPrefix("when ")
        return "\(first)\(stop) Reopens" + (begins ? " when " + reopens.dropFirst(5) : ": " + reopens)
    }
}

/// A quarter of an hour in 100 × 20.
enum Sparkline {
    static let width = 100.0
    static let height = 20.0

    /// Points of a polyline; the newest is at the right edge, the limit at a height of 4.
    static func points(_ points: [LevelHistory.Point]) -> String {
        guard let newest = points.last?.slot else { return "" }
        let step = width / Double(LevelHistory.capacity - 1)
        var places = points.compactMap { point -> (x: Double, y: Double)? in
            guard let ratio = point.ratio else { return nil }
            let x = width - Double(newest - point.slot) * step
            return x < 0 ? nil : (x, height - 2 - min(max(ratio, 0), 1.1) * (height - 6))
        }
        // A line needs two ends; a single look is drawn as a short dash.
        if places.count == 1, let only = places.first { places.insert((max(0, only.x - 2), only.y), at: 0) }
        return places.map { "\(Figures.rounded($0.x, 1)),\(Figures.rounded($0.y, 1))" }.joined(separator: " ")
    }
}
