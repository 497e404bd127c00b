package import Logging
import Synchronization
package import WeirWorld

extension World {
    /// A world without a machine: time, chance and threads are the simulation's.
    package static func simulated(_ simulation: Simulation, files: any FileSystem) -> World {
        World(
            time: SimulatedTime(simulation), random: SimulatedRandom(simulation), files: files,
            blocking: SimulatedBlocking(simulation), log: Logger(label: "simulation") { _ in SimulatedLog(simulation) })
    }
}

/// The simulation's clock.
package struct SimulatedTime: TimeSource {
    private let simulation: Simulation

    package init(_ simulation: Simulation) { self.simulation = simulation }

    package var now: Moment { simulation.now }
    package var wall: WallTime { simulation.wall }

    private struct Sleep {
        var continuation: CheckedContinuation<Void, any Error>?
        var timer: UInt64?
        var isOver = false
    }

    private final class Sleeper: Sendable {
        let state = Mutex(Sleep())

        /// - Returns: what to resume, once.
        func end() -> (CheckedContinuation<Void, any Error>?, UInt64?) {
            state.withLock { state in
                defer {
                    state.continuation = nil
                    state.isOver = true
                }
                return (state.continuation, state.timer)
            }
        }
    }

    package func sleep(until moment: Moment) async throws {
        try Task.checkCancellation()
        if moment <= now { return }
        let sleeper = Sleeper()
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, any Error>) in
                let isOver = sleeper.state.withLock { state in
                    if state.isOver { return true }
                    state.continuation = continuation
                    return false
                }
                if isOver { return continuation.resume(throwing: CancellationError()) }
                if moment == .distantFuture { return }
                let timer = simulation.schedule(at: moment) { sleeper.end().0?.resume() }
                sleeper.state.withLock { $0.timer = timer }
            }
        } onCancel: {
            let (continuation, timer) = sleeper.end()
            if let timer { simulation.cancel(timer) }
            continuation?.resume(throwing: CancellationError())
        }
    }
}

/// The simulation's chance.
package struct SimulatedRandom: RandomSource {
    private let simulation: Simulation
    package init(_ simulation: Simulation) { self.simulation = simulation }
    package func next() -> UInt64 { simulation.random() }
}

/// Blocking work takes a little virtual time: up to 2 ms a job, now and then 50 ms; a lane keeps its order.
package struct SimulatedBlocking: BlockingExecutor {
    private let simulation: Simulation
    package init(_ simulation: Simulation) { self.simulation = simulation }
    package func lane(_ name: String) -> any BlockingLane { SimulatedLane(simulation) }
}

private final class SimulatedLane: BlockingLane {
    private let simulation: Simulation
    private let free = Mutex((at: Moment.zero, isClosed: false))

    init(_ simulation: Simulation) { self.simulation = simulation }

    func enqueue(_ job: @escaping @Sendable () -> Void) {
        let chance = simulation.random()
        let microseconds = chance % 50 == 0 ? 50_000 : chance % 2_000
        let at = free.withLock { free -> Moment? in
            if free.isClosed { return nil }
            free.at = max(free.at, simulation.now) + .microseconds(Int64(microseconds))
            return free.at
        }
        if let at { simulation.schedule(at: at, job) }
    }

    func close() { free.withLock { $0.isClosed = true } }
}

/// What is logged at `notice` and above is a change of state: it goes to the trace.
package struct SimulatedLog: LogHandler {
    package var metadata: Logger.Metadata = [:]
    package var logLevel = Logger.Level.info
    private let simulation: Simulation

    package init(_ simulation: Simulation) { self.simulation = simulation }

    package subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    package func log(event: LogEvent) {
        let values = (event.metadata ?? [:]).sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }.joined(
            separator: " ")
        simulation.note("\(event.message) \(values)")
    }
}
