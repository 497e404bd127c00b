internal import Synchronization
internal import WeirGates
internal import WeirWorld

extension ConnectorHelper {
    /// What a period is counted in by `scheduleUnit`, by the names and lengths that pycti gives. There is no month.
    public enum TimeUnit: String, Sendable, Hashable, CaseIterable {
        /// 365 days.
        case years = "YEARS"
        case weeks = "WEEKS"
        case days = "DAYS"
        case hours = "HOURS"
        case minutes = "MINUTES"
        case seconds = "SECONDS"

        var seconds: Int64 {
            switch self {
            case .years: 365 * 86_400
            case .weeks: 7 * 86_400
            case .days: 86_400
            case .hours: 3_600
            case .minutes: 60
            case .seconds: 1
            }
        }
    }

    /// Runs the connector again and again, until the process is told to end (SIGTERM, SIGINT).
    ///
    /// Before each run but the first the platform is asked how full the connector's queue is: at `queueThreshold` or
    /// over it the run is put off. From the end of a run to the next is a period. A callback that throws has failed.
    /// - Parameters:
    ///   - messageCallback: one run. It ends soon after its task is cancelled: all calls of the helper do.
    ///   - durationPeriod: ISO 8601, such as `PT5H` or `P1D`; a month has 30 days and a year 365. With `0`, `P0D`,
    ///     `PT0S`, or `CONNECTOR_RUN_AND_TERMINATE` set: one run, unless the queue is full, and this returns.
    /// - Returns: how it ended.
    /// - Throws: `ConfigurationError` for a period that is none; of run and terminate, what the callback threw.
    @discardableResult
    public func scheduleISO(
        messageCallback: @escaping @Sendable () async throws -> Void, durationPeriod: String
    ) async throws -> ScheduleEnd {
        let period: Period
        do throws(UnitTextProblem) {
            period = try Period(iso: durationPeriod)
        } catch {
            throw wrongPeriod(error)
        }
        return try await schedule(messageCallback, period)
    }

    /// As `scheduleISO`, with a number of units for a period, as connectors had it before.
    /// - Parameter durationPeriod: 0, or at least a second; not negative.
    @discardableResult
    public func scheduleUnit(
        messageCallback: @escaping @Sendable () async throws -> Void, durationPeriod: Double, timeUnit: TimeUnit
    ) async throws -> ScheduleEnd {
        let period: Period
        do throws(UnitTextProblem) {
            period = try Period(count: durationPeriod, of: timeUnit.seconds, timeUnit.rawValue.lowercased())
        } catch {
            throw wrongPeriod(error)
        }
        return try await schedule(messageCallback, period)
    }

    private func wrongPeriod(_ problem: UnitTextProblem) -> ConfigurationError {
        configuration.mistake(
            "CONNECTOR_DURATION_PERIOD", section: "connector", key: "duration_period", problem.message,
            help: problem.help)
    }

    private enum Outcome: Sendable {
        case ended(Result<ScheduleEnd, any Error>)
        case told, other
    }

    private func schedule(
        _ callback: @escaping @Sendable () async throws -> Void, _ period: Period
    ) async throws -> ScheduleEnd {
        let plan = RunPlan(
            period: period, threshold: configuration.threshold, runsOnce: configuration.isRunAndTerminate,
            gatesFirst: configuration.gatesFirstRun)
        memory.withLock { $0.report = plan.report }
        // Before the first run: a reset from before the start is then known to it.
        await ping()
        let (nudges, nudger) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        let result = await withTaskGroup(of: Outcome.self) { group in
            group.addTask { .ended(await self.run(plan, callback) { nudger.yield() }) }
            group.addTask {
                await self.means.untilToldToEnd()
                return .told
            }
            group.addTask {
                await self.nudge(nudger)
                return .other
            }
            group.addTask {
                await self.ping(on: nudges)
                return .other
            }
            var result = Result<ScheduleEnd, any Error>.success(.stopped)
            for await outcome in group {
                switch outcome {
                case .ended(let end):
                    result = end
                    group.cancelAll()
                case .told:
                    log.info("The process is told to end.")
                    group.cancelAll()
                case .other: break
                }
            }
            return result
        }
        await leave(result)
        return try result.get()
    }

    private func run(
        _ plan: RunPlan, _ callback: @Sendable () async throws -> Void, _ nudge: () -> Void
    ) async -> Result<ScheduleEnd, any Error> {
        var plan = plan
        while true {
            let step = plan.next(at: means.time.now)
            if case .end(let end) = step { return .success(end) }
            if Task.isCancelled { return .success(.stopped) }
            switch step {
            case .look:
                let (isAfterRun, wasBuffering) = (plan.phase == .looked, plan.report.isBuffering)
                plan.looked(await look(), at: means.time.now, wall: means.time.wall, random: means.random)
                memory.withLock { $0.report = plan.report }
                tell(plan.report, wasBuffering: wasBuffering)
                if isAfterRun || plan.report.isBuffering != wasBuffering { nudge() }
            case .run:
                do {
                    try await runOnce(callback)
                    plan.succeeded(at: means.time.now, wall: means.time.wall)
                } catch {
                    if Task.isCancelled { return .success(.stopped) }
                    let pause = plan.failed(at: means.time.now, wall: means.time.wall, random: means.random)
                    log.error(
                        "A run failed.",
                        [
                            "reason": .string("\(error)"),
                            "again_after_seconds": pause.map { .integer(Int64($0.inSeconds)) } ?? .null,
                        ])
                    await closeWorks("The run failed: \("\(error)".clipped(to: 400))", inError: true)
                    if pause == nil { return .failure(error) }
                }
                memory.withLock { $0.report = plan.report }
                if case .waiting = plan.phase { nudge() }
            case .wait(let moment):
                guard (try? await means.time.sleep(until: moment)) != nil else { return .success(.stopped) }
            case .end: break
            }
        }
    }

    private func runOnce(_ callback: @Sendable () async throws -> Void) async throws {
        memory.withLock { $0.runBegins() }
        defer { memory.withLock { $0.runEnds() } }
        log.info("A run begins.")
        try await callback()
        await closeWorks("The run has ended.", inError: false)
        log.info("A run has ended.")
    }

    /// - Returns: bytes in the queue; `nil` when that cannot be told.
    private func look() async -> Int64? {
        do throws(PlatformFailure) {
            return try await platform.queueSize(configuration.id)
        } catch {
            log.warning(
                "How full the queue is cannot be told; it counts as full.", ["reason": .string(error.description)])
            return nil
        }
    }

    private func tell(_ report: ConnectorReport, wasBuffering: Bool) {
        let attributes: JSONObject = [
            "queue_messages_size": .real(report.queueSize), "queue_threshold": .real(report.queueThreshold),
        ]
        log.debug("The queue was looked at.", attributes)
        guard report.isBuffering != wasBuffering else { return }
        log.info(
            report.isBuffering ? "Runs are put off until there is room in the queue." : "There is room in the queue.",
            attributes)
    }

    /// The last words: what is open is closed, and the platform has the state. Briefly, since whoever ends us waits.
    private func leave(_ result: Result<ScheduleEnd, any Error>) async {
        await closeWorks("The connector was stopped.", inError: true, limit: .seconds(5))
        await ping(limit: .seconds(5))
        log.info("The connector ends.", ["end": .string((try? result.get()).map { "\($0)" } ?? "failed")])
    }
}
