import Testing
import WeirGates

@Suite("Periods")
struct PeriodTests {
    /// What pydantic 2.12 answers, in seconds, cut to whole ones as pycti cuts them.
    @Test(
        "are read as pydantic reads them",
        arguments: [
            ("PT5H", 18_000), ("P1D", 86_400), ("P1M", 2_592_000), ("P1Y", 31_536_000), ("P1W", 604_800),
            ("PT1,5H", 5_400), ("PT1.5H", 5_400), ("P0.5D", 43_200), ("P1DT", 86_400), ("1 day", 86_400),
            ("1d", 86_400), ("01:00:00", 3_600), ("00:30", 1_800), ("1:00:00", 3_600), ("+PT1H", 3_600),
            ("PT1.5S", 1), ("P1DT12H", 129_600), ("PT1M1H", 3_660), ("P1D1D", 172_800), ("P1D1W", 691_200),
            ("1 days", 86_400), ("2 days", 172_800), ("1 day, 01:00:00", 90_000), ("1 day 01:00:00", 90_000),
            ("1d 00:30", 88_200), ("1D", 86_400), ("1day", 86_400), ("1d00:30", 88_200), ("24:00", 86_400),
            ("23:59:59.5", 86_399), ("99:00", 356_400), ("PT1H1.5M", 3_690), ("P1Y2M3W4DT5H6M7S", 38_898_367),
            ("P1.5M", 3_888_000), ("100:00:00", 360_000), ("PT1.S", 1), ("+01:00:00", 3_600), ("1 day,01:00", 90_000),
            ("00:30:00.1234567", 1_800), ("1 d", 86_400), ("1d, 00:30", 88_200), ("000:30", 1_800),
            ("01:02:03", 3_723),
        ])
    func accepted(text: String, seconds: Int64) throws {
        #expect(try Period(iso: text).seconds == seconds)
    }

    @Test(
        "of zero mean run and terminate",
        arguments: ["0", "P0D", "PT0S", "P0Y", "PT0H0M", "0d", "0 days", "00:00:00", "00:00", "-PT0S", "PT0.0S"])
    func runAndTerminate(text: String) throws {
        #expect(try Period(iso: text).isRunAndTerminate)
    }

    @Test(
        "that pydantic refuses are refused",
        arguments: [
            "0:30", "3600", "PT", "P", "pt5h", "5h", "PT1H30", " PT1H", "PT1H ", "", "00:61", "PT1.5H30M", "1.5d",
            "PT.5S", "P1H", "PT1D", "PT1HT1M", "01:00:00Z", "1  day", "1 daY", "1 dayss", "P1DT1", "1dx", "1:2:3",
            "T1H", "P-1D", "PT-1H", "P1", "+", "-", "d", "day", ":", "::", "P1DT1H\u{0}", "ＰT1H", "1e3",
        ])
    func refused(text: String) {
        #expect(throws: UnitTextProblem.self) { try Period(iso: text) }
    }

    @Test("that are negative are refused, where the original would run without pause", arguments: ["-PT1H", "-1 day"])
    func negative(text: String) {
        #expect(problem(text)?.message == "a period cannot be negative")
    }

    @Test(
        "under a second are refused, where the original would run once and end",
        arguments: ["PT0.4S", "PT0,999S", "00:00:00.5", "P0.00001D"])
    func subSecond(text: String) {
        #expect(problem(text)?.message == "`\(text)` is less than a second")
    }

    @Test("say what to write instead")
    func help() {
        #expect(problem("3600")?.help == "write `PT3600S` for seconds, or `PT30M`")
        #expect(problem("pt5h")?.help == "write `PT5H`")
        #expect(problem(" PT5H ")?.help == "write `PT5H`")
        #expect(problem("P5H")?.message.contains("`T` before hours") == true)
        #expect(problem("PT1H30")?.message == "`PT1H30` is not a period: the last number has no unit")
        #expect(problem(String(repeating: "9", count: 5_000_000)) != nil)
        #expect(problem("P99999999999999999999999D") != nil)
        #expect(problem("P101Y")?.message == "`P101Y` is longer than 100 years")
    }

    @Test("are numbers of seconds where the configuration has numbers")
    func numbers() throws {
        #expect(try Period(seconds: 3_600).seconds == 3_600)
        #expect(try Period(seconds: 0).isRunAndTerminate)
        #expect(try Period(seconds: 1.5).seconds == 1)
        for bad in [-1, 0.5, .infinity, .nan, 1e300, -1e300] as [Double] {
            #expect(throws: UnitTextProblem.self) { try Period(seconds: bad) }
        }
    }

    @Test("are numbers of units for schedule_unit")
    func units() throws {
        #expect(try Period(count: 6, of: 3_600, "hours").isoText == "PT6H")
        #expect(try Period(count: 0.5, of: 86_400, "days").seconds == 43_200)
        #expect(throws: UnitTextProblem.self) { try Period(count: -1, of: 3_600, "hours") }
    }

    @Test("are written so that they read back as the same", arguments: [0, 1, 60, 3_599, 86_400, 129_600, 31_536_000])
    func text(seconds: Int) throws {
        let period = try Period(seconds: Double(seconds))
        #expect(try Period(iso: period.isoText) == period)
    }

    private func problem(_ text: String) -> UnitTextProblem? {
        do throws(UnitTextProblem) {
            _ = try Period(iso: text)
            return nil
        } catch { return error }
    }
}
