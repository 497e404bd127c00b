import Glibc

/// The machine's clocks.
package struct LiveTime: TimeSource {
    package init() {}

    package var now: Moment { Moment(nanoseconds: read(CLOCK_MONOTONIC)) }
    package var wall: WallTime { WallTime(nanoseconds: read(CLOCK_REALTIME)) }

    package func sleep(until moment: Moment) async throws {
        // In steps of at most a day, so that a far deadline does not overflow the runtime's own arithmetic.
        while true {
            let rest = moment - now
            if moment != .distantFuture, rest <= .zero {
                try Task.checkCancellation()
                return
            }
            try await Task.sleep(for: moment == .distantFuture ? .seconds(86_400) : min(rest, .seconds(86_400)))
        }
    }

    /// Stops the calling thread. For a thread of one's own that may leave its work alone; never within a task, whose
    /// thread is also that of others.
    package static func pauseThread(for duration: Duration) {
        var rest = timespec()
        rest.tv_sec = Int(duration.nanoseconds / 1_000_000_000)
        rest.tv_nsec = Int(duration.nanoseconds % 1_000_000_000)
        nanosleep(&rest, nil)
    }

    private func read(_ clock: clockid_t) -> Int64 {
        var time = timespec()
        clock_gettime(clock, &time)
        return Int64(time.tv_sec) &* 1_000_000_000 &+ Int64(time.tv_nsec)
    }
}
