import Testing
import WeirGates
import WeirWorld

@Suite("Sizes and durations as text")
struct UnitTextTests {
    @Test(
        "Sizes are read exactly",
        arguments: [
            ("0", 0), ("8MB", 8_000_000), ("8MiB", 8_388_608), ("1.5GB", 1_500_000_000), ("1.1GB", 1_100_000_000),
            ("512", 512),
            ("512B", 512), ("64KiB", 65_536), ("1kB", 1_000), ("1KB", 1_000), ("5 GB", 5_000_000_000), ("1_000", 1_000),
            ("0.5KiB", 512), ("9.2EB", 9_200_000_000_000_000_000), ("7EiB", 8_070_450_532_247_928_832),
            ("8mb", 8_000_000),
            (" 8MB ", 8_000_000), ("2TB", 2_000_000_000_000), ("1PiB", 1_125_899_906_842_624),
        ] as [(String, Int64)])
    func readsSizes(text: String, bytes: Int64) throws {
        #expect(try ByteCount(text: text).bytes == bytes)
    }

    @Test(
        "What is no size says why and what to write",
        arguments: [
            ("8M", "`8M` has no clear unit", "write `8MB` or `8MiB` (binary)"),
            ("8Mi", "`8Mi` has no clear unit", "write `8MiB`"),
            ("-1MB", "a size cannot be negative", nil), ("", "`` is not a size", nil),
            ("MB", "`MB` is not a size", nil),
            ("1.5", "`1.5` is not a whole number of bytes", nil), ("8 apples", "`apples` is not a unit of size", nil),
            ("9.3EB", "`9.3EB` is more than 9.2EB", nil),
            ("99999999999999999999", "`99999999999999999999` is not a size", nil),
            ("1.2.3MB", "`1.2.3MB` is not a size", nil), ("1,5GB", "`,5GB` is not a unit of size", nil),
            ("१MB", "`१MB` is not a size", nil), (".5GB", "`.5GB` is not a size", nil),
            ("1.GB", "`1.GB` is not a size", nil),
        ] as [(String, String, String?)])
    func refusesSizes(text: String, message: String, help: String?) {
        let problem = #expect(throws: UnitTextProblem.self) { try ByteCount(text: text) }
        #expect(problem?.message == message)
        if let help { #expect(problem?.help == help) }
    }

    @Test(
        "Sizes print exact, as they are set, and short, as they are read",
        arguments: [
            (0, "0", "0 B"), (512, "512B", "512 B"), (8_000_000, "8MB", "8.00 MB"), (8_388_608, "8MiB", "8.38 MB"),
            (1_500_000_000, "1.5GB", "1.50 GB"), (8_388_609, "8388609B", "8.38 MB"), (65_536, "64KiB", "65.5 kB"),
            (999_999, "999999B", "999 kB"), (1_050_000_000, "1.05GB", "1.05 GB"),
            (Int64.max, "9223372036854775807B", "9.22 EB"), (-5, "-5B", "-5 B"), (-8_000_000, "-8000000B", "-8.00 MB"),
        ] as [(Int64, String, String)])
    func printsSizes(bytes: Int64, exact: String, short: String) {
        #expect(ByteCount(bytes).exactText == exact)
        #expect(ByteCount(bytes).shortText == short)
    }

    @Test("Whatever size is printed exactly is read back as the same size")
    func sizesRoundTrip() throws {
        var random = SplitMix(seed: 1)
        for _ in 0..<20_000 {
            let bytes = Int64(random.next() >> (1 + random.next() % 62))
            #expect(try ByteCount(text: ByteCount(bytes).exactText).bytes == bytes)
        }
    }

    @Test("Amounts of bytes saturate instead of overflowing")
    func sizesSaturate() {
        #expect(ByteCount.max + ByteCount(1) == .max)
        #expect(ByteCount(Int64.min) - ByteCount(1) == ByteCount(Int64.min))
        #expect(ByteCount.gibibytes(.max) == .max)
        #expect(ByteCount.gigabytes(5) - ByteCount.megabytes(1) == ByteCount.megabytes(4_999))
    }

    @Test("Rates are sizes per second")
    func rates() throws {
        #expect(try ByteRate(text: "10MB/s").perSecond == .megabytes(10))
        #expect(try ByteRate(text: "10 MB / s").description == "10MB/s")
        #expect(throws: UnitTextProblem.self) { try ByteRate(text: "10MB") }
    }

    @Test(
        "Durations are read exactly",
        arguments: [
            ("0", .zero), ("90s", .seconds(90)), ("5h", .hours(5)), ("250ms", .milliseconds(250)),
            ("1h30m", .minutes(90)),
            ("PT5H", .hours(5)), ("P1DT2H", .hours(26)), ("P1W", .hours(168)), ("pt1.5s", .milliseconds(1_500)),
            ("1.5s", .milliseconds(1_500)),
            ("P0D", .zero), ("PT0S", .zero), ("2d", .hours(48)), ("1m500ms", .milliseconds(60_500)),
            ("10us", .microseconds(10)),
            ("10µs", .microseconds(10)), ("1h 30m", .minutes(90)), ("5H", .hours(5)), ("1ns", .nanoseconds(1)),
        ] as [(String, Duration)])
    func readsDurations(text: String, duration: Duration) throws {
        #expect(try Duration(text: text) == duration)
    }

    @Test(
        "What is no duration says why",
        arguments: [
            ("30", "`30` has no unit"), ("", "the duration is empty"), ("-5s", "a duration cannot be negative"),
            ("PT-5S", "a duration cannot be negative"),
            ("P1M", "`P1M` has months or years, which have no fixed length"),
            ("P5H", "`P5H` lacks the `T` before hours, minutes and seconds"), ("PT", "`PT` is not a duration"),
            ("P", "`P` is not a duration"),
            ("5 parsecs", "`parsecs` is not a unit of time"), ("5s5s", "`5s5s` has its units out of order"),
            ("5m1h", "`5m1h` has its units out of order"), ("300000d", "`300000d` is longer than 292 years"),
            ("0.1ns", "`0.1ns` is finer than a nanosecond"), ("s", "`s` is not a duration"),
            ("1..5s", "`1..5s` is not a duration"),
            ("99999999999999999999s", "`99999999999999999999s` is not a duration"),
            ("P1DT2H3", "`P1DT2H3` is not a duration"),
        ])
    func refusesDurations(text: String, message: String) {
        let problem = #expect(throws: UnitTextProblem.self) { try Duration(text: text) }
        #expect(problem?.message == message)
    }

    @Test(
        "Durations print exact and short",
        arguments: [
            (.zero, "0", "0"), (.seconds(90), "1m30s", "1m30s"), (.hours(26), "1d2h", "1d2h"),
            (.milliseconds(250), "250ms", "250ms"),
            (.milliseconds(1_250), "1s250ms", "1.25s"), (.seconds(3_661), "1h1m1s", "1h1m"),
            (.nanoseconds(1_234_567), "1ms234us567ns", "1.23ms"),
            (.milliseconds(61_999), "1m1s999ms", "1m1s"), (.milliseconds(59_999), "59s999ms", "59.99s"),
            (.seconds(-90), "-1m30s", "-1m30s"),
        ] as [(Duration, String, String)])
    func printsDurations(duration: Duration, exact: String, short: String) {
        #expect(duration.exactText == exact)
        #expect(duration.shortText == short)
    }

    @Test("Whatever duration is printed exactly is read back as the same duration")
    func durationsRoundTrip() throws {
        var random = SplitMix(seed: 2)
        for _ in 0..<20_000 {
            let nanoseconds = Int64(random.next() >> (1 + random.next() % 62))
            #expect(try Duration(text: Duration.nanoseconds(nanoseconds).exactText).nanoseconds == nanoseconds)
        }
    }

    @Test("No text whatever crashes the readers")
    func randomText() {
        var random = SplitMix(seed: 3)
        let letters = Array("0123456789.-_ PTDHMSWpthmsdwkKMGTEiBb/%µ\u{0}é")
        for _ in 0..<50_000 {
            let text = String((0..<random.next() % 14).map { _ in letters[Int(random.next() % UInt64(letters.count))] })
            if let size = try? ByteCount(text: text) { #expect(size.bytes >= 0) }
            if let duration = try? Duration(text: text) { #expect(duration >= .zero) }
            _ = try? ByteRate(text: text)
        }
    }
}
