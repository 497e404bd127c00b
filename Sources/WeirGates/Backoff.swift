package import WeirWorld

/// How long to wait before the next attempt: doubling from `first` to `most`, with full jitter.
///
/// wait(n) = random in 0…min(most, first · 2ⁿ), but never under a tenth of that cap, so that chance cannot make a
/// storm.
///
/// | failed attempts | cap with the defaults |
/// | --- | --- |
/// | 1 | 2 s |
/// | 2 | 4 s |
/// | 3 | 8 s |
/// | 5 | 32 s |
/// | 6 and more | 60 s |
///
/// Source: seeds/2, TCP destinations (2 s growing to 60 s); jitter after "Exponential Backoff And Jitter" (AWS, 2015).
package struct Backoff: Sendable, Hashable {
    package var first: Duration
    package var most: Duration
    /// The receiver must have been well for this long before the count of failures starts again.
    package var stable: Duration
    package private(set) var failures = 0
    private var wellSince: Moment?

    package init(first: Duration = .seconds(2), most: Duration = .seconds(60), stable: Duration = .seconds(10)) {
        self.first = first
        self.most = most
        self.stable = stable
    }

    /// The largest wait after the present number of failures.
    package var cap: Duration {
        guard failures > 0 else { return .zero }
        let doublings = min(failures - 1, 30)
        return min(most, first * (1 << doublings))
    }

    /// Takes a failure and says how long to wait.
    package mutating func failed(at now: Moment, random: any RandomSource) -> Duration {
        wellSince = nil
        failures += 1
        return cap * (0.1 + 0.9 * random.fraction())
    }

    /// Takes a success. The failures are forgotten only after `stable` without a new one.
    package mutating func succeeded(at now: Moment) {
        guard failures > 0 else { return }
        guard let since = wellSince else {
            wellSince = now
            return
        }
        if now - since >= stable {
            failures = 0
            wellSince = nil
        }
    }
}
