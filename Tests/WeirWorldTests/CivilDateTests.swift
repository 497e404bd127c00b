import Testing
import WeirWorld

@Suite("A civil date")
struct CivilDateTests {
    @Test(
        "matches known days",
        arguments: [
            (0, "1970-01-01", "00:00:00", 4, 1), (951_782_400, "2000-02-29", "00:00:00", 2, 60),
            (-1, "1969-12-31", "23:59:59", 3, 365), (4_102_444_799, "2099-12-31", "23:59:59", 4, 365),
            (1_709_251_199, "2024-02-29", "23:59:59", 4, 60),
        ])
    func known(seconds: Int, date: String, clock: String, weekday: Int, dayOfYear: Int) {
        let civil = CivilDate(WallTime(nanoseconds: Int64(seconds) * 1_000_000_000))
        #expect(civil.dateText == date && civil.clockText == clock)
        #expect(civil.weekday == weekday && civil.dayOfYear == dayOfYear)
    }

    @Test("comes back from its parts for every day that 64 bits of nanoseconds reach")
    func roundTrip() {
        for day in stride(from: -100_000, through: 100_000, by: 1) {
            let time = WallTime(nanoseconds: Int64(day) * 86_400_000_000_000 + 1)
            let civil = CivilDate(time)
            #expect(CivilDate.wall(year: civil.year, month: civil.month, day: civil.day, nanosecond: 1) == time)
        }
    }

    @Test("prints RFC 3339")
    func printing() {
        #expect(WallTime(nanoseconds: 1_763_730_201_250_000_000).description == "2025-11-21T13:03:21.250Z")
    }

    @Test("survives numbers from outside that no calendar knows")
    func hostile() {
        for seconds in [Double.nan, .infinity, -.infinity, 1e300, -1e300] {
            _ = CivilDate(WallTime(secondsSince1970: seconds))
        }
    }
}
