import Synchronization
package import WeirWorld

/// A clock that stands still until a test moves it.
package final class ManualTime: TimeSource {
    private struct Sleeper {
        var id: Int
        var moment: Moment
        var continuation: CheckedContinuation<Void, any Error>
    }

    private struct State {
        var now: Moment
        var wall: WallTime
        var sleepers: [Sleeper] = []
        var cancelled: Set<Int> = []
        var nextID = 0
    }

    private let state: Mutex<State>

    /// - Parameter wall: the calendar time at the start; 2026-11-21T12:00:00Z unless told.
    package init(now: Moment = .zero, wall: WallTime = CivilDate.wall(year: 2026, month: 11, day: 21, hour: 12)) {
        state = Mutex(State(now: now, wall: wall))
    }

    package var now: Moment { state.withLock { $0.now } }
    package var wall: WallTime { state.withLock { $0.wall } }

    /// How many tasks sleep; a test waits for it before it moves the clock.
    package var sleeperCount: Int { state.withLock { $0.sleepers.count } }

    /// When the next sleeper wakes.
    package var nextWake: Moment? { state.withLock { $0.sleepers.map(\.moment).min() } }

    /// Moves both clocks and wakes whoever is due, the earliest first.
    package func advance(by duration: Duration) {
        let due = state.withLock { state -> [Sleeper] in
            state.now = state.now + duration
            state.wall = state.wall + duration
            let now = state.now
            let due = state.sleepers.filter { $0.moment <= now }.sorted { ($0.moment, $0.id) < ($1.moment, $1.id) }
            state.sleepers.removeAll { $0.moment <= now }
            return due
        }
        for sleeper in due { sleeper.continuation.resume() }
    }

    /// Sets the calendar without moving the monotonic clock: a person or NTP changed it.
    package func setWall(_ wall: WallTime) { state.withLock { $0.wall = wall } }

    package func sleep(until moment: Moment) async throws {
        let id = state.withLock { state in
            state.nextID += 1
            return state.nextID
        }
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, any Error>) in
                let result = state.withLock { state -> Result<Void, any Error>? in
                    if state.cancelled.remove(id) != nil { return .failure(CancellationError()) }
                    if state.now >= moment { return .success(()) }
                    state.sleepers.append(Sleeper(id: id, moment: moment, continuation: continuation))
                    return nil
                }
                if let result { continuation.resume(with: result) }
            }
        } onCancel: {
            let sleeper = state.withLock { state -> Sleeper? in
                guard let place = state.sleepers.firstIndex(where: { $0.id == id }) else {
                    // Cancelled before it slept, or after it woke: the second leaves a number behind, which is
                    // harmless.
                    state.cancelled.insert(id)
                    return nil
                }
                return state.sleepers.remove(at: place)
            }
            sleeper?.continuation.resume(throwing: CancellationError())
        }
    }
}
