import DequeModule
internal import Logging
import Synchronization
package import WeirFlow
package import WeirGates
import WeirStore
package import WeirWorld

/// The way to one destination: a gate, perhaps a queue on disk, retries, a balancer over the endpoints, and for each
/// endpoint a limit, a breaker and a deadline.
///
///     measured → gated → queued → retried → balanced → concurrency and breaker per endpoint → timed → the destination
///
/// `accept` is the gate: it suspends, first come first served, while the memory buffer is full. A fixed set of workers
/// takes what waits, several batches at once, chooses an endpoint and sends. All decisions are made by `DeliveryState`
/// under one lock; this class carries them out.
package final class DeliveryChain: Intake {
    package let name: String
    package let type: String
    package let plan: DestinationPlan
    package let settings: DeliverySettings
    package let senders: [String]
    package let tap = Tap()
    let shape: DeliveryShape
    let bufferMost: Int
    let world: World
    let registry: GateRegistry
    let resolver: any AddressResolver
    let queueDirectory: String?
    let queueLimitOrigin: String

    /// Guards all state of the chain; never held across an await.
    let shared: Mutex<Shared>
    let alarm = Alarm()
    let drained = Alarm()
    let ended = Alarm()
    let writeAlarm = Alarm()
    let readAlarm = Alarm()
    /// Set once, by `open`.
    let disk = Mutex<DurableQueue?>(nil)
    let letters = Mutex<DeadLetters?>(nil)

    struct Waiter: Sendable {
        var id: UInt64
        var batch: Batch
        var deadline: Moment?
        var since: Moment
        var continuation: CheckedContinuation<Result<Receipt, IntakeRefusal>, Never>
    }

    struct Shared: Sendable {
        var state: DeliveryState
        var waiters = Deque<Waiter>()
        var nextWaiter: UInt64 = 0
        /// Senders whose batch is larger than the buffer and had to wait with one of its parts: they are held until the
        /// last one is in, and the gate does not flap from part to part.
        var heldInParts = 0
        /// Not later than the earliest deadline of the waiters.
        var waiterDeadline = Moment.distantFuture
        var sleepers: [(slot: Int, continuation: CheckedContinuation<Shipment?, Never>)] = []
        var alarmAt = Moment.distantFuture
        var isRunning = false
        var isFinished = false
        var finishWaiters: [CheckedContinuation<Void, Never>] = []
    }

    /// - Parameters:
    ///   - limitOrigin: where the limit of the memory buffer was set: `weir.yaml:14`, or `default`.
    ///   - queueLimitOrigin: where the limit of the queue was set.
    ///   - type: of the destination: `http`, `tcp`; for people.
    ///   - queueDirectory: where the queue and the dead letters live; `nil` when nothing is kept on disk.
    ///   - senders: the sources and routes that send here; for the flow graph.
    package init(
        name: String, plan: DestinationPlan, settings: DeliverySettings, limitOrigin: String = "default",
        queueLimitOrigin: String = "default", type: String,
        queueDirectory: String? = nil, senders: [String] = [], resolver: any AddressResolver, world: World,
        registry: GateRegistry
    ) {
        self.name = name
        self.type = type
        self.plan = plan
        self.settings = settings
        self.senders = senders
        self.resolver = resolver
        self.world = world
        self.registry = registry
        self.queueDirectory = queueDirectory
        self.queueLimitOrigin = queueLimitOrigin
        shape = settings.shape(over: plan.shape)
        bufferMost = max(1, settings.buffer.asInt)
        let workers = shape.isOrdered ? max(shape.concurrency, min(64, plan.endpoints.count)) : shape.concurrency
        shared = Mutex(
            Shared(
                state: DeliveryState(
                    name: name, settings: settings, shape: shape, limitOrigin: limitOrigin, workers: workers,
                    at: world.time.wall)))
    }

    // MARK: Life

    /// Opens what is on disk, looks up the endpoints and publishes the gate.
    package func open() async throws {
        await resolve()
        try await openDisk()
        try await openDeadLetters()
        registry.publish(
            GateRegistry.Entry(
                id: name, read: { [weak self, name] in self?.reading ?? Self.gone(name) },
                order: { [weak self] in self?.order($0) }))
    }

    /// Delivers until `stop`, or until the task is cancelled. Every receipt is settled when it returns.
    package func run() async {
        change { shared, _, _ in shared.isRunning = true }
        await withTaskCancellationHandler {
            await withTaskGroup(of: Void.self) { group in
                let workers = shared.withLock { $0.state.slots.count }
                for slot in 0..<workers { group.addTask { await self.work(slot) } }
                group.addTask { await self.pilot() }
                if queue != nil {
                    group.addTask { await self.write() }
                    group.addTask { await self.read() }
                }
                if plan.endpoints.contains(where: { $0.host != nil }) { group.addTask { await self.keepResolving() } }
                await untilEnded()
                group.cancelAll()
            }
        } onCancel: {
            end()
        }
        await finish()
    }

    /// Takes nothing more, delivers what is in memory for at most `drainWithin`, leaves the rest on disk where there is
    /// a queue, settles every receipt and returns when `run` has ended.
    package func stop(drainWithin: Duration) async {
        let deadline = world.time.now + drainWithin
        change { shared, _, _ in if shared.state.phase == .running { shared.state.phase = .stopping } }
        while shared.withLock({ $0.isRunning && $0.state.phase == .stopping && !$0.state.isIdle }),
            world.time.now < deadline
        {
            await drained.wait(until: deadline, world.time)
        }
        end()
        if shared.withLock({ $0.isRunning }) {
            await withCheckedContinuation { continuation in
                let isDone = shared.withLock { shared -> Bool in
                    if shared.isFinished { return true }
                    shared.finishWaiters.append(continuation)
                    return false
                }
                if isDone { continuation.resume() }
            }
        } else {
            await finish()
        }
    }

    private func end() {
        change { shared, _, effects in
            shared.state.phase = .ended
            effects.home = shared.sleepers.map(\.continuation)
            shared.sleepers = []
        }
        ended.poke()
        writeAlarm.poke()
        readAlarm.poke()
        alarm.poke()
    }

    private func untilEnded() async {
        while !shared.withLock({ $0.state.phase == .ended }) { await ended.wait() }
    }

    private func finish() async {
        let destinations = shared.withLock { $0.state.endpoints.map(\.destination) }
        for destination in destinations { await destination.close() }
        await closeDisk()
        await letters.withLock { $0 }?.close()
        let lost = change { shared, _, _ -> [Receipt] in
            let receipts = shared.state.abandon()
            shared.isFinished = true
            return receipts
        }
        for receipt in lost { receipt.settle(.lost(Reason("stopped", "Weir stopped before it was delivered."))) }
        let waiting = shared.withLock { shared -> [CheckedContinuation<Void, Never>] in
            defer { shared.finishWaiters = [] }
            return shared.finishWaiters
        }
        for continuation in waiting { continuation.resume() }
        registry.withdraw(name)
    }

    // MARK: Change

    /// What `accept` answers.
    typealias Entrance = Result<Receipt, IntakeRefusal>

    /// What is done after the lock is gone.
    struct Effects: Sendable {
        var answers: [(continuation: CheckedContinuation<Entrance, Never>, Entrance)] = []
        var shipments: [(continuation: CheckedContinuation<Shipment?, Never>, Shipment)] = []
        var home: [CheckedContinuation<Shipment?, Never>] = []
        var after: DeliveryState.Aftermath?
        var transition: Gate.Transition?
        var spill: SpillState.Change?
        var pokesAlarm = false
        /// The pilot reads the time of the next alarm itself.
        var isPilot = false
        var pokesDrained = false
        var pokesWriter = false
        var pokesReader = false
    }

    /// The one place where the state changes: `body` under the lock, then everything that follows from it, then,
    /// without the lock, what is to be done.
    @discardableResult
    func change<Value: Sendable>(_ body: (inout Shared, Moment, inout Effects) -> Value) -> Value {
        let now = world.time.now
        let wall = world.time.wall
        let (value, effects) = shared.withLock { shared -> (Value, Effects) in
            var effects = Effects()
            let value = body(&shared, now, &effects)
            shared.settle(at: now, wall: wall, &effects)
            return (value, effects)
        }
        act(effects)
        return value
    }

    private func act(_ effects: Effects) {
        for (continuation, shipment) in effects.shipments { continuation.resume(returning: shipment) }
        for (continuation, answer) in effects.answers { continuation.resume(returning: answer) }
        for continuation in effects.home { continuation.resume(returning: nil) }
        if let after = effects.after {
            acknowledge(after.acknowledged)
            for receipt in after.settled { receipt.settle(.kept) }
            log(after)
        }
        if let transition = effects.transition { log(transition) }
        if let spill = effects.spill { log(spill) }
        if effects.pokesAlarm { alarm.poke() }
        if effects.pokesDrained { drained.poke() }
        if effects.pokesWriter { writeAlarm.poke() }
        if effects.pokesReader { readAlarm.poke() }
    }

    /// Lets time pass where something changes by time alone.
    private func pilot() async {
        while true {
            let isEnded = change { shared, now, effects -> Bool in
                shared.alarmAt = .distantFuture
                effects.isPilot = true
                shared.expireWaiters(at: now, &effects)
                return shared.state.phase == .ended
            }
            if isEnded || Task.isCancelled { return }
            await alarm.wait(until: shared.withLock { $0.alarmAt }, world.time)
        }
    }
}
