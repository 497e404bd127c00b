import Glibc
import Logging
import Synchronization
package import WeirWorld

/// A world in one thread: every task runs here, in an order that a seed chooses, on a clock that jumps to the next
/// thing that happens. The same seed gives the same run.
///
/// Jobs that are ready lie in a list; one is drawn and run until it suspends. When none is ready, the clock moves to
/// the next timer. A job that arrives from another thread (a bare `Task`, a real sleep) stops the test at once: it has
/// left the world.
package final class Simulation: TaskExecutor, SerialExecutor {
    private struct Timer {
        var moment: Moment
        var id: UInt64
        var action: @Sendable () -> Void
    }

    private struct State {
        var ready: [UnownedJob] = []
        /// Sorted by moment and id, the next one last.
        var timers: [Timer] = []
        var now = Moment(nanoseconds: 1_000_000_000)
        var nextID: UInt64 = 0
        var random: SplitMix
        var steps = 0
        var trace: [String] = []
    }

    package let seed: UInt64
    private let state: Mutex<State>
    private let thread = pthread_self()
    // 2026-11-21T12:00:00Z at the start, whatever the machine's calendar says.
    private let wallOffset = CivilDate.wall(year: 2026, month: 11, day: 21, hour: 12).nanoseconds

    package init(seed: UInt64) {
        self.seed = seed
        state = Mutex(State(random: SplitMix(seed: seed)))
    }

    package func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        precondition(pthread_equal(pthread_self(), thread) != 0, "a task has left the simulation (seed \(seed))")
        state.withLock { $0.ready.append(job) }
    }

    package var now: Moment { state.withLock { $0.now } }
    package var wall: WallTime { WallTime(nanoseconds: wallOffset + now.nanoseconds) }
    package var steps: Int { state.withLock { $0.steps } }

    /// A number from the seed, for everything in the world that is left to chance.
    package func random() -> UInt64 { state.withLock { $0.random.next() } }

    /// Runs `action` at a moment, between two jobs.
    /// - Returns: an id for `cancel`.
    @discardableResult
    package func schedule(at moment: Moment, _ action: @escaping @Sendable () -> Void) -> UInt64 {
        state.withLock { state in
            state.nextID += 1
            let timer = Timer(moment: max(moment, state.now), id: state.nextID, action: action)
            // From the end: most timers are the next ones.
            var place = state.timers.count
            while place > 0, (state.timers[place - 1].moment, state.timers[place - 1].id) < (timer.moment, timer.id) {
                place -= 1
            }
            state.timers.insert(timer, at: place)
            return timer.id
        }
    }

    /// - Returns: true where it had not run yet.
    @discardableResult
    package func cancel(_ id: UInt64) -> Bool {
        state.withLock { state in
            guard let place = state.timers.firstIndex(where: { $0.id == id }) else { return false }
            state.timers.remove(at: place)
            return true
        }
    }

    /// Runs `body` and everything that comes of it until it returns.
    /// - Returns: false when it had not returned after so much virtual time, or when nothing can happen any more.
    package func run(
        limit: Duration, stepsMost: Int = 5_000_000, _ body: @escaping @Sendable () async -> Void
    ) -> Bool {
        let end = now + limit
        let isDone = Flag()
        // The simulation owns this task and runs it to its end, or the test fails.
        let task = Task(executorPreference: self) {
            await body()
            isDone.set()
        }
        while !isDone.isSet {
            guard step(before: end), steps < stepsMost else {
                task.cancel()
                return false
            }
        }
        return true
    }

    /// - Returns: false when nothing is left to do before the moment.
    private func step(before end: Moment) -> Bool {
        enum Next {
            case job(UnownedJob)
            case action(@Sendable () -> Void)
            case nothing
        }
        let next = state.withLock { state -> Next in
            state.steps += 1
            if !state.ready.isEmpty {
                let place = Int(state.random.next() % UInt64(state.ready.count))
                state.ready.swapAt(place, state.ready.count - 1)
                return .job(state.ready.removeLast())
            }
            guard let timer = state.timers.last, timer.moment <= end else { return .nothing }
            state.timers.removeLast()
            state.now = timer.moment
            return .action(timer.action)
        }
        switch next {
        case .job(let job): job.runSynchronously(on: asUnownedTaskExecutor())
        case .action(let action): action()
        case .nothing: return false
        }
        return true
    }

    // MARK: Trace

    /// Notes a change of state; the last 200 are kept.
    package func note(_ text: String) {
        state.withLock { state in
            let milliseconds = state.now.nanoseconds / 1_000_000
            state.trace.append("\(milliseconds) ms  \(text)")
            if state.trace.count > 200 { state.trace.removeFirst(100) }
        }
    }

    package var trace: [String] { state.withLock { $0.trace } }

    /// What a failed run prints: what broke, the last 50 changes, and how to see it again.
    package func failure(_ what: String) -> String {
        (["seed \(seed), at \(now): \(what)"] + trace.suffix(50).map { "    " + $0 } + [
            "again: WEIR_SEED=\(seed) swift test --disable-xctest --filter WeirSimulation"
        ]).joined(separator: "\n")
    }
}

private final class Flag: Sendable {
    private let value = Atomic<Bool>(false)
    func set() { value.store(true, ordering: .relaxed) }
    var isSet: Bool { value.load(ordering: .relaxed) }
}
