package import WeirWorld

/// What is kept of a connector's schedule across restarts. It is committed with the record that ends a run, so that a
/// crash neither loses nor repeats a finished run.
package struct ScheduleMemory: Sendable, Hashable, Codable {
    /// When the last run that ended well ended.
    package var lastRun: WallTime?
    /// When that run was due.
    package var lastDue: WallTime?
    /// When the next run is due.
    package var nextRun: WallTime?
    /// Whether a run was ever begun: the first one may be exempt from the gate, one after a crash is not.
    package var hasBegun = false
    /// When the run was due that was put off and has not ended well since: it happens, also after a restart, whatever
    /// becomes of missed runs.
    package var postponedDue: WallTime?
    /// The timing that `nextRun` was computed with; another one computes it again.
    package var timing: String?

    package init() {}

    /// Without what cannot have been written by a working clock: whatever a file says, arithmetic with it is safe.
    var checked: ScheduleMemory {
        var memory = self
        let range = WallTime(nanoseconds: 0)...CivilDate.wall(year: 2200, month: 1, day: 1)
        if let time = lastRun, !range.contains(time) { memory.lastRun = nil }
        if let time = lastDue, !range.contains(time) { memory.lastDue = nil }
        if let time = nextRun, !range.contains(time) { memory.nextRun = nil }
        if let time = postponedDue, !range.contains(time) { memory.postponedDue = nil }
        return memory
    }
}
