import Testing
import WeirConnectors
import WeirGates
import WeirSettings
import WeirWorld

@Suite("Settings of schedules")
struct ScheduleSettingsTests {
    private func read(_ pairs: KeyValuePairs<String, SettingNode>) -> (ScheduleSettings?, [SettingProblem]) {
        var problems: [SettingProblem] = []
        let settings = ScheduleSettings.read(from: .map(pairs), path: "connectors.kev", problems: &problems)
        return (settings, problems)
    }

    @Test("have the defaults of the documents")
    func defaults() throws {
        let schedule = try #require(read([:]).0).connectorSchedule()
        #expect(schedule.timing == .fixedDelay(.hourly))
        #expect(schedule.threshold == .megabytes(500))
        #expect(schedule.gatesFirstRun && schedule.release == .early && schedule.missed == .once)
    }

    @Test(
        "take a period, a number of seconds, a cron expression or nothing to do",
        arguments: [
            ("PT5H", "PT5H after each run"), ("5h", "PT5H after each run"), ("1h30m", "PT1H30M after each run"),
            ("1 day", "P1D after each run"), ("3600", "PT1H after each run"), ("00:30", "PT30M after each run"),
            ("0", "run and terminate"), ("PT0S", "run and terminate"), ("0 4 * * *", "0 4 * * *"),
            ("@daily", "@daily"), ("1 day, 01:00:00", "P1DT1H after each run"),
        ])
    func schedule(text: String, timing: String) throws {
        let (settings, problems) = read(["schedule": .text(text)])
        #expect(problems.isEmpty)
        #expect(try settings?.connectorSchedule().timing.description == timing)
    }

    @Test("take a quoted number for the text it is, which has no unit")
    func quotedNumber() {
        #expect(read(["schedule": .text("3600", quoted: true)]).1.first?.help.contains("PT3600S") == true)
    }

    @Test(
        "refuse what would surprise, each at its key",
        arguments: [
            ("schedule", "-PT1H", "negative"), ("schedule", "-5", "negative"), ("schedule", "-5m", "negative"),
            ("schedule", "PT0.4S", "less than a second"),
            ("schedule", "250ms", "less than a second"), ("schedule", "0.5", "less than a second"),
            ("schedule", "* * * *", "not five"), ("schedule", "soon", "is not a period"),
            ("queue_threshold", "1GB", "is not a number of MB"), ("queue_threshold", "0", "for ever"),
            ("queue_threshold", "-1", "is not a number of MB"), ("queue_threshold", "", "is not a number of MB"),
            ("time_zone", "Rome", "is not a time zone"), ("missed", "twice", "must be one of"),
            ("release", "late", "must be one of"), ("jitter", "2h", "longer than the period"),
            ("time_zone", "Europe/Rome", "has no meaning with a period"),
        ])
    func problems(key: String, text: String, message: String) {
        let problems = read([key: .text(text)]).1
        #expect(problems.count == 1)
        #expect(problems.first?.message.contains(message) == true)
        #expect(problems.first?.path == "connectors.kev.\(key)")
        #expect(problems.first?.help.isEmpty == false || key == "time_zone")
    }

    @Test(
        "count the threshold in MB, with fractions",
        arguments: [
            ("500", 500_000_000), ("8.5", 8_500_000), ("0.000001", 1), ("500MB", 500_000_000), ("8.5 MB", 8_500_000),
        ])
    func threshold(text: String, bytes: Int64) throws {
        let threshold = try QueueThreshold(text: text)
        #expect(threshold.bytes.bytes == bytes)
        #expect(try QueueThreshold(text: threshold.description) == threshold)
    }

    @Test("say what another unit would be in MB")
    func thresholdHelp() {
        #expect {
            try QueueThreshold(text: "1GB")
        } throws: { ($0 as? UnitTextProblem)?.help == "the threshold is in MB: write `1000`" }
    }
}
