package import WeirWorld

/// Both clocks, read together: schedules go by `wall`, waits by `now`.
package struct ClockReading: Sendable, Hashable {
    package var now: Moment
    package var wall: WallTime

    package init(now: Moment, wall: WallTime) {
        self.now = now
        self.wall = wall
    }

    /// How far the calendar is ahead of the monotonic clock; changes only when the calendar is set or slewed.
    var lead: Duration { .nanoseconds(wall.nanoseconds &- now.nanoseconds) }
}

extension TimeSource {
    package var reading: ClockReading { ClockReading(now: now, wall: wall) }
}
