import Foundation
import Glibc
import Logging
import Synchronization
import WeirConnectors
import WeirGates
import WeirTestKit
import WeirWorld

/// What the scheduling of a hundred thousand connectors costs, and how late they start: the real `ScheduleRunner`,
/// with runs that do nothing, because what a connector does in its run is its own.
///
///     schedule-bench live 100000 60       by the machine's clock: so many connectors, once an hour each, for 60 s
///     schedule-bench virtual 100000 3600  by a clock that jumps to the next thing that happens: a whole hour
///
/// Due times are spread over the hour evenly. Every connector's level is read before it starts, as it is for a real
/// one. Prints one line of JSON.
@main
struct ScheduleBench {
    static func main() async {
        let arguments = CommandLine.arguments.dropFirst()
        guard arguments.count == 3, let count = Int(arguments[2]), let seconds = Int(arguments[3]) else {
            print("schedule-bench live|virtual CONNECTORS SECONDS")
            exit(64)
        }
        let tally = Tally()
        let clock = ContinuousClock()
        let began = clock.now
        if arguments[1] == "virtual" {
            let simulation = Simulation(seed: 1)
            let world = World.simulated(simulation, files: SimulatedDisk(seed: 1))
            _ = simulation.run(limit: .seconds(seconds + 10), stepsMost: .max) {
                await run(world, count: count, seconds: seconds, tally)
            }
        } else {
            let log = Logger(label: "bench") { _ in SwiftLogNoOpLogHandler() }
            await run(.live(log: log), count: count, seconds: seconds, tally)
        }
        let took = clock.now - began
        print(tally.json(count: count, seconds: seconds, took: took))
    }

    private static func run(_ world: World, count: Int, seconds: Int, _ tally: Tally) async {
        let runner = ScheduleRunner(
            world, ScheduleRunner.Surroundings(level: { _ in .zero }, remember: { _, _ in }, report: { _ in }))
        let hour = ConnectorSchedule(period: .hourly)
        let clock = ContinuousClock()
        let began = clock.now
        let start = world.time.wall
        for index in 0..<count {
            var memory = ScheduleMemory()
            memory.hasBegun = true
            memory.timing = hour.timing.description
            memory.nextRun = start + .seconds(5) + .nanoseconds(3_600_000_000_000 / Int64(count) * Int64(index))
            runner.add("connector-\(index)", hour, memory: memory, run: EmptyRun(time: world.time, tally: tally))
        }
        tally.begin(added: clock.now - began)
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await runner.run() }
            try? await world.time.sleep(until: world.time.now + .seconds(seconds))
            group.cancelAll()
        }
    }
}

/// Notes how late it starts, and has run.
private struct EmptyRun: ConnectorRun {
    let time: any TimeSource
    let tally: Tally

    func run(_ occasion: RunOccasion) async throws -> ScheduleMemory {
        tally.started(late: time.wall - occasion.start.due)
        return occasion.memoryNow()
    }
}

/// Delays of all starts, and what the process had used when the connectors had been added.
private final class Tally: Sendable {
    private let state = Mutex((late: [Duration](), cpu: 0.0, added: Duration.zero))

    func begin(added: Duration) { state.withLock { ($0.cpu, $0.added) = (CPU.seconds, added) } }
    func started(late: Duration) { state.withLock { $0.late.append(late) } }

    func json(count: Int, seconds: Int, took: Duration) -> String {
        let (late, atBegin, added) = state.withLock { $0 }
        let sorted = late.sorted()
        func milliseconds(_ part: Double) -> String {
            guard !sorted.isEmpty else { return "0" }
            let place = min(sorted.count - 1, Int(Double(sorted.count) * part))
            return String(format: "%.3f", sorted[place] / .milliseconds(1))
        }
        let running = CPU.seconds - atBegin
        return """
            {"connectors":\(count),"starts":\(late.count),"starts_per_s":\(late.count / max(1, seconds)),\
            "delay_p50_ms":\(milliseconds(0.5)),"delay_p99_ms":\(milliseconds(0.99)),\
            "delay_most_ms":\(milliseconds(1)),"cpu_pct":\(String(format: "%.3f", 100 * running / Double(seconds))),\
            "cpu_s":\(String(format: "%.3f", running)),"add_s":\(String(format: "%.2f", added / .seconds(1))),\
            "took_s":\(String(format: "%.2f", took / .seconds(1))),\
            "rss_mb":\(String(format: "%.1f", CPU.peakMegabytes))}
            """
    }
}

private enum CPU {
    private static var usage: rusage {
        var usage = rusage()
        getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
        return usage
    }

    static var seconds: Double {
        let usage = usage
        return Double(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec)
            + Double(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6
    }

    static var peakMegabytes: Double { Double(usage.ru_maxrss) / 1_024 }
}
