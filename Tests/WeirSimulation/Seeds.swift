import Glibc
import Testing

/// Which worlds are run: one seed alone with `WEIR_SEED=123`, more of them with `WEIR_SEEDS=100000`.
enum Seeds {
    /// 1,000 of each kind, within a minute in CI.
    private static var all: ClosedRange<UInt64> {
        if let seed = number("WEIR_SEED") { return seed...seed }
        return 1...max(1, number("WEIR_SEEDS") ?? 1_000)
    }

    private static func number(_ name: String) -> UInt64? { getenv(name).flatMap { UInt64(String(cString: $0)) } }

    /// Runs all worlds and says how long it took; ends after the third that fails.
    /// - Parameter world: says what broke in the world of a seed, or `nil`.
    static func run(_ kind: String, _ world: (UInt64) throws -> String?) rethrows {
        let clock = ContinuousClock()
        let start = clock.now
        var failures = 0
        for seed in all {
            guard let failure = try world(seed) else { continue }
            Issue.record(Comment(rawValue: failure))
            failures += 1
            if failures == 3 { break }
        }
        let took = clock.now - start
        print("\(all.count) worlds of \(kind): \(took.components.seconds) s")
    }
}
