import DequeModule
import Synchronization
package import WeirFlow
package import WeirGates
package import WeirWorld

extension DeliveryChain {
    package func accept(_ batch: Batch, deadline: Moment?) async throws(IntakeRefusal) -> Receipt {
        if batch.isEmpty { return .kept }
        tap.saw(batch)
        if batch.byteCount > bufferMost, batch.count > 1, settings.onBackpressure != .drop {
            if let deadline, deadline <= world.time.now {
                if deadline == .distantPast { throw .full(Self.tooLarge, retryAfter: nil) }
            } else {
                return try await acceptInParts(batch, deadline)
            }
        }
        return try await admit(batch, deadline)
    }

    private static let tooLarge = Reason("larger_than_buffer", "The batch is larger than the buffer.")

    /// A batch that is larger than the buffer, cut, so that no more is held than the buffer allows; the parts are small
    /// enough that the next one comes in while those before it are sent. Where nobody can wait (UDP, `drop`) it is let
    /// in whole and alone instead: its end must not be dropped while the receiver is idle.
    private func acceptInParts(_ batch: Batch, _ deadline: Moment?) async throws(IntakeRefusal) -> Receipt {
        var receipts: [Receipt] = []
        var hasWaited = false
        defer { if hasWaited { change { shared, _, _ in shared.heldInParts -= 1 } } }
        for run in batch.cuts(bytes: max(1, min(shape.bytesMost, bufferMost / 4)), events: .max) {
            let part = batch.slice(run)
            switch change({ shared, now, _ in shared.enter(part, deadline: deadline, at: now) }) {
            case .answer(let answer): receipts.append(try answer.get())
            case .wait:
                if !hasWaited { change { shared, _, _ in shared.heldInParts += 1 } }
                hasWaited = true
                receipts.append(try await wait(part, deadline).get())
            }
        }
        return .joined(receipts)
    }

    private func admit(_ batch: Batch, _ deadline: Moment?) async throws(IntakeRefusal) -> Receipt {
        let entry = change { shared, now, _ in shared.enter(batch, deadline: deadline, at: now) }
        switch entry {
        case .answer(let answer): return try answer.get()
        case .wait: return try await wait(batch, deadline).get()
        }
    }

    /// What would happen to a batch of this size now: true where it would be taken at once. For fallbacks and
    /// balancers.
    package func hasRoom(for bytes: Int) -> Bool {
        shared.withLock { shared in
            shared.state.phase == .running && shared.waiters.isEmpty
                && (shared.state.level == 0 && bytes <= bufferMost
                    || shared.state.level + bytes <= shared.state.bufferMost)
        }
    }

    /// The gate's state, cheaper than a whole reading.
    package var gateState: GateState { shared.withLock { $0.state.gate.state } }

    private func wait(_ batch: Batch, _ deadline: Moment?) async -> Result<Receipt, IntakeRefusal> {
        let id = shared.withLock { shared in
            shared.nextWaiter += 1
            return shared.nextWaiter
        }
        return await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                change { shared, now, effects in
                    // Looked at under the lock: cancelled before means refused here, cancelled later means found by the
                    // handler.
                    if Task.isCancelled {
                        effects.answers.append((continuation, .failure(.stopped)))
                        return
                    }
                    switch shared.enter(batch, deadline: deadline, at: now) {
                    case .answer(let answer): effects.answers.append((continuation, answer))
                    case .wait:
                        shared.waiters.append(
                            Waiter(id: id, batch: batch, deadline: deadline, since: now, continuation: continuation))
                        if let deadline { shared.waiterDeadline = min(shared.waiterDeadline, deadline) }
                    }
                }
            }
        } onCancel: {
            change { shared, now, effects in
                guard let place = shared.waiters.firstIndex(where: { $0.id == id }) else { return }
                let waiter = shared.waiters.remove(at: place)
                shared.count(waitOf: waiter, at: now)
                effects.answers.append((waiter.continuation, .failure(.stopped)))
            }
        }
    }
}

extension DeliveryChain.Shared {
    enum Entry: Sendable {
        case answer(Result<Receipt, IntakeRefusal>)
        case wait
    }

    mutating func enter(_ batch: Batch, deadline: Moment?, at now: Moment) -> Entry {
        guard state.phase == .running else { return .answer(.failure(.stopped)) }
        // First come, first served: who waits is let in before who comes now.
        if waiters.isEmpty || state.settings.onBackpressure == .drop {
            switch state.enter(batch, at: now) {
            case .taken(let receipt): return .answer(.success(receipt))
            case .dropped: return .answer(.success(.kept))
            case .full: break
            }
        }
        if let deadline, deadline <= now { return .answer(.failure(refusal(at: now))) }
        return .wait
    }

    /// After any change: lets waiters in, lets gate and queue conclude, gives workers what there is, sets the alarm.
    mutating func settle(at now: Moment, wall: WallTime, _ effects: inout DeliveryChain.Effects) {
        if state.phase != .running {
            while let waiter = waiters.popFirst() {
                count(waitOf: waiter, at: now)
                effects.answers.append((waiter.continuation, .failure(.stopped)))
            }
        }
        while let first = waiters.first {
            switch state.enter(first.batch, at: now) {
            case .taken(let receipt):
                waiters.removeFirst()
                count(waitOf: first, at: now)
                effects.answers.append((first.continuation, .success(receipt)))
                continue
            case .dropped, .full: break
            }
            break
        }
        state.isWaitedFor = !waiters.isEmpty || heldInParts > 0
        let seen = state.observe(at: now, wall: wall)
        effects.transition = seen.gate
        effects.spill = seen.spill
        while let sleeper = sleepers.last, let shipment = state.nextShipment(for: sleeper.slot, at: now) {
            sleepers.removeLast()
            effects.shipments.append((sleeper.continuation, shipment))
        }
        if state.phase == .stopping && state.isIdle { effects.pokesDrained = true }
        if state.disk != nil {
            effects.pokesWriter = state.wantsToWrite(at: now)
            effects.pokesReader = state.wantsToRead(at: now)
        }
        let wake = min(state.nextWake(at: now), waiterDeadline)
        if wake < alarmAt {
            alarmAt = wake
            effects.pokesAlarm = !effects.isPilot
        }
    }

    mutating func expireWaiters(at now: Moment, _ effects: inout DeliveryChain.Effects) {
        guard now >= waiterDeadline else { return }
        waiterDeadline = .distantFuture
        var kept = Deque<DeliveryChain.Waiter>()
        for waiter in waiters {
            if let deadline = waiter.deadline, deadline <= now {
                count(waitOf: waiter, at: now)
                effects.answers.append((waiter.continuation, .failure(refusal(at: now))))
            } else {
                if let deadline = waiter.deadline { waiterDeadline = min(waiterDeadline, deadline) }
                kept.append(waiter)
            }
        }
        waiters = kept
    }

    mutating func count(waitOf waiter: DeliveryChain.Waiter, at now: Moment) {
        state.counters.blockedNanoseconds &+= UInt64(max(0, (now - waiter.since).nanoseconds))
    }

    /// Computed from how fast the receiver takes what is held, or from when it is tried again.
    private func refusal(at now: Moment) -> IntakeRefusal {
        var wait = state.nextAttempt(at: now).map { $0 - now } ?? .zero
        let rate = state.rateOut.rate(at: now)
        // A quarter of the buffer is free again after this long.
        if rate > 1 { wait = max(wait, .nanoseconds(Int64(min(60, Double(state.bufferMost) / 4 / rate) * 1e9))) }
        return .full(state.gate.reason, retryAfter: min(max(wait, .seconds(1)), .seconds(60)))
    }
}
