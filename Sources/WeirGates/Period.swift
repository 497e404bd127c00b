/// How long from one run of a connector to the next, in whole seconds; zero means run and terminate: one run, and
/// something else decides about the next.
///
/// As text it is what OpenCTI's `duration_period` takes: ISO 8601 as pydantic reads it (`PT5H`, `P1D`, `P0.5D`,
/// `PT1,5H`, `P1DT`), its other forms (`1 day`, `1d`, `01:00:00`, `00:30` for half an hour, `1 day, 01:00:00`), and
/// `0`. A month has 30 days and a year 365, as there. Two things differ: a negative period is refused (there it runs
/// without pause), and so is one under a second (there it becomes 0, and the connector ends after one run).
/// Fractions above that are cut to whole seconds, as there.
package struct Period: Sendable, Hashable, Comparable {
    package let seconds: Int64

    /// Longer ones are refused: `P100Y`.
    package static let secondsMost: Int64 = 100 * 365 * 86_400

    package static let runAndTerminate = Period(wholeSeconds: 0)
    package static let hourly = Period(wholeSeconds: 3_600)

    private init(wholeSeconds: Int64) { seconds = wholeSeconds }

    package var isRunAndTerminate: Bool { seconds == 0 }
    package var duration: Duration { .seconds(seconds) }

    package static func < (left: Period, right: Period) -> Bool { left.seconds < right.seconds }

    static let help = "write an ISO 8601 duration such as `PT5H`, `PT30M` or `P1D`, or `0` for run and terminate"

    /// Reads the text of a `duration_period`.
    /// - Throws: what was wrong and what to write instead.
    package init(iso text: String) throws(UnitTextProblem) {
        if text == "0" {
            self = .runAndTerminate
            return
        }
        var reader = PeriodReader(text)
        self = try Period(nanoseconds: try reader.read(), text: text)
    }

    /// A number of seconds, where the configuration holds a number and not a text.
    /// - Throws: what was wrong and what to write instead.
    package init(seconds: Double) throws(UnitTextProblem) {
        try self.init(count: seconds, of: 1, "seconds")
    }

    /// What `schedule_unit` takes: a number of units.
    /// - Parameters:
    ///   - unitSeconds: how long one is.
    ///   - name: what it is called in a sentence, in the plural.
    /// - Throws: what was wrong and what to write instead.
    package init(count: Double, of unitSeconds: Int64, _ name: String) throws(UnitTextProblem) {
        let text = "\(count) \(name)"
        guard count.isFinite else { throw UnitTextProblem("`\(text)` is not a period", help: Period.help) }
        let seconds = count * Double(unitSeconds)
        // Compared as a floating point number first: the conversion below would trap.
        guard abs(seconds) <= Double(Period.secondsMost) else { throw Period.tooLong(text) }
        self = try Period(nanoseconds: Int128(seconds * 1e9), text: text)
    }

    private init(nanoseconds: Int128, text: String) throws(UnitTextProblem) {
        if nanoseconds < 0 { throw Period.negative }
        let (seconds, rest) = nanoseconds.quotientAndRemainder(dividingBy: 1_000_000_000)
        if seconds == 0 && rest > 0 {
            throw UnitTextProblem(
                "`\(text.clipped)` is less than a second",
                help: "write `PT1S` or more, or `0` for run and terminate")
        }
        guard seconds <= Int128(Period.secondsMost) else { throw Period.tooLong(text) }
        self.seconds = Int64(seconds)
    }

    static let negative = UnitTextProblem("a period cannot be negative", help: Period.help)

    private static func tooLong(_ text: String) -> UnitTextProblem {
        UnitTextProblem("`\(text.clipped)` is longer than 100 years", help: Period.help)
    }

    /// ISO 8601, read back as the same period: `PT5H`, `P1DT12H`, `PT0S`.
    package var isoText: String {
        if seconds == 0 { return "PT0S" }
        let days = seconds / 86_400
        var text = days > 0 ? "P\(days)D" : "P"
        let rest = [(seconds / 3_600 % 24, "H"), (seconds / 60 % 60, "M"), (seconds % 60, "S")].filter { $0.0 > 0 }
        if !rest.isEmpty { text += "T" + rest.map { "\($0.0)\($0.1)" }.joined() }
        return text
    }
}

extension Period: CustomStringConvertible {
    package var description: String { isoText }
}
