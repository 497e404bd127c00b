import WeirWorld

/// What a finished run leaves behind. It is written in the same record as the run's last bundle, so that a crash
/// neither loses nor repeats a finished run, nor leaves its work open.
package struct RunEnd: Sendable, Hashable, Codable {
    /// The connector's own text from now on; `nil` leaves it as it is.
    package var state: String?
    /// What is remembered of the schedule from now on.
    package var schedule: ScheduleMemory
    /// The work of the run, which is processed with its end; `nil` for a run that brought nothing.
    package var work: WorkID?
    /// What is said of the work.
    package var message: String?

    package init(state: String? = nil, schedule: ScheduleMemory, work: WorkID? = nil, message: String? = nil) {
        self.state = state
        self.schedule = schedule
        self.work = work
        self.message = message
    }
}
