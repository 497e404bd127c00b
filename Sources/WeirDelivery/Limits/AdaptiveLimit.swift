package import WeirWorld

/// How many requests may be in flight to one endpoint: found by trying, after TCP's congestion control (AIMD).
///
/// Time is cut into intervals as long as the mean round trip. At the end of each: one more (twice as many in slow
/// start) if the limit was reached, nothing was refused and the round trips were not slower than their mean; a tenth
/// less if something was refused or they were slower than mean + 2.5 deviations. Slow start ends with the first
/// decrease and begins again after an outage, so that a receiver that has just come back is not stampeded.
///
/// Source: Vector's adaptive request concurrency (decrease 0.9, EWMA α 0.4, deviation scale 2.5), with slow start added
/// because +1 per round trip from 1 is slow (research/destinations.md, section 4).
package struct AdaptiveLimit: Sendable {
    /// Never more than this: the operator's `concurrency`.
    package let most: Int
    /// Requests in flight allowed now: 1…most.
    package private(set) var current = 1
    private var isSlowStart = true
    private var mean: Double?
    private var deviation = 0.0
    private var sum = 0.0
    private var count = 0
    private var wasReached = false
    private var wasRefused = false
    private var intervalEnd: Moment?

    package init(most: Int) { self.most = max(1, most) }

    /// Takes an answer: the request went well after `roundTrip`; `inFlight` counts it.
    package mutating func answered(after roundTrip: Duration, inFlight: Int, at now: Moment) {
        if most == 1 { return }
        sum += roundTrip.inSeconds
        count += 1
        if inFlight >= current { wasReached = true }
        close(at: now)
    }

    /// Takes a refusal or a timeout: the receiver has too much.
    package mutating func refused(at now: Moment) {
        if most == 1 { return }
        wasRefused = true
        close(at: now)
    }

    /// After an outage: back to one request, and slow start.
    package mutating func restart() {
        current = 1
        isSlowStart = true
        wasReached = false
        wasRefused = false
        sum = 0
        count = 0
        intervalEnd = nil
    }

    private mutating func close(at now: Moment) {
        guard let end = intervalEnd else {
            // The first answer ends the first interval: there is no mean yet to measure it by.
            if let first = lastMean { learn(first) }
            adapt(with: nil)
            open(at: now)
            return
        }
        guard now >= end else { return }
        let measured = lastMean
        adapt(with: measured)
        if let measured { learn(measured) }
        open(at: now)
    }

    private var lastMean: Double? { count > 0 ? sum / Double(count) : nil }

    private mutating func open(at now: Moment) {
        intervalEnd = now + .nanoseconds(Int64(min(60, max(1e-6, mean ?? 0.001)) * 1e9))
        sum = 0
        count = 0
        wasReached = false
        wasRefused = false
    }

    private mutating func learn(_ measured: Double) {
        guard let old = mean else {
            mean = measured
            return
        }
        let difference = measured - old
        mean = old + 0.4 * difference
        deviation = 0.6 * (deviation + 0.4 * abs(difference))
    }

    private mutating func adapt(with measured: Double?) {
        let isSlower = if let measured, let mean { measured >= mean + 2.5 * max(deviation, mean * 0.1) } else { false }
        if wasRefused || isSlower {
            isSlowStart = false
            current = max(1, Int(Double(current) * 0.9))
        } else if wasReached, current < most {
            current = min(most, isSlowStart ? current * 2 : current + 1)
        }
    }
}
