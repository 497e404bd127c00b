package import WeirWorld

/// What a finished run leaves behind. It is written in the same record as the run's last bundle, so that a crash
/// neither loses nor repeats a finished run.
package struct RunEnd: Sendable, Hashable, Codable {
    /// The connector's own text from now on; `nil` leaves it as it is.
    package var state: String?
    package var lastRun: WallTime?
    package var nextRun: WallTime?

    package init(state: String? = nil, lastRun: WallTime? = nil, nextRun: WallTime? = nil) {
        self.state = state
        self.lastRun = lastRun
        self.nextRun = nextRun
    }
}
