import Synchronization
import WeirWorld

/// The work queues by connector, made when first asked for.
final class WorkQueues: Sendable {
    let root: String
    private let book: ConnectorBook
    private let settings: ConnectorsSettings
    /// With threads that all queues share.
    let world: World
    private let queues = Mutex<[ConnectorID: WorkQueue]>([:])

    /// Threads for the queues' files: some can be in a sync while others read.
    private static let lanes = 6

    init(root: String, book: ConnectorBook, settings: ConnectorsSettings, world: World) {
        self.root = root
        self.book = book
        self.settings = settings
        var pooled = world
        pooled.blocking = LanePool(world.blocking, count: Self.lanes)
        self.world = pooled
    }

    subscript(id: ConnectorID) -> WorkQueue {
        queues.withLock { queues in
            if let queue = queues[id] { return queue }
            let queue = WorkQueue(connector: id, root: root, book: book, settings: settings, world: world)
            queues[id] = queue
            return queue
        }
    }

    var all: [WorkQueue] { queues.withLock { $0.values.sorted { $0.connector < $1.connector } } }

    func closeIdle(for duration: Duration) async { for queue in all { await queue.closeIfIdle(for: duration) } }

    func close() async { for queue in all { await queue.close() } }

    /// Takes a queue out; the caller closes it.
    func remove(_ id: ConnectorID) -> WorkQueue? { queues.withLock { $0.removeValue(forKey: id) } }
}
