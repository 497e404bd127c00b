import Synchronization
import WeirFlow
import WeirGates
import WeirWorld

extension DeliveryChain {
    /// One worker: takes shipments and brings them away, one at a time, until the chain ends.
    ///
    /// It lives in sessions: a task that sends and one that watches its deadline. When the deadline fires the session
    /// is cancelled, which makes the send give up, and the next one begins.
    func work(_ slot: Int) async {
        let deadline = Deadline()
        while !shared.withLock({ $0.state.phase == .ended }) && !Task.isCancelled {
            await withTaskGroup(of: Void.self) { group in
                group.addTask { await self.session(slot, deadline) }
                group.addTask { await deadline.watch(self.world.time, idle: self.shape.timeout) }
                // When the watch ends first, the session must be over before the next begins.
                await group.next()
                group.cancelAll()
            }
        }
    }

    private func session(_ slot: Int, _ deadline: Deadline) async {
        while let shipment = await take(slot) {
            let run = ShipmentRun(
                shipment: shipment, clientErrors: settings.clientErrors, eventsMost: shape.eventsMost,
                deadline: deadline,
                time: world.time, bury: { await self.bury($0) },
                mayGoOn: { self.mayGoOn })
            let (outcome, hasFired) = await run.run()
            change { shared, now, effects in
                effects.after = shared.state.finished(slot: slot, outcome, at: now, random: world.random)
            }
            if hasFired || Task.isCancelled { return }
        }
    }

    private var mayGoOn: Bool {
        let now = world.time.now
        return shared.withLock { shared in
            shared.state.phase != .ended && !shared.state.isPaused
                && (shared.state.pause.map { now >= $0.until } ?? true)
        }
    }

    private func take(_ slot: Int) async -> Shipment? {
        await withCheckedContinuation { continuation in
            change { shared, now, effects in
                if shared.state.phase == .ended {
                    effects.home.append(continuation)
                } else {
                    // `settle` gives it something at once if there is something.
                    shared.sleepers.append((slot, continuation))
                }
            }
        }
    }
}
