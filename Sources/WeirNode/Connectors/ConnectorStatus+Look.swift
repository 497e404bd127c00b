import Foundation
import WeirConnectors
import WeirGates
import WeirWorld

extension ConnectorStatus {
    /// Without a ping for so long an outside process counts as gone: seven pings. Source: OpenCTI, 5 minutes.
    static let silentAfter = Duration.seconds(300)
    /// How late a run may be before it is said: three pings.
    static let lateAfter = Duration.seconds(120)
    /// An open work that nothing was pushed to or delivered of for so long is said to be stuck.
    static let stuckAfter = Duration.seconds(24 * 3600)

    init(_ look: ConnectorLook, at now: WallTime) {
        let record = look.record
        let report = record.report
        id = record.id
        name = record.registration.name
        origin = record.registration.origin
        type = record.registration.type
        registeredAt = record.registeredAt
        lastPing = record.lastPing
        state = record.state
        queueBytes = look.level?.bytes
        queueBundles = look.level?.messages
        threshold = look.marks.threshold.amount
        hardLimit = look.marks.hardLimit.amount
        isPaused = look.pausedBy != nil
        openWorks = look.openWorks.map(WorkStatus.init)
        guard origin == "opencti" else { return }
        if let report, report.isTold { threshold = ConnectorGate.Marks.bytes(megabytes: report.queueThreshold) }
        // It compares with our count; what it says itself comes with its next ping, up to 40 s later.
        isBuffering = report?.isBuffering == true || isFull
        if let last = report?.lastRun {
            lastRun = .at(last)
        } else if let last = Self.lastRun(inState: record.state) {
            lastRun = .fromState(last)
        }
        if report?.isRunAndTerminate == true {
            nextRun = .externalSchedule
        } else if let next = report?.nextRun {
            nextRun = .at(next)
        }
        activity = isPaused ? "paused" : isBuffering ? "buffering" : activity
        troubles = Self.troubles(of: self, unmeasured: look.unmeasured, at: now)
    }

    /// Of one that Weir runs itself: what its schedule says.
    /// - Parameter schedule: `nil` for one that is configured no more.
    mutating func follow(_ schedule: ScheduleStatus?, failure: Reason?, at clock: ClockReading) {
        guard let schedule else {
            activity = "ended"
            troubles.append(
                Reason(
                    "not_configured",
                    "It is in the configuration no more: nothing starts it. What it has pushed is still delivered."))
            return
        }
        isRunning = schedule.isRunning
        canRunNow = !isPaused
        failures = schedule.failures
        isBuffering = schedule.state == .buffering
        activity = isPaused ? "paused" : schedule.state.rawValue
        if isPaused && isRunning {
            activityDetail = "A run is under way: what it pushes waits, and it comes to its end when it is resumed."
        }
        lastRun = schedule.lastRun.map(LastRun.at) ?? .notProvided
        if schedule.isRunAndTerminate {
            nextRun = .externalSchedule
        } else {
            nextRun = schedule.nextRun.map(NextRun.at) ?? .notProvided
            if isRunning, case .at(let due) = nextRun, due <= clock.wall { nextRun = .afterThisRun }
        }
        if let failure, schedule.failures > 0 {
            if schedule.state == .waiting {
                activity = "failed"
                if let retry = schedule.retryAt { nextRun = .at(clock.wall + (retry - clock.now)) }
            }
            troubles.append(failure)
        }
        if let postponement = schedule.postponement { troubles.append(postponement.reason) }
    }

    private struct OwnState: Decodable {
        var lastRun: Double

        enum CodingKeys: String, CodingKey { case lastRun = "last_run" }
    }

    /// Many connectors keep `last_run` there, in seconds since 1970.
    private static func lastRun(inState state: String?) -> WallTime? {
        guard let state, let own = try? JSONDecoder().decode(OwnState.self, from: Data(state.utf8)),
            own.lastRun > 0, own.lastRun < 4_102_444_800
        else { return nil }
        return WallTime(nanoseconds: Int64(own.lastRun * 1e9))
    }

    private static func troubles(of status: ConnectorStatus, unmeasured: Reason?, at now: WallTime) -> [Reason] {
        var troubles: [Reason] = []
        if status.queueBytes == nil {
            troubles.append(
                unmeasured
                    ?? Reason(
                        "queue_unreadable",
                        "Its work queue cannot be read, so it counts as full and nothing starts."))
        }
        let isScheduled = status.nextRun != .externalSchedule
        let silence = now - (status.lastPing ?? status.registeredAt)
        let isSilent = isScheduled && silence > silentAfter
        if isSilent {
            troubles.append(
                Reason(
                    "stale_ping",
                    "Its process has not pinged since \(status.lastPing ?? status.registeredAt): it has ended, hangs, "
                        + "or cannot reach Weir. What is below is what it said last."))
        }
        // In a run, and for long ones long after, the next run that was told is in the past.
        let isInRun = status.openWorks.contains { $0.processedAt == nil && now - $0.startedAt < stuckAfter }
        if !isSilent, !isInRun, case .at(let next) = status.nextRun, now - next > lateAfter, !status.isBuffering {
            troubles.append(
                Reason(
                    "run_overdue",
                    "Its next run was due at \(next) and has not begun, although its process pings: its clock is "
                        + "wrong, or it hangs."))
        }
        let stuck = status.openWorks.filter { now - $0.startedAt > stuckAfter && $0.processedAt == nil }
        if !stuck.isEmpty {
            troubles.append(
                Reason(
                    "works_never_closed",
                    "\(stuck.count) works are older than a day and were never closed by it: it was stopped in a run, "
                        + "or it does not close its works."))
        }
        return troubles
    }
}

extension WorkStatus {
    init(_ work: Work) {
        id = work.id
        name = work.name
        status = work.status.rawValue
        startedAt = work.startedAt
        completedAt = work.completedAt
        processedAt = work.processedAt
        expected = work.expected
        pushed = work.pushed
        delivered = work.delivered
        failed = work.failed
        isInError = work.isInError || !work.errors.isEmpty
        messages = work.messages.map { Note(at: $0.time, text: $0.text) }
        errors = work.errors.map { Note(at: $0.time, text: $0.text) }
    }
}

extension ConnectorReport {
    /// False for what pycti sends before its scheduler knows anything: its defaults, not what the connector was told.
    fileprivate var isTold: Bool { self != Self.untold }

    private static let untold = ConnectorReport()
}
