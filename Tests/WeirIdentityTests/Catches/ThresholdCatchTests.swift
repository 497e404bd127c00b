import Testing
import WeirIdentity
import WeirWorld

@Suite("The volume threshold")
struct ThresholdCatchTests {
    private func threshold(_ limit: Rule.Limit, atLeast: Int = 0) -> Rule.Threshold {
        var threshold = Rule.Threshold()
        threshold.limit = limit
        threshold.atLeast = atLeast
        return threshold
    }

    @Test(
        "rounds a percentage down, in whole numbers",
        arguments: [
            (500, 0, 0), (500, 10, 0), (500, 19, 0), (500, 20, 1), (500, 9_999, 499), (500, 10_000, 500),
            (500, 10_001, 500), (500, 100_000, 5_000), (100, 9_999, 99), (1, 9_999, 0), (1, 10_000, 1),
        ])
    func floor(points: Int, base: Int, limit: Int) {
        #expect(
            ThresholdCatch(threshold(.share(basisPoints: points)), base: base, isUnlocked: false).effective == limit)
    }

    @Test("passes up to and including the limit, and holds all from one more on")
    func boundary() {
        let fifty = ThresholdCatch(threshold(.count(50)), base: 5_000, isUnlocked: false)
        #expect(fifty.reason(count: 50, lookback: 0) == nil)
        #expect(fifty.reason(count: 51, lookback: 0) == .volume)
        let always = ThresholdCatch(threshold(.count(0)), base: 5_000, isUnlocked: false)
        #expect(always.reason(count: 0, lookback: 9) == nil)
        #expect(always.reason(count: 1, lookback: 0) == .volume)
    }

    @Test(
        "is 5 % at most from 10,000 objects on, and free below",
        arguments: [(9_999, 1_000, false), (10_000, 500, true), (10_001, 500, true)])
    func cap(base: Int, effective: Int, isClamped: Bool) {
        let raw = ThresholdCatch(threshold(.count(1_000)), base: base, isUnlocked: false)
        #expect(raw.effective == effective)
        #expect(raw.isClamped == isClamped)
        #expect(raw.configured == 1_000)
    }

    @Test("clamps no threshold at all too, and a floor; an override key lifts the cap")
    func capOfNone() {
        #expect(ThresholdCatch(threshold(.none), base: 9_999, isUnlocked: false).effective == nil)
        #expect(ThresholdCatch(threshold(.none), base: 10_000, isUnlocked: false).effective == 500)
        #expect(ThresholdCatch(threshold(.none), base: 10_000, isUnlocked: true).effective == nil)
        #expect(ThresholdCatch(threshold(.count(1), atLeast: 900), base: 10_000, isUnlocked: false).effective == 500)
        #expect(ThresholdCatch(threshold(.count(9_000)), base: 10_000, isUnlocked: true).effective == 9_000)
        #expect(!ThresholdCatch(threshold(.share(basisPoints: 500)), base: 10_000, isUnlocked: false).isClamped)
    }

    @Test("asks about everything on a first load, unless there is a floor")
    func firstLoad() {
        #expect(ThresholdCatch(threshold(.share(basisPoints: 500)), base: 0, isUnlocked: false).effective == 0)
        let floored = ThresholdCatch(threshold(.share(basisPoints: 500), atLeast: 3), base: 0, isUnlocked: false)
        #expect(floored.reason(count: 3, lookback: 0) == nil)
        #expect(floored.reason(count: 4, lookback: 0) == .volume)
    }

    @Test("adds what ran before: 4.9 % and 4.9 % are over 5 %")
    func lookback() {
        let five = ThresholdCatch(threshold(.share(basisPoints: 500)), base: 1_000, isUnlocked: false)
        #expect(five.reason(count: 49, lookback: 0) == nil)
        #expect(five.reason(count: 49, lookback: 49) == .volumeLookback)
        #expect(five.reason(count: 1, lookback: 49) == nil)
        #expect(five.reason(count: 51, lookback: 49) == .volume)
        #expect(five.reason(count: 0, lookback: 99) == nil)
    }

    @Test("says when it only holds because the limit was reduced")
    func clampedReason() {
        let clamped = ThresholdCatch(threshold(.count(1_000)), base: 10_000, isUnlocked: false)
        #expect(clamped.reason(count: 501, lookback: 0) == .clamped)
        #expect(clamped.reason(count: 1_001, lookback: 0) == .volume)
    }

    @Test("counts distinct identities in (now - 1 h, now]")
    func window() {
        var past = Lookback()
        let now = WallTime(nanoseconds: 10_000_000_000_000)
        let hour = Duration.seconds(3_600)
        for identity in ["a", "a", "b"] { past.ran(identity, at: now) }
        past.ran("c", at: now + .seconds(-3_600))
        past.ran("d", at: now + .nanoseconds(-3_599_999_999_999))
        past.ran("e", at: now + .nanoseconds(1))
        #expect(past.count(window: hour, now: now) == 3)
    }

    @Test("looks back in deltas and single syncs, in full ones only where told")
    func kinds() {
        var threshold = Rule.Threshold()
        #expect(ThresholdCatch.looksBack(threshold, .delta))
        #expect(ThresholdCatch.looksBack(threshold, .single))
        #expect(!ThresholdCatch.looksBack(threshold, .full))
        threshold.looksBackOnFull = true
        #expect(ThresholdCatch.looksBack(threshold, .full))
    }

    @Test("holds a rule whose expressions fail for more than 1 %, and at least 10")
    func errors() {
        let rule = Rule(name: "r", kind: .update, target: ObjectKind(silo: "ad"))
        #expect(!ThresholdCatch.holdsForErrors(rule, errors: 9, evaluated: 20))
        #expect(ThresholdCatch.holdsForErrors(rule, errors: 10, evaluated: 20))
        #expect(!ThresholdCatch.holdsForErrors(rule, errors: 10, evaluated: 1_000))
        #expect(ThresholdCatch.holdsForErrors(rule, errors: 11, evaluated: 1_000))
    }
}
