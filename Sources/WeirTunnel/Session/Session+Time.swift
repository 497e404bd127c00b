internal import WeirWires
package import WeirWorld

extension Session {
    /// Finds out whether the peer lives, and how far away it is.
    struct Pulse: Sendable {
        let every: Duration
        let timeout: Duration
        /// Smoothed, of the regular pings: windows grow by it.
        private(set) var roundTrip: Duration?
        private var latest = Duration.zero
        private var next: Moment
        private var asked: (id: UInt32, at: Moment, isProbe: Bool)?
        private var probed: Moment
        private var heard: Moment
        private var count: UInt32 = 0

        init(every: Duration, timeout: Duration, at now: Moment) {
            self.every = every
            self.timeout = timeout
            heard = now
            // The first at once: windows are tuned by the round trip.
            next = now
            probed = now
        }

        mutating func heard(at now: Moment) { heard = now }

        mutating func answered(_ id: UInt32, at now: Moment) {
            guard let asked, asked.id == id else { return }
            self.asked = nil
            let measured = now - asked.at
            latest = measured
            // One that was sent because much is on its way says how long that takes, not how far away the peer is.
            guard !asked.isProbe else { return }
            roundTrip = roundTrip.map { $0 * 0.75 + measured * 0.25 } ?? measured
        }

        /// A ping was asked and nothing at all has come for the timeout.
        func isDead(at now: Moment) -> Bool {
            guard let asked else { return false }
            return now - max(asked.at, heard) >= timeout
        }

        /// - Parameter fraction: chance in `0..<1`.
        /// - Returns: the number to ask with, when it is time.
        mutating func beat(at now: Moment, fraction: Double) -> UInt32? {
            guard asked == nil, now >= next else { return nil }
            next = now + every * (0.8 + 0.4 * fraction)
            return ask(isProbe: false, at: now)
        }

        /// Between two probes; 50 ms.
        static let probeEvery = Duration.milliseconds(50)

        /// How long is the way now, with all that is on it? Asked beside the regular pings.
        mutating func probe(at now: Moment) -> UInt32? {
            guard asked == nil, now - probed >= Self.probeEvery else { return nil }
            probed = now
            return ask(isProbe: true, at: now)
        }

        private mutating func ask(isProbe: Bool, at now: Moment) -> UInt32 {
            count &+= 1
            asked = (count, now, isProbe)
            return count
        }

        /// What the way takes now, at the least: that of the last answer, or the time for which the next one is owed.
        func wayNow(at now: Moment) -> Duration { max(latest, asked.map { now - $0.at } ?? .zero) }
    }

    /// What time has brought.
    package struct Tick: Sendable, Hashable {
        /// Close the link: the peer does not answer.
        package var isDead = false
        /// Streams that were reset, and why. Sorted by number.
        package var ended: [Ended] = []

        package struct Ended: Sendable, Hashable {
            package var stream: UInt32
            package var reason: StreamReason
        }
    }

    /// A stream waits for credit: find out how much of that is the link's.
    mutating func probe(at now: Moment) {
        if let id = pulse.probe(at: now) { send(YamuxHeader(.ping, .open, stream: 0, length: id)) }
    }

    /// What the way to the peer and back takes now, with all that is on it, at the least.
    func wayNow(at now: Moment) -> Duration { pulse.wayNow(at: now) }

    /// To be called about once a second.
    /// - Parameter fraction: chance in `0..<1`, for the distance of the pings.
    package mutating func tick(at now: Moment, fraction: Double) -> Tick {
        var tick = Tick()
        guard !pulse.isDead(at: now) else {
            tick.isDead = true
            return tick
        }
        if let id = pulse.beat(at: now, fraction: fraction) { send(YamuxHeader(.ping, .open, stream: 0, length: id)) }
        for (id, stream) in streams {
            let silence = now - stream.touched
            if stream.hasFinished != stream.isFinished, silence >= settings.finishWait {
                tick.ended.append(.init(stream: id, reason: .finishWait))
            } else if let most = settings.idleTimeout, silence >= most {
                tick.ended.append(.init(stream: id, reason: .idle))
            }
        }
        tick.ended.sort { $0.stream < $1.stream }
        for ended in tick.ended { reset(ended.stream, ended.reason) }
        return tick
    }
}
