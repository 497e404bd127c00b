/// The two faces of time. `now` for waiting, `wall` for schedules and people.
package protocol TimeSource: Sendable {
    var now: Moment { get }
    var wall: WallTime { get }

    /// Suspends until the moment is reached.
    /// - Throws: `CancellationError` as soon as the task is cancelled.
    func sleep(until moment: Moment) async throws
}

extension TimeSource {
    package func sleep(for duration: Duration) async throws { try await sleep(until: now + duration) }
}
