package import WeirWorld

/// A rate that follows what is counted: the mean of the last seconds, weighted so that old ones fade (time constant 5
/// s).
package struct RateMeter: Sendable {
    private static let fade = 5.0

    private var rate = 0.0
    private var pending = 0.0
    private var since: Moment?
    private var begun: Moment?

    package init() {}

    package mutating func add(_ amount: Int, at now: Moment) {
        fold(at: now)
        pending += Double(amount)
    }

    /// In units a second. Zero before the first tenth of a second.
    package func rate(at now: Moment) -> Double {
        var copy = self
        copy.fold(at: now)
        guard let begun = copy.begun else { return 0 }
        // Right after the start the weights do not add up to one yet.
        let age = (now - begun).inSeconds
        let weight = 1 - Self.remaining(age)
        return weight > 0.02 ? copy.rate / weight : 0
    }

    private mutating func fold(at now: Moment) {
        guard let last = since else {
            since = now
            begun = now
            return
        }
        let seconds = (now - last).inSeconds
        guard seconds >= 0.1 else { return }
        let share = Self.remaining(seconds)
        rate = rate * share + pending / seconds * (1 - share)
        pending = 0
        since = now
    }

    // e^(−t/fade) by squaring a good approximation of a short step: no C library on the ground floor.
    private static func remaining(_ seconds: Double) -> Double {
        if seconds >= fade * 40 { return 0 }
        var value = 1 - min(1, seconds / fade / 1024)
        for _ in 0..<10 { value *= value }
        return max(0, value)
    }
}
