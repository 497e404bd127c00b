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

    private func read(_ clock: clockid_t) -> Int64 {
        var time = timespec()
        clock_gettime(clock, &time)
        return Int64(time.tv_sec) &* 1_000_000_000 &+ Int64(time.tv_nsec)
    }
}
