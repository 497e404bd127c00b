import Synchronization
import WeirGates
import WeirWorld

/// Sees that a server goes on talking. Only time spent waiting for it counts, not that spent at our own gate.
final class SilenceWatch: Sendable {
    private let waiting = Mutex<(since: Moment, name: String)?>(nil)
    private let time: any TimeSource

    init(_ time: any TimeSource) { self.time = time }

    /// From now on it is the server's turn.
    func begin(_ name: String) {
        let now = time.now
        waiting.withLock { $0 = (now, name) }
    }

    /// It has said something, or is not listened to any more.
    func end() { waiting.withLock { $0 = nil } }

    /// Returns by cancellation only.
    /// - Throws: when there was nothing to hear for `limit`.
    func keep(_ limit: Duration) async throws {
        while true {
            try await time.sleep(for: max(limit / 4, .milliseconds(50)))
            guard let (since, name) = waiting.withLock({ $0 }), time.now - since >= limit else { continue }
            throw RunFailure(
                "request_timeout",
                "\(name) began to answer, and then said nothing for \(limit.shortText) (`request_timeout`).")
        }
    }
}
