package import WeirWorld

/// What is shown of one connector's schedule.
package struct ScheduleStatus: Sendable, Hashable {
    package enum State: String, Sendable, Hashable {
        /// Waits for its next run. Can become: `running`, `buffering`, `paused`.
        case waiting
        /// Can become: `waiting`, `paused`, `ended`.
        case running
        /// Its run is postponed until there is room. Can become: `running`, `paused`.
        case buffering
        /// A person did it. Can become: `waiting`, and `running` when a person says "run now".
        case paused
        /// Ran and terminated. Can become: `running`, when a person says so or Weir starts again.
        case ended
    }

    package var state: State
    /// A person holds it; a run that was under way is let come to its end, and `state` says so until then.
    package var isPaused: Bool
    package var isRunAndTerminate: Bool
    package var lastRun: WallTime?
    package var nextRun: WallTime?
    package var postponement: Postponement?
    /// Runs that failed since the last one that did not.
    package var failures: Int
    /// When the failed run is tried again, or the postponed one looked at.
    package var retryAt: Moment?

    package var isRunning: Bool { state == .running }
}
