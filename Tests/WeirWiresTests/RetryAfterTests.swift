import Testing
import WeirWires
import WeirWorld

@Suite struct RetryAfterTests {
    static let now = CivilDate.wall(year: 1994, month: 11, day: 6, hour: 8, minute: 49, second: 0)

    @Test(
        "Seconds and all three kinds of date are read, and capped at 180 s",
        arguments: [
            ("0", Duration.seconds(0)), ("7", .seconds(7)), (" 12 ", .seconds(12)), ("99999", .seconds(180)),
            ("99999999999999999999999", .seconds(180)), ("Sun, 06 Nov 1994 08:49:37 GMT", .seconds(37)),
            ("Sunday, 06-Nov-94 08:49:37 GMT", .seconds(37)), ("Sun Nov  6 08:49:37 1994", .seconds(37)),
            ("Sun, 06 Nov 1994 08:40:00 GMT", .zero), ("Mon, 07 Nov 1994 08:49:37 GMT", .seconds(180)),
        ])
    func read(value: String, expected: Duration) {
        #expect(RetryAfter.parse(value, now: Self.now) == expected)
    }

    @Test(
        "What is neither is no pause",
        arguments: [
            "", " ", "soon", "-5", "1.5", "5s", "Sun, 99 Nov 1994 08:49:37 GMT", "Sun, 06 Foo 1994 08:49:37 GMT",
            "Sun, 06 Nov 1994 25:49:37 GMT", "Sun, 06 Nov 1994 08:49 GMT", "\u{0}", "١٢",
        ])
    func refused(value: String) {
        #expect(RetryAfter.parse(value, now: Self.now) == nil)
    }

    @Test("A date that we write is read back")
    func written() {
        #expect(HTTPDate.text(Self.now) == "Sun, 06 Nov 1994 08:49:00 GMT")
        var random = SplitMix(seed: 3)
        for _ in 0..<1_000 {
            let wall = WallTime(nanoseconds: Int64(random.next() % 4_000_000_000) * 1_000_000_000)
            #expect(HTTPDate.parse(HTTPDate.text(wall)[...]) == wall)
        }
    }

    @Test(
        "A pause is written in whole seconds, rounded up",
        arguments: [
            (Duration.zero, "1"), (.milliseconds(1), "1"), (.seconds(2), "2"), (.milliseconds(2_001), "3"),
        ])
    func text(duration: Duration, expected: String) { #expect(RetryAfter.text(duration) == expected) }
}
