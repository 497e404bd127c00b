import Glibc
import Testing

@Suite("Simulated worlds of connectors and their schedules")
struct ConnectorScheduleSimulationTests {
    /// One seed alone: `WEIR_SEED=123`. More of them: `WEIR_SEEDS=100000`.
    private static func number(_ name: String) -> UInt64? { getenv(name).flatMap { UInt64(String(cString: $0)) } }

    @Test(
        """
        In every world a connector has one run at most, none while its queue is full, every postponed run once, and \
        none starves
        """)
    func worlds() {
        var seeds = UInt64(1)...(Self.number("WEIR_SEEDS") ?? 1_000)
        if let seed = Self.number("WEIR_SEED") { seeds = seed...seed }
        var failures = 0
        var successes = 0
        var postponements = 0
        for seed in seeds {
            let world = ConnectorScheduleRun(seed: seed)
            let failure = world.run()
            successes += world.successes
            postponements += world.postponements
            guard let failure else { continue }
            Issue.record(Comment(rawValue: failure))
            failures += 1
            if failures == 3 { return }
        }
        // Otherwise the worlds would prove nothing.
        if seeds.count >= 1_000 { #expect(successes > 100_000 && postponements > 5_000) }
    }

    @Test(
        """
        On a node that is killed again and again a run that ended is neither lost nor repeated, none starts while what \
        it brought before waits, and in the end everything has arrived
        """)
    func nodes() {
        let seeds = Self.number("WEIR_SEED").map { $0...$0 } ?? 1...max(1, (Self.number("WEIR_SEEDS") ?? 1_000) / 40)
        var totals = (successes: 0, releases: 0, crashes: 0)
        for seed in seeds {
            let world = ConnectorNodeRun(seed: seed)
            let failure = world.run()
            totals.successes += world.successes
            totals.releases += world.releases
            totals.crashes += world.crashes
            guard let failure else { continue }
            Issue.record(Comment(rawValue: failure))
            return
        }
        print("\(seeds.count) nodes: \(totals)")
        if seeds.count >= 25 { #expect(totals.successes > 500 && totals.releases > 50 && totals.crashes > 25) }
    }

    @Test("The same seed gives the same run")
    func isDeterministic() {
        let first = ConnectorScheduleRun(seed: 42)
        let second = ConnectorScheduleRun(seed: 42)
        #expect(first.run() == nil)
        #expect(second.run() == nil)
        #expect(first.steps == second.steps)
    }
}
