import Testing
import WeirDelivery
import WeirGates
import WeirTestKit
import WeirWorld

@Suite("Limits of an endpoint")
struct LimitTests {
    private let reason = Reason("http_503", "It answered 503.")
    private let random = SeededRandom(seed: 3)

    // MARK: Adaptive limit

    @Test("It begins with one request and doubles with each round trip that reaches it, up to the operator's limit")
    func slowStart() {
        var limit = AdaptiveLimit(most: 20)
        var now = Moment.zero
        var seen = [limit.current]
        for _ in 0..<8 {
            // One round trip: everything that may be in flight is answered.
            now = now + .milliseconds(11)
            for _ in 0..<limit.current { limit.answered(after: .milliseconds(10), inFlight: limit.current, at: now) }
            seen.append(limit.current)
        }
        #expect(seen.first == 1)
        #expect(seen.last == 20)
        #expect(zip(seen, seen.dropFirst()).allSatisfy { $0 <= $1 && $1 <= max(2, 2 * $0) })
    }

    @Test("It does not grow while it is not reached")
    func unreached() {
        var limit = AdaptiveLimit(most: 20)
        var now = Moment.zero
        limit.answered(after: .milliseconds(10), inFlight: 1, at: now)
        let before = limit.current
        for _ in 0..<50 {
            now = now + .milliseconds(20)
            limit.answered(after: .milliseconds(10), inFlight: before - 1, at: now)
        }
        #expect(limit.current == before)
    }

    @Test("A refusal takes a tenth away, ends slow start, and never goes below one")
    func refusals() {
        var limit = AdaptiveLimit(most: 10)
        var now = Moment.zero
        for _ in 0..<20 {
            now = now + .milliseconds(20)
            limit.answered(after: .milliseconds(10), inFlight: limit.current, at: now)
        }
        #expect(limit.current == 10)
        now = now + .milliseconds(20)
        limit.refused(at: now)
        #expect(limit.current == 9)
        now = now + .milliseconds(20)
        limit.answered(after: .milliseconds(10), inFlight: 9, at: now)
        #expect(limit.current == 10)
        for _ in 0..<40 {
            now = now + .milliseconds(20)
            limit.refused(at: now)
        }
        #expect(limit.current == 1)
    }

    @Test("Answers that become much slower take a tenth away")
    func slower() {
        var limit = AdaptiveLimit(most: 8)
        var now = Moment.zero
        for _ in 0..<30 {
            now = now + .milliseconds(20)
            limit.answered(after: .milliseconds(10), inFlight: limit.current, at: now)
        }
        #expect(limit.current == 8)
        now = now + .milliseconds(200)
        limit.answered(after: .milliseconds(200), inFlight: 8, at: now)
        #expect(limit.current == 7)
    }

    @Test("After an outage it begins again with one")
    func restart() {
        var limit = AdaptiveLimit(most: 8)
        var now = Moment.zero
        for _ in 0..<30 {
            now = now + .milliseconds(20)
            limit.answered(after: .milliseconds(10), inFlight: limit.current, at: now)
        }
        limit.restart()
        #expect(limit.current == 1)
    }

    // MARK: Breaker

    @Test("A failure opens it for at most 2 s, then one probe decides")
    func breaker() {
        var breaker = Breaker()
        var now = Moment.zero
        equal(breaker.mayPass(at: now), true)
        let sent = breaker.begin()
        breaker.failed(reason, generation: sent, at: now, random: random)
        equal(breaker.mayPass(at: now), false)
        guard let next = breaker.nextAttempt else {
            Issue.record("no next attempt")
            return
        }
        #expect(next - now <= .seconds(2) && next - now >= .milliseconds(200))
        now = next
        equal(breaker.mayPass(at: now), true)
        let probe = breaker.begin()
        #expect(breaker.word == "half_open")
        equal(breaker.mayPass(at: now), false, "one probe at a time")
        breaker.succeeded(generation: probe, at: now)
        #expect(breaker.isClosed)
    }

    @Test("What was in flight when it opened changes nothing")
    func lateAnswers() {
        var breaker = Breaker()
        let first = breaker.begin()
        let second = breaker.begin()
        let third = breaker.begin()
        breaker.failed(reason, generation: first, at: .zero, random: random)
        let next = breaker.nextAttempt
        breaker.failed(reason, generation: second, at: .zero, random: random)
        #expect(breaker.nextAttempt == next && breaker.failures == 1)
        breaker.succeeded(generation: third, at: .zero)
        #expect(!breaker.isClosed)
    }

    @Test("The rest grows with each failed probe, up to a minute; what the receiver asks for takes precedence")
    func growth() {
        var breaker = Breaker()
        var now = Moment.zero
        var longest = Duration.zero
        for _ in 0..<30 {
            let sent = breaker.begin()
            breaker.failed(reason, generation: sent, at: now, random: random)
            guard let next = breaker.nextAttempt else {
                Issue.record("no next attempt")
                return
            }
            longest = max(longest, next - now)
            now = next
            _ = breaker.mayPass(at: now)
        }
        #expect(longest > .seconds(30) && longest <= .seconds(60))
        let sent = breaker.begin()
        breaker.failed(reason, generation: sent, wait: .seconds(7), at: now, random: random)
        #expect(breaker.nextAttempt == now + .seconds(7))
    }

    @Test("A person's release lets a probe through at once")
    func release() {
        var breaker = Breaker()
        breaker.failed(reason, generation: breaker.begin(), at: .zero, random: random)
        breaker.release()
        equal(breaker.mayPass(at: .zero), true)
    }

    // MARK: Ramp and rates

    @Test("After an outage sends begin at 64 KiB and double with each success")
    func ramp() {
        var ramp = DrainRamp(bytesMost: 4 << 20)
        #expect(ramp.bytes == 4 << 20 && !ramp.isRamping)
        ramp.restart()
        var sizes: [Int] = []
        for _ in 0..<8 {
            sizes.append(ramp.bytes)
            ramp.succeeded()
        }
        #expect(sizes == [1, 2, 4, 8, 16, 32, 64, 64].map { $0 * 65_536 })
        var small = DrainRamp(bytesMost: 1_000)
        small.restart()
        #expect(small.bytes == 1_000)
    }

    @Test("A rate follows what is counted, and fades when nothing comes")
    func rates() {
        var meter = RateMeter()
        var now = Moment.zero
        #expect(meter.rate(at: now) == 0)
        for _ in 0..<600 {
            meter.add(100, at: now)
            now = now + .milliseconds(100)
        }
        #expect(abs(meter.rate(at: now) - 1_000) < 50)
        now = now + .seconds(30)
        #expect(meter.rate(at: now) < 10)
    }
}
