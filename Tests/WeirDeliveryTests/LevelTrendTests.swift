import Testing
import WeirDelivery
import WeirWorld

@Suite("The trend of a level")
struct LevelTrendTests {
    private func at(_ seconds: Int64) -> Moment { Moment(nanoseconds: seconds * 1_000_000_000) }

    @Test("says nothing before two looks, then how long it takes at the measured speed")
    func speed() {
        var trend = LevelTrend()
        #expect(trend.perSecond == nil && trend.time(for: 100) == nil)
        for second in Int64(0)...60 { trend.saw(second * 1_000, at: at(second)) }
        #expect(trend.perSecond == 1_000)
        #expect(trend.time(for: 5_000) == .seconds(5))
        #expect(trend.time(for: -5_000) == nil, "it rises")
        #expect(trend.time(for: 1e300) != nil, "far, but not a crash")
    }

    @Test("follows a change of mind within a minute, and is not moved by looks in one second")
    func turns() {
        var trend = LevelTrend()
        for second in Int64(0)...30 { trend.saw(second * 1_000, at: at(second)) }
        for second in Int64(31)...90 { trend.saw(30_000 - (second - 30) * 500, at: at(second)) }
        #expect(trend.perSecond.map { $0 < -450 } ?? false)
        let before = trend.perSecond
        trend.saw(1_000_000_000, at: at(90))
        #expect(trend.perSecond == before)
        #expect(!trend.wantsLook(at: at(90)) && trend.wantsLook(at: at(91)))
    }
}
