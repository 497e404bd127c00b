package import WeirGates
package import WeirWorld

/// What is wrong with one connector, told from what is seen of it and not from what it says: a ping proves that a
/// process lives, not that data flows. Nothing here ever says "healthy".
///
/// | trouble | seen by |
/// | --- | --- |
/// | `stale_ping` | no ping for seven of its periods |
/// | `run_overdue` | the next run was due two minutes ago and none is under way |
/// | `hung_publisher` | a push is open, or a work is begun, and nothing moves although no gate holds it |
/// | `hung_run` | the same of a run that Weir has started |
/// | `source_silent` | runs end well and bring nothing where they used to bring something |
/// | `works_never_closed` | works whose run is long over are still open |
/// | `works_leaking` | more bundles were announced than came |
/// | `dead_letters` | bundles that could not be unpacked |
/// | `queue_unreadable`, `not_configured`, and the reason of a failed or postponed run | |
package struct ConnectorHealth: Sendable {
    /// Without a ping for so long a process counts as gone: seven pings. Source: OpenCTI, 5 minutes.
    package static let silentAfter = Duration.seconds(300)
    /// How late a run may be before it is said: three pings.
    package static let lateAfter = Duration.seconds(120)
    /// A work that was begun and of which nothing came or moved for so long.
    package static let hungAfter = Duration.hours(1)
    /// An open push of which no byte came for so long.
    package static let pushHungAfter = Duration.minutes(10)
    /// Bundles that were announced come at once; a work waits so long for them before it is said to leak.
    package static let leakAfter = Duration.minutes(10)
    /// Works are closed within so long.
    package static let closedAfter = Duration.hours(24)

    package var look: ConnectorLook
    /// Of one that Weir runs itself; `nil` when it is configured no more.
    package var schedule: ScheduleStatus?
    /// When its run under way began, where Weir has started it.
    package var runningSince: WallTime?
    /// Why its last run failed.
    package var failure: Reason?

    package init(_ look: ConnectorLook) { self.look = look }

    private var isOutside: Bool { look.record.registration.origin == "opencti" }

    private struct Check: Sendable {
        /// What a process that is gone should have done needs no word besides that it is gone.
        var isOfLife = false
        let find: @Sendable (ConnectorHealth, WallTime) -> Trouble?

        init(ofLife isOfLife: Bool = false, _ find: @escaping @Sendable (ConnectorHealth, WallTime) -> Trouble?) {
            self.isOfLife = isOfLife
            self.find = find
        }
    }

    /// The most urgent first.
    private static let checks = [
        Check { health, _ in health.unreadable }, Check { health, _ in health.notConfigured },
        Check { health, _ in health.failed }, Check { $0.silence(at: $1) }, Check { health, _ in health.postponed },
        Check(ofLife: true) { $0.overdue(at: $1) }, Check(ofLife: true) { $0.hungPush(at: $1) },
        Check(ofLife: true) { $0.hungWork(at: $1) }, Check(ofLife: true) { $0.hungRun(at: $1) },
        Check { $0.silentSource(at: $1) }, Check { $0.neverClosed(at: $1) }, Check { $0.leaking(at: $1) },
        Check { health, _ in health.buried },
    ]

    /// The most urgent first.
    package func troubles(at now: WallTime) -> [Trouble] {
        let isSilent = isSilent(at: now)
        return Self.checks.compactMap { $0.isOfLife && isSilent ? nil : $0.find(self, now) }
    }

    private var unreadable: Trouble? {
        guard look.level == nil else { return nil }
        if let unmeasured = look.unmeasured {
            return Trouble(unmeasured, advice: "Look whether the broker and its management API answer.")
        }
        return Trouble(
            "queue_unreadable", "Its work queue cannot be read, so it counts as full and nothing starts.",
            advice: "The log says why; mostly the disk or the rights of its directory.")
    }

    // MARK: Runs

    private var notConfigured: Trouble? {
        guard !isOutside, schedule == nil else { return nil }
        return Trouble(
            "not_configured",
            "It is in the configuration no more: nothing starts it. What it has pushed is still delivered.",
            advice: "Put it back into `connectors`, or leave it.")
    }

    private var failed: Trouble? {
        guard let failure, let schedule, schedule.failures > 0 else { return nil }
        return Trouble(
            failure, since: look.record.report?.lastRun,
            advice: "It is tried again by itself, with longer and longer pauses; `weir connector run` tries now.")
    }

    private var postponed: Trouble? {
        guard let postponement = schedule?.postponement else { return nil }
        return Trouble(
            postponement.reason, since: postponement.since,
            advice: "It starts when there is room again; `weir why` says who is slow.")
    }

    private var lastSign: WallTime { look.record.lastPing ?? look.record.registeredAt }

    private func isSilent(at now: WallTime) -> Bool {
        isOutside && look.record.report?.isRunAndTerminate != true && now - lastSign > Self.silentAfter
    }

    private func silence(at now: WallTime) -> Trouble? {
        guard isSilent(at: now) else { return nil }
        let last = lastSign
        return Trouble(
            "stale_ping",
            "Its process has not pinged since \(last): it has ended, hangs, or cannot reach Weir. What is shown of its "
                + "runs is what it said then.",
            since: last, advice: "Look whether its process runs, and into its log; start it again.")
    }

    private func overdue(at now: WallTime) -> Trouble? {
        if isOutside {
            guard let report = look.record.report, !report.isRunAndTerminate, !report.isBuffering,
                let next = report.nextRun, now - next > Self.lateAfter, look.pausedBy == nil, !isFull,
                // In a run, and for long ones long after, the next run that was told is in the past.
                !look.openWorks.contains(where: { $0.processedAt == nil && now - $0.startedAt < Self.closedAfter })
            else { return nil }
            return Trouble(
                "run_overdue",
                "Its next run was due at \(next) and has brought nothing yet, although its process pings: it takes "
                    + "long to begin, its clock is wrong, or it hangs.",
                since: next, advice: "Look into its log; start it again when it does nothing.")
        }
        guard let schedule, schedule.state == .waiting, let next = schedule.nextRun, now - next > Self.lateAfter,
            schedule.failures == 0
        else { return nil }
        return Trouble(
            "run_overdue",
            "Its next run was due at \(next) and has not begun: very many runs go on at the same time, or the machine "
                + "does not keep up.",
            since: next, advice: "Spread the schedules (`jitter`), or give the machine less to do.")
    }

    private var isFull: Bool { look.level.map { $0.bytes >= look.marks.threshold.amount } ?? true }

    // MARK: What does not move

    /// Who waits at a gate does not hang: the gate says so itself.
    private var isHeld: Bool { look.pausedBy != nil || look.level == nil || look.pushesWaiting > 0 || look.isBlocked }

    private func hungPush(at now: WallTime) -> Trouble? {
        guard look.bytesUnderWay > 0, !isHeld, let moved = look.movedAt, now - moved > Self.pushHungAfter else {
            return nil
        }
        return Trouble(
            "hung_publisher",
            "A push is open, and no byte of it has come since \(moved): its sender hangs, or the connection to it is "
                + "gone.",
            since: moved, advice: "Start its process again; what was pushed half is thrown away and sent anew.")
    }

    private func hungWork(at now: WallTime) -> Trouble? {
        guard isOutside, !isHeld, look.level?.messages == 0,
            let work = look.openWorks.filter({ $0.processedAt == nil }).max(by: { $0.startedAt < $1.startedAt }),
            !isOver(work, at: now)
        else { return nil }
        let moved = max(work.movedAt ?? work.startedAt, work.startedAt)
        guard now - moved > Self.hungAfter else { return nil }
        let what = work.pushed == 0 ? "nothing of it has come" : "nothing more of it has come"
        return Trouble(
            "hung_publisher",
            "The work \(work.name.clipped(to: 100)) was begun at \(work.startedAt), and \(what) since \(moved): its "
                + "process waits for its source, or hangs. That it pings says only that it lives.",
            since: moved, advice: "Look into its log; start it again when it does nothing.")
    }

    private func hungRun(at now: WallTime) -> Trouble? {
        guard let runningSince, schedule?.isRunning == true, !isHeld, look.level?.messages == 0 else { return nil }
        let moved = max(look.movedAt ?? runningSince, runningSince)
        guard now - moved > Self.hungAfter else { return nil }
        return Trouble(
            "hung_run",
            "Its run goes on since \(runningSince), and nothing has come since \(moved): its source sends nothing, or "
                + "its program hangs.",
            since: moved, advice: "`weir connector terminate` ends the run; a `timeout` does it by itself.")
    }

    private func silentSource(at now: WallTime) -> Trouble? {
        let runs = look.runs
        guard runs.isSilent(at: now) else { return nil }
        guard let brought = runs.lastBrought else {
            return Trouble(
                "source_silent",
                "\(runs.empty) runs have ended well and none has ever brought anything.",
                since: runs.emptySince,
                advice: "Look whether its source answers and its settings choose anything; its log may say more.")
        }
        return Trouble(
            "source_silent",
            "Its last run moves, but the last \(runs.empty) runs brought nothing, longer than ever before: its source "
                + "may be down, or answer with nothing. The last that brought something ended at \(brought).",
            since: runs.emptySince,
            advice: "Look whether its source answers; many connectors take an error for an empty answer.")
    }

    // MARK: Works

    /// The run that began the work is over by all that is known, and the work is not closed.
    private func isOver(_ work: Work, at now: WallTime) -> Bool {
        if now - work.startedAt > Self.closedAfter { return true }
        guard isOutside, let lastRun = look.record.report?.lastRun else { return false }
        return lastRun > work.startedAt && now - lastRun > Self.hungAfter
    }

    private func neverClosed(at now: WallTime) -> Trouble? {
        let works = look.openWorks.filter { $0.processedAt == nil && isOver($0, at: now) }
        guard let oldest = works.map(\.startedAt).min() else { return nil }
        return Trouble(
            "works_never_closed",
            "\(Self.count(works, "work")) that it has begun, the oldest at \(oldest), it never closed although the run "
                + "is over: it was stopped in the middle, or it does not close its works. They never become complete.",
            since: oldest, advice: "What they pushed is delivered all the same; nothing is lost with deleting them.")
    }

    private func leaking(at now: WallTime) -> Trouble? {
        let works = look.openWorks.filter { work in
            // All that came was dealt with, and more was announced.
            work.expected > work.pushed && !work.isPending && !isHeld
                && (work.processedAt != nil || isOver(work, at: now))
                && now - max(work.movedAt ?? work.startedAt, work.processedAt ?? work.startedAt) > Self.leakAfter
        }
        guard let oldest = works.map(\.startedAt).min() else { return nil }
        let missing = works.reduce(0) { $0 + $1.expected - $1.pushed }
        return Trouble(
            "works_leaking",
            "\(Self.count(works, "work")) announced \(missing) bundles more than came, the oldest at \(oldest): its "
                + "process ended, or gave up, between announcing and pushing. They never become complete.",
            since: oldest, advice: "Its next run sends again what was not sent, if it keeps its state; look at its log."
        )
    }

    private var buried: Trouble? {
        guard look.deadLetters > 0 else { return nil }
        return Trouble(
            "dead_letters",
            "\(look.deadLetters) of its bundles could not be unpacked; they are kept as dead letters.",
            advice: "`weir connector dead-letters` shows them and why; send them again or discard them.")
    }

    private static func count(_ works: [Work], _ noun: String) -> String {
        works.count == 1 ? "1 \(noun)" : "\(works.count) \(noun)s"
    }
}
