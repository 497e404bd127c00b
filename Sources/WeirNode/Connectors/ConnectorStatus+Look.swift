import Foundation
import WeirConnectors
import WeirGates
import WeirWorld

extension ConnectorStatus {
    init(_ look: ConnectorLook) {
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
        gateState = look.gate
        isPaused = look.pausedBy != nil
        deadLetters = look.deadLetters
        openWorks = look.openWorks.map(WorkStatus.init)
        guard origin == "opencti" else { return }
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
    }

    /// Of one that Weir runs itself: what its schedule says.
    /// - Parameter schedule: `nil` for one that is configured no more.
    mutating func follow(_ schedule: ScheduleStatus?, at clock: ClockReading) {
        guard let schedule else {
            activity = "ended"
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
        if schedule.failures > 0, schedule.state == .waiting, !isPaused {
            activity = "failed"
            if let retry = schedule.retryAt { nextRun = .at(clock.wall + (retry - clock.now)) }
        }
    }

    private struct OwnState: Decodable {
        var lastRun: Double

        enum CodingKeys: String, CodingKey { case lastRun = "last_run" }
    }

    /// Many connectors keep `last_run` there, in seconds since 1970. A state of over a megabyte is not searched: that
    /// happens for every row that is shown.
    private static func lastRun(inState state: String?) -> WallTime? {
        // Most have none, and reading JSON takes its time.
        guard let state, state.utf8.count <= 1 << 20, state.contains(#""last_run""#),
            let own = try? JSONDecoder().decode(OwnState.self, from: Data(state.utf8)), own.lastRun > 0,
            own.lastRun < 4_102_444_800
        else { return nil }
        return WallTime(nanoseconds: Int64(own.lastRun * 1e9))
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
        movedAt = work.movedAt
        expected = work.expected
        pushed = work.pushed
        delivered = work.delivered
        failed = work.failed
        isInError = work.isInError || !work.errors.isEmpty
        messages = work.messages.map { Note(at: $0.time, text: $0.text) }
        errors = work.errors.map { Note(at: $0.time, text: $0.text) }
    }
}
