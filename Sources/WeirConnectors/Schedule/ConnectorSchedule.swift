package import WeirGates
import WeirWorld

/// When a connector runs and what may put its runs off.
package struct ConnectorSchedule: Sendable, Hashable {
    package enum Timing: Sendable, Hashable, CustomStringConvertible {
        /// Once; something outside decides about the next run.
        case runAndTerminate
        /// A period after the end of the last run, as OpenCTI's connectors do.
        case fixedDelay(Period)
        /// A period after the time the last run was due.
        case fixedRate(Period)
        /// By the calendar.
        case cron(CronExpression)

        package var description: String {
            switch self {
            case .runAndTerminate: "run and terminate"
            case .fixedDelay(let period): "\(period) after each run"
            case .fixedRate(let period): "every \(period)"
            case .cron(let cron): "\(cron)"
            }
        }
    }

    /// What becomes of runs by `fixedRate` and `cron` whose time passed while the connector ran, was paused or Weir was
    /// down. (A postponed run is not missed: it happens, once, when there is room.)
    package enum MissedRuns: String, Sendable, Hashable, CaseIterable {
        /// Nothing: the next time counts.
        case skip
        /// One run at once for all of them.
        case once
        /// One run for each, one after the other; of very many the newest `missedMost`.
        case all
    }

    package enum Release: String, Sendable, Hashable, CaseIterable {
        /// A postponed run starts as soon as the level is below the threshold.
        case early
        /// It is tried again a whole period later, as OpenCTI's connectors do.
        case period
    }

    package static let missedMost = 100

    package var timing: Timing
    package var missed = MissedRuns.once
    /// Each run starts up to this much after its time, by chance.
    package var jitter = Duration.zero
    package var release = Release.early
    /// Bytes waiting in the connector's queue from which on (>=) runs are postponed; `nil` for a connector that is not
    /// gated. 500 MB unless set. Source: seeds/1, `queue_threshold`.
    package var threshold: ByteCount? = .megabytes(500)
    /// Whether the very first run of a connector must pass the gate too. Runs after a restart always must.
    package var gatesFirstRun = true
    /// Before a failed run is tried again: this long, doubling up to `retryMost`, and never longer than to the next
    /// regular run.
    package var retryFirst = Duration.seconds(10)
    package var retryMost = Duration.minutes(15)

    package init(_ timing: Timing) { self.timing = timing }

    package init(period: Period) {
        timing = period.isRunAndTerminate ? .runAndTerminate : .fixedDelay(period)
    }
}

// When the next run is due. All of these are pure: the same answers go into the record that ends a run and into the
// scheduler.
extension ConnectorSchedule {
    /// A time that ran already is not run again where the calendar was set back by up to this much; beyond it, the
    /// calendar was wrong before, and counts anew. Source: Vixie cron.
    static let adjustmentMost = Duration.hours(3)

    /// Whether a run that was due at a time ahead of the calendar has happened, before the calendar was set back.
    static func hasRun(_ lastDue: WallTime?, at wall: WallTime) -> Bool {
        guard let lastDue else { return false }
        return lastDue > wall && lastDue - wall <= adjustmentMost
    }

    /// The first run of a connector that never ran: at once, but by the calendar where there is one.
    func firstRun(at wall: WallTime) -> WallTime? {
        if case .cron(let cron) = timing { return cron.next(after: wall) }
        return wall
    }

    /// The run after one that was due at `due` and ended well at `wall`.
    func nextRun(after due: WallTime, endedAt wall: WallTime) -> WallTime? {
        switch timing {
        case .runAndTerminate: return nil
        case .fixedDelay(let period): return wall + period.duration
        case .fixedRate(let period):
            // Where the calendar was set back further meanwhile, it counts anew.
            let next = (due - wall > period.duration ? wall : due) + period.duration
            return next > wall ? next : missedRun(next, at: wall)
        case .cron(let cron):
            let isAhead = Self.hasRun(due, at: wall)
            let next = cron.next(after: isAhead ? due : min(due, wall))
            return next.flatMap { $0 > wall ? $0 : missedRun($0, at: wall) }
        }
    }

    /// A run that was due at `due` and did not start while Weir was down or the connector paused; or is still to come.
    /// - Parameter lastDue: when the last run that ended well was due.
    func resumedRun(_ due: WallTime, lastDue: WallTime?, at wall: WallTime) -> WallTime? {
        switch timing {
        case .runAndTerminate: return due
        case .fixedDelay(let period): return min(due, wall + period.duration)
        case .fixedRate(let period):
            return due > wall ? min(due, wall + period.duration) : missedRun(due, at: wall)
        case .cron(let cron):
            if due <= wall { return missedRun(due, at: wall) }
            return cron.next(after: Self.hasRun(lastDue, at: wall) ? lastDue ?? wall : wall)
        }
    }

    /// The run after one that was postponed at `wall`, where it is not released early.
    func retriedRun(at wall: WallTime) -> WallTime? {
        switch timing {
        case .runAndTerminate: nil
        case .fixedDelay(let period), .fixedRate(let period): wall + period.duration
        case .cron(let cron): cron.next(after: wall)
        }
    }

    /// `due` and perhaps others after it have passed.
    private func missedRun(_ due: WallTime, at wall: WallTime) -> WallTime? {
        switch timing {
        case .runAndTerminate, .fixedDelay: return due
        case .fixedRate(let period):
            let length = period.duration.nanoseconds
            let latest = wall.nanoseconds - (wall.nanoseconds - due.nanoseconds) % length
            switch missed {
            case .skip: return WallTime(nanoseconds: latest + length)
            case .once: return WallTime(nanoseconds: latest)
            case .all:
                let count = min((latest - due.nanoseconds) / length, Int64(Self.missedMost) - 1)
                return WallTime(nanoseconds: latest - count * length)
            }
        case .cron(let cron):
            switch missed {
            case .skip: return cron.next(after: wall)
            case .once: return wall
            case .all:
                var time = due
                for _ in 1..<Self.missedMost {
                    guard let next = cron.next(after: time), next <= wall else { return due }
                    time = next
                }
                // More than can be made up: the newest, which are at least a minute apart.
                return max(due, wall + .minutes(1 - Self.missedMost))
            }
        }
    }
}
