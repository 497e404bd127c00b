import Synchronization
import WeirWorld

/// The deadline of the one send that a worker has under way. A watcher sleeps towards it and fires at most that send,
/// never the next: so a timer costs two atomic operations a send instead of a task group.
final class Deadline: Sendable {
    private static let none: Int64 = .max
    private static let fired: Int64 = .min

    private let moment = Atomic<Int64>(none)

    func set(_ deadline: Moment) { moment.store(deadline.nanoseconds, ordering: .releasing) }

    /// The send is over.
    /// - Returns: true where its deadline fired.
    func clear() -> Bool { moment.exchange(Self.none, ordering: .acquiringAndReleasing) == Self.fired }

    /// Sleeps until a deadline has passed.
    /// - Returns: when it fired, or the task was cancelled.
    func watch(_ time: any TimeSource, idle: Duration) async {
        while !Task.isCancelled {
            let set = moment.load(ordering: .acquiring)
            let now = time.now
            if set != Self.none, now.nanoseconds >= set {
                if moment.compareExchange(expected: set, desired: Self.fired, ordering: .acquiringAndReleasing)
                    .exchanged
                {
                    return
                }
                continue
            }
            // While nothing is under way it is enough to look once a timeout: whatever begins meanwhile ends later than
            // that.
            let next = set == Self.none ? now + idle : Moment(nanoseconds: set)
            do { try await time.sleep(until: next) } catch { return }
        }
    }
}
