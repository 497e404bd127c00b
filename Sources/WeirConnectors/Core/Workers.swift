import Logging
import Synchronization
import WeirFlow
import WeirStore
import WeirWorld

/// Takes bundles out of all work queues, fairly, and hands their objects to the routes.
///
/// Up to `turnsMost` queues are worked on at the same time, each by one turn: so the order within a queue is kept, and
/// one whose receiver is stuck holds up nobody else.
final class Workers: Sendable {
    private struct State {
        var turns = FairTurns<ConnectorID>()
        var running = 0
        var isStopping = false
    }

    let intake: any Intake
    let book: ConnectorBook
    let queues: WorkQueues
    let settings: ConnectorsSettings
    let world: World
    let deadLetters: PoisonLetters
    private let state = Mutex(State())
    /// Bundles that come from elsewhere than the work queues: a RabbitMQ.
    private let inlet = Mutex<(any WorkInlet)?>(nil)
    private let alarm = Alarm()

    init(intake: any Intake, book: ConnectorBook, queues: WorkQueues, settings: ConnectorsSettings, world: World) {
        self.intake = intake
        self.book = book
        self.queues = queues
        self.settings = settings
        self.world = world
        deadLetters = PoisonLetters(
            directory: ConnectorDirectory.deadLetters(root: queues.root), maxSize: settings.deadLettersMost,
            minFree: settings.minFree, world: queues.world)
    }

    /// Before `run`.
    func use(_ inlet: any WorkInlet) { self.inlet.withLock { $0 = inlet } }

    /// Something is in a queue.
    func ready(_ id: ConnectorID) {
        let share = FairTurns<ConnectorID>.share(
            weight: settings.weightOf[id] ?? 1, priority: settings.priorityOf[id] ?? 0)
        state.withLock { $0.turns.ready(id, share: share) }
        alarm.poke()
    }

    func stop() {
        state.withLock { $0.isStopping = true }
        alarm.poke()
    }

    func close() async { await deadLetters.close() }

    var isStopping: Bool { state.withLock { $0.isStopping } }

    /// Until `stop`, and until the turns that run then are over.
    func run() async {
        // Another group would keep each turn that is over until this ends: some kilobytes a turn.
        await withDiscardingTaskGroup { group in
            while !Task.isCancelled, !isStopping {
                while let id = next() { group.addTask { await self.turn(id) } }
                await alarm.wait()
            }
            stop()
            // Who waits for room stops waiting: the bundle stays in its queue. What was handed over is waited for.
            group.cancelAll()
        }
    }

    private func next() -> ConnectorID? {
        state.withLock { state in
            guard !state.isStopping, state.running < settings.turnsMost, let id = state.turns.next() else { return nil }
            state.running += 1
            return id
        }
    }

    private func turn(_ id: ConnectorID) async {
        let turn = WorkTurn(connector: id, workers: self)
        var outcome = WorkTurn.Outcome(cost: 0, hasMore: false)
        if let inlet = inlet.withLock({ $0 }) {
            outcome = await inlet.run(turn)
            if book.with({ $0.slots[id]?.isOwnQueueInUse ?? true }) { outcome.add(await turn.run()) }
        } else {
            outcome = await turn.run()
        }
        state.withLock { state in
            state.running -= 1
            state.turns.finished(id, cost: outcome.cost, hasMore: outcome.hasMore)
        }
        alarm.poke()
    }
}

/// Where bundles come from besides the work queues.
protocol WorkInlet: Sendable {
    /// Takes what is there for the turn's connector, at most what one turn may take, and deals with it.
    func run(_ turn: WorkTurn) async -> WorkTurn.Outcome
}

extension WorkTurn.Outcome {
    fileprivate mutating func add(_ other: Self) {
        cost += other.cost
        hasMore = hasMore || other.hasMore
    }
}

extension QueueSlot {
    /// A connector that publishes to a RabbitMQ mostly never opens a queue of Weir's.
    fileprivate var isOwnQueueInUse: Bool { marks.isOpen || marks.level.messages > 0 }
}
