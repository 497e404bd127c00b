import Testing
import WeirWorld

@testable import WeirTunnel

@Suite("A bandwidth limit")
struct RateTests {
    private let start = Moment(nanoseconds: 5_000_000_000)

    @Test("lets a burst through after a rest, then its rate and no more, whoever asks", arguments: 0..<50)
    func exact(seed: UInt64) {
        var chance = SplitMix(seed: seed)
        let rate = Int64.random(in: 1_024...200_000_000, using: &chance)
        var bucket = TokenBucket(rate: rate)
        var (now, gone, least) = (start, Int64(0), start)
        for _ in 0..<2_000 {
            let bytes = Int.random(in: 1...bucket.pieceMost, using: &chance)
            let leave = bucket.reserve(bytes, at: now)
            // In the order of asking.
            #expect(leave >= least || leave <= now)
            least = max(leave, least)
            now = max(now, leave)
            gone += Int64(bytes)
            let most = Double((now - start).nanoseconds) / 1e9 * Double(rate) + Double(bucket.burst + 16_384)
            #expect(Double(gone) <= most + 2_000 && gone > 0)
            if Int.random(in: 0..<50, using: &chance) == 0 {
                now = now + .milliseconds(Int.random(in: 0...500, using: &chance))
            }
        }
        // And not less, for one who always asks.
        let began = now + .seconds(10)
        (now, gone) = (began, 0)
        for _ in 0..<500 {
            now = max(now, bucket.reserve(bucket.pieceMost, at: now))
            gone += Int64(bucket.pieceMost)
        }
        #expect(Double(gone) >= Double((now - began).nanoseconds) / 1e9 * Double(rate))
    }

    @Test("saves up no more than its burst while nobody asks")
    func rest() {
        var bucket = TokenBucket(rate: 8_192)
        #expect(bucket.burst == 1_024 && bucket.pieceMost == 1_024)
        #expect(bucket.reserve(1_024, at: start) <= start)
        let later = start + .seconds(3_600)
        #expect(bucket.reserve(1_024, at: later) <= later)
        #expect(bucket.reserve(1_024, at: later) == later)
        #expect(bucket.reserve(1_024, at: later) == later + .milliseconds(125))
    }

    @Test("knows no rate of nothing, and none too large")
    func extremes() {
        var (slow, fast) = (TokenBucket(rate: 0), TokenBucket(rate: .max))
        #expect(slow.rate == 1 && slow.pieceMost == 1_024)
        _ = slow.reserve(1_024, at: start)
        _ = slow.reserve(1_024, at: start)
        #expect(slow.reserve(1, at: start) == start + .seconds(1_024))
        #expect(fast.reserve(16_384, at: start) <= start && fast.reserve(16_384, at: start) <= start)
    }

    @Test("says since when it holds back; a second of rest ends that")
    func holds() {
        var hold = RateHold()
        #expect(hold.since(at: start) == nil)
        hold.held(until: start + .milliseconds(100), at: start)
        hold.held(until: start + .milliseconds(1_050), at: start + .milliseconds(900))
        #expect(hold.since(at: start + .milliseconds(2_000)) == start)
        #expect(hold.since(at: start + .milliseconds(2_050)) == nil)
        hold.held(until: start + .seconds(9), at: start + .seconds(8))
        #expect(hold.since(at: start + .seconds(8)) == start + .seconds(8))
    }
}
