internal import WeirWorld

/// Which requests still wait for Splunk's indexers, and when to ask again.
///
/// One question asks about all of them: the first who finds it due asks, the others wait for what comes of it. The
/// time between two questions doubles while nothing is acknowledged and starts anew when something is:
///
/// | question without news | 1 | 2 | 3 | 4 | 5 … |
/// | --- | --- | --- | --- | --- | --- |
/// | wait before it, s | 0.5 | 1 | 2 | 4 | 8 |
struct HECAckBook {
    enum Step: Equatable {
        /// Ask about these, then call `answered` or `failed`.
        case ask([UInt64])
        case wait(until: Moment)
        case acknowledged
        /// Nothing came in time: the events are sent again, and may then be there twice.
        case expired
    }

    static let waitFirst = Duration.milliseconds(500)
    static let waitMost = Duration.seconds(8)

    /// Since when each is waited for.
    private var open: [UInt64: Moment] = [:]
    private var acknowledged: Set<UInt64> = []
    private var interval = waitFirst
    private var next = Moment.zero
    private var isAsking = false
    let patience: Duration

    init(patience: Duration) { self.patience = patience }

    /// Requests that are waited for.
    var count: Int { open.count }

    mutating func add(_ number: UInt64, at now: Moment) {
        if open.isEmpty {
            interval = Self.waitFirst
            next = now + interval
        }
        open[number] = now
    }

    mutating func step(_ number: UInt64, at now: Moment) -> Step {
        if acknowledged.remove(number) != nil {
            open[number] = nil
            return .acknowledged
        }
        guard let since = open[number] else { return .expired }
        let end = since + patience
        if now >= end {
            open[number] = nil
            return .expired
        }
        if isAsking { return .wait(until: min(end, now + Self.waitFirst)) }
        if now < next { return .wait(until: min(end, next)) }
        isAsking = true
        return .ask(open.keys.filter { !acknowledged.contains($0) }.sorted())
    }

    mutating func answered(_ safe: [UInt64], at now: Moment) {
        isAsking = false
        let news = safe.filter { open[$0] != nil }
        acknowledged.formUnion(news)
        interval = news.isEmpty ? min(interval * 2, Self.waitMost) : Self.waitFirst
        next = now + interval
    }

    /// The question itself failed.
    mutating func failed(at now: Moment) { answered([], at: now) }

    /// Nobody waits for it any more.
    mutating func forget(_ number: UInt64) {
        open[number] = nil
        acknowledged.remove(number)
    }
}
