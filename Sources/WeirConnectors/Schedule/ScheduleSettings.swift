package import WeirGates
package import WeirSettings

/// What an operator may set about the runs of any connector that Weir runs itself.
package struct ScheduleSettings: Settings {
    package var schedule = ScheduleText.period(.hourly)
    package var fixedRate = false
    package var missed = ConnectorSchedule.MissedRuns.once
    package var jitter = Duration.zero
    package var timeZone = "UTC"
    package var queueThreshold = QueueThreshold.standard
    package var gateFirstRun = true
    package var release = ConnectorSchedule.Release.early
    package var retryFirst = Duration.seconds(10)
    package var retryMost = Duration.minutes(15)

    package init() {}

    package static let fields: [Field<Self>] = [
        field(
            "schedule", \.schedule, examples: ["PT5H", "P1D", "30m", "\"0 4 * * MON-FRI\"", "0"],
            "How long after the end of a run the next one begins, as OpenCTI's `duration_period`: ISO 8601 (a month is "
                + "30 days, a year 365), at least a second. `0` runs once when Weir starts and then only when told "
                + "(run and terminate). Five fields or `@daily` are a cron expression."),
        field(
            "fixed_rate", \.fixedRate,
            "The period counts from the time a run was due instead of from its end, so that times do not drift."),
        field(
            "missed", \.missed,
            "What becomes of runs by `fixed_rate` or cron whose time passed while the connector ran, was paused or "
                + "Weir was down. A run that was postponed for lack of room is not missed: it happens once."),
        field(
            "jitter", \.jitter, range: .zero...(.hours(24)), examples: ["5m"],
            "Each run starts up to this much later, by chance, so that many connectors do not start together."),
        field(
            "time_zone", \.timeZone,
            check: { name in
                do throws(UnitTextProblem) {
                    _ = try CronZone(name)
                    return nil
                } catch { return "is not a time zone: \(error.help)" }
            }, examples: ["Europe/Rome"],
            "The zone of a cron expression. A time that daylight saving skips comes right after the gap; one that "
                + "comes twice counts once; `*` in the hour field goes by real time."),
        field(
            "queue_threshold", \.queueThreshold, examples: ["500", "8.5"],
            "MB (1 000 000 bytes) in the connector's work queue from which on its runs are postponed (`buffering`)."),
        field(
            "gate_first_run", \.gateFirstRun,
            "The very first run must find room too. `false` exempts it, as OpenCTI does; after a restart nothing is "
                + "exempt."),
        field(
            "release", \.release,
            "When a postponed run is tried again."),
        field(
            "retry_first", \.retryFirst, range: .seconds(1)...(.hours(24)),
            "How long to wait before a failed run is tried again; doubles with every failure, with chance."),
        field(
            "retry_most", \.retryMost, range: .seconds(1)...(.hours(24)),
            "The longest wait before a failed run is tried again; never longer than to the next regular run, unless "
                + "the other side asks for it."),
    ]

    package func mistakes() -> [SettingMistake] {
        var mistakes: [SettingMistake] = []
        switch schedule {
        case .cron(let text):
            if fixedRate {
                mistakes.append(
                    SettingMistake(
                        "fixed_rate", "`fixed_rate` has no meaning with a cron expression", help: "leave it out"))
            }
            do throws(UnitTextProblem) {
                _ = try CronExpression(text, zone: CronZone(timeZone))
            } catch {
                mistakes.append(SettingMistake("schedule", error.message, help: error.help))
            }
        case .period(let period):
            if timeZone != "UTC" {
                mistakes.append(
                    SettingMistake(
                        "time_zone", "`time_zone` has no meaning with a period", help: "leave it out, or write cron"))
            }
            if !period.isRunAndTerminate && jitter > period.duration {
                mistakes.append(
                    SettingMistake("jitter", "`jitter` is longer than the period", help: "write less than \(period)"))
            }
        }
        if retryMost < retryFirst {
            mistakes.append(
                SettingMistake("retry_most", "`retry_most` is less than `retry_first`", help: "write at least as much"))
        }
        return mistakes
    }

    /// - Throws: what `mistakes` would have said.
    package func connectorSchedule() throws(UnitTextProblem) -> ConnectorSchedule {
        var result: ConnectorSchedule
        switch schedule {
        case .cron(let text):
            result = ConnectorSchedule(.cron(try CronExpression(text, zone: try CronZone(timeZone))))
        case .period(let period):
            result = ConnectorSchedule(period: period)
            if fixedRate && !period.isRunAndTerminate { result.timing = .fixedRate(period) }
        }
        result.missed = missed
        result.jitter = jitter
        result.release = release
        result.threshold = queueThreshold.bytes
        result.gatesFirstRun = gateFirstRun
        result.retryFirst = retryFirst
        result.retryMost = retryMost
        return result
    }
}

extension ConnectorSchedule.MissedRuns: SettingChoice {
    package var help: String {
        switch self {
        case .skip: "They are left out; the next time counts."
        case .once: "One run at once stands for all of them."
        case .all: "Each is made up, one after the other; of very many the newest hundred."
        }
    }
}

extension ConnectorSchedule.Release: SettingChoice {
    package var help: String {
        switch self {
        case .early: "As soon as the queue is below the threshold, spread by chance where there are many."
        case .period: "A whole period later, as OpenCTI does."
        }
    }
}
