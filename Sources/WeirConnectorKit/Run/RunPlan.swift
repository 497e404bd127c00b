internal import WeirGates
internal import WeirWorld

/// How a schedule ended.
public enum ScheduleEnd: Sendable, Hashable {
    /// Run and terminate: its one run is done.
    case ranOnce
    /// Run and terminate: the queue was full, so that there was no run. Whoever starts the connector starts it again.
    case postponed
    /// The process was told to end.
    case stopped
}

/// When a connector runs. It decides and does nothing: it is told what happened and the time, and says what is next.
///
/// - Before a run the queue is looked at; at the threshold or over it the run is put off (`buffering`). A size that is
///   not known counts as full. The first run of a process is exempt, unless it is gated; run and terminate is not.
/// - A run that was put off begins when there is room: the queue is looked at again and again, at the latest after a
///   period. (pycti waits a whole period.) Waits have jitter, so that many connectors do not begin at once.
/// - From the end of a run to the next is a period. A failed run moves no `last run`; it is tried again with growing
///   waits, at the latest after a period.
struct RunPlan: Sendable {
    enum Step: Sendable, Hashable {
        /// Ask how full the queue is.
        case look
        case run
        case wait(until: Moment)
        case end(ScheduleEnd)
    }

    enum Phase: Sendable, Hashable {
        case start, looking, running, looked
        case waiting(until: Moment)
        case ended(ScheduleEnd)
    }

    /// Between two looks at a queue that was full: 10 s at most. Source: ours; a look is one short query.
    static let lookAgain = Duration.seconds(10)
    /// The first wait after a failed run; it doubles, and never becomes longer than a period.
    static let retryFirst = Duration.seconds(10)

    private let period: Period
    private let isOnce: Bool
    private let gatesFirst: Bool
    private let threshold: QueueThreshold
    private var backoff: Backoff
    private(set) var phase = Phase.start
    private(set) var report: ConnectorReport

    init(period: Period, threshold: QueueThreshold, runsOnce: Bool = false, gatesFirst: Bool = false) {
        self.period = period
        self.threshold = threshold
        self.gatesFirst = gatesFirst
        isOnce = runsOnce || period.isRunAndTerminate
        backoff = Backoff(first: RunPlan.retryFirst, most: max(period.duration, .seconds(1)), stable: .zero)
        report = ConnectorReport(threshold: threshold)
        report.isRunAndTerminate = isOnce
    }

    /// What to do now.
    mutating func next(at now: Moment) -> Step {
        switch phase {
        case .start:
            phase = isOnce || gatesFirst ? .looking : .running
            return next(at: now)
        case .looking, .looked: return .look
        case .running: return .run
        case .waiting(let moment):
            guard now >= moment else { return .wait(until: moment) }
            phase = .looking
            return .look
        case .ended(let end): return .end(end)
        }
    }

    /// The queue was looked at.
    /// - Parameter bytes: `nil` when it could not be told.
    mutating func looked(_ bytes: Int64?, at now: Moment, wall: WallTime, random: any RandomSource) {
        if let bytes { report.queueSize = Double(bytes) / 1e6 }
        report.isBuffering = bytes.map { $0 >= threshold.bytes.bytes } ?? true
        switch phase {
        case .looked: wait(period.duration, at: now, wall: wall)
        case .looking where !report.isBuffering: phase = .running
        case .looking where isOnce: phase = .ended(.postponed)
        case .looking:
            let pause = min(period.duration, RunPlan.lookAgain)
            wait(pause * (0.5 + 0.5 * random.fraction()), at: now, wall: wall)
        case .start, .running, .waiting, .ended: break
        }
    }

    /// A run ended well. The queue is looked at once more, so that the next ping tells what the run brought.
    mutating func succeeded(at now: Moment, wall: WallTime) {
        guard phase == .running else { return }
        report.lastRun = wall
        // Twice: with nothing to wait for in between, that forgets all failures.
        backoff.succeeded(at: now)
        backoff.succeeded(at: now)
        phase = isOnce ? .ended(.ranOnce) : .looked
    }

    /// A run failed.
    /// - Returns: how long until the next; `nil` when there will be none.
    mutating func failed(at now: Moment, wall: WallTime, random: any RandomSource) -> Duration? {
        guard phase == .running, !isOnce else { return nil }
        let pause = backoff.failed(at: now, random: random)
        wait(pause, at: now, wall: wall)
        return pause
    }

    private mutating func wait(_ duration: Duration, at now: Moment, wall: WallTime) {
        phase = .waiting(until: now + duration)
        report.nextRun = wall + duration
    }
}
