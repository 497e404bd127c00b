/// Whose turn it is: queues with work share the workers by weight, whatever their length.
///
/// Stride scheduling (Waldspurger and Weihl 1995): each queue has a clock that runs by what its turns cost, divided by
/// its share; the queue whose clock is behind most is next. With equal costs that is round robin. A queue that comes
/// back from rest gets the clock of the others, so that it is served soon but cannot make up for its rest.
///
/// Share = weight · 16^priority: a higher priority is preferred, and still nobody starves.
struct FairTurns<ID: Hashable & Comparable & Sendable>: Sendable {
    private struct Queue: Sendable {
        var clock: Double
        var share: Double
        var isRunning = false
        /// Got work during its turn.
        var isReadyAgain = false
    }

    private struct Turn: Sendable, Comparable {
        var clock: Double
        var id: ID
        static func < (left: Turn, right: Turn) -> Bool { (left.clock, left.id) > (right.clock, right.id) }
    }

    private var queues: [ID: Queue] = [:]
    /// Ready and not running; the next one last.
    private var ready: [Turn] = []
    private var clock = 0.0

    /// A turn costs at least this, so that a run of tiny turns is not free.
    static var costLeast: Int { 16 << 10 }

    var isEmpty: Bool { ready.isEmpty }

    static func share(weight: Double, priority: Int) -> Double {
        let weight = weight.isFinite ? min(max(weight, 0.01), 100) : 1
        let steps = min(max(priority, -2), 2)
        var factor = 1.0
        for _ in 0..<abs(steps) { factor *= 16 }
        return weight * (steps < 0 ? 1 / factor : factor)
    }

    /// There is work in a queue.
    mutating func ready(_ id: ID, share: Double) {
        if queues[id] != nil {
            if queues[id]?.isRunning == true { queues[id]?.isReadyAgain = true }
            return
        }
        queues[id] = Queue(clock: clock, share: share)
        insert(id, clock)
    }

    /// The next one; its turn is running until `finished`.
    mutating func next() -> ID? {
        guard let turn = ready.popLast() else { return nil }
        queues[turn.id]?.isRunning = true
        clock = max(clock, turn.clock)
        return turn.id
    }

    /// - Parameters:
    ///   - cost: what the turn took, in bytes.
    ///   - hasMore: false when the queue was found empty.
    mutating func finished(_ id: ID, cost: Int, hasMore: Bool) {
        guard var queue = queues[id] else { return }
        guard hasMore || queue.isReadyAgain else {
            queues[id] = nil
            return
        }
        queue.clock += Double(max(cost, Self.costLeast)) / queue.share
        queue.isRunning = false
        queue.isReadyAgain = false
        queues[id] = queue
        insert(id, queue.clock)
    }

    private mutating func insert(_ id: ID, _ clock: Double) {
        let turn = Turn(clock: clock, id: id)
        var low = 0
        var high = ready.count
        while low < high {
            let middle = (low + high) / 2
            if ready[middle] < turn { low = middle + 1 } else { high = middle }
        }
        ready.insert(turn, at: low)
    }
}
