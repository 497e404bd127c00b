import Synchronization
import WeirWorld

/// A few threads for many queues: ten thousand connectors must not take twenty thousand threads. Each owner still has
/// a lane that keeps its order.
final class LanePool: BlockingExecutor {
    private let lanes: [any BlockingLane]
    private let next = Atomic<Int>(0)

    init(_ blocking: any BlockingExecutor, count: Int) {
        lanes = (0..<count).map { blocking.lane("connectors-\($0)") }
    }

    func lane(_ name: String) -> any BlockingLane {
        let number = next.wrappingAdd(1, ordering: .relaxed).oldValue
        return PooledLane(lanes[number % lanes.count])
    }

    deinit { for lane in lanes { lane.close() } }
}

private final class PooledLane: BlockingLane {
    private let lane: any BlockingLane
    private let isClosed = Atomic<Bool>(false)

    init(_ lane: any BlockingLane) { self.lane = lane }

    func enqueue(_ job: @escaping @Sendable () -> Void) {
        if !isClosed.load(ordering: .acquiring) { lane.enqueue(job) }
    }

    /// The thread belongs to the pool.
    func close() { isClosed.store(true, ordering: .releasing) }
}
