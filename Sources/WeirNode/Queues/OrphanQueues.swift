internal import Logging
import Synchronization
import WeirDelivery
import WeirFlow
import WeirGates
import WeirStore
import WeirWorld

/// The queues that destinations left behind which are no longer configured.
///
/// Nobody delivers them until a person says where to: then their events go through the gate of another destination, and
/// what that has (or its queue has) is taken away here. At least once: what was under way when Weir stops comes again.
final class OrphanQueues: Sendable {
    private struct State {
        var found: [QueueStatus] = []
        /// By queue: the destination that a person named. Can become: draining, in the order of the names.
        var orders: [String: String] = [:]
        var draining: (name: String, queue: DurableQueue)?
    }

    private let shelf: QueueShelf
    private let destinations: [any Intake]
    private let world: World
    private let state = Mutex(State())

    init(shelf: QueueShelf, destinations: [any Intake], world: World) {
        self.shelf = shelf
        self.destinations = destinations
        self.world = world
    }

    /// As they were when they were looked at last; the one that drains as it is now.
    var all: [QueueStatus] {
        state.withLock { state in
            state.found.map { status in
                var status = status
                status.drainsTo = state.orders[status.name]
                if let draining = state.draining, draining.name == status.name {
                    let level = draining.queue.level
                    (status.reading.bytes, status.reading.events) = (level.bytes, level.events)
                    (status.reading.oldest, status.reading.segments) = (level.oldest, level.segments)
                }
                return status
            }
        }
    }

    /// Looks for them on disk. What was found before and is gone (discarded by a person) is forgotten.
    func look() async {
        let owned = Set(destinations.map(\.name))
        let entries = try? await onDisk { shelf in
            try shelf.names().filter { !owned.contains($0) }.flatMap { try shelf.entries($0) }
                .filter { $0.part == .queue && $0.survey.events > 0 }
        }
        guard let entries else { return }
        state.withLock { state in
            let known = state.found
            state.found = entries.map { entry in
                QueueStatus(
                    name: entry.name, directory: entry.directory,
                    reading: GateReading.QueueReading(
                        mode: "orphan", bytes: entry.survey.bytes, events: entry.survey.events,
                        maxBytes: max(1, entry.survey.diskBytes), oldest: entry.survey.oldest,
                        segments: entry.survey.segments.count, isEngaged: false,
                        trouble: known.first { $0.name == entry.name }?.reading.trouble), isOrphan: true)
            }
        }
    }

    /// Says each of them once, at the start.
    func tell() {
        for orphan in all {
            world.log.warning(
                "A queue on disk belongs to no destination.",
                metadata: [
                    "queue": "\(orphan.name)", "queue.events": "\(orphan.reading.events)",
                    "help": "configure the destination again, or use `weir queue drain`, `export` or `discard`",
                ])
        }
    }

    /// Orders that a queue be drained through the gate of a destination; `run` does it.
    /// - Returns: false when there is no such queue or destination, or it drains already.
    func drain(_ name: String, to destination: String) -> Bool {
        guard destinations.contains(where: { $0.name == destination }) else { return false }
        return state.withLock { state in
            guard state.orders[name] == nil, let place = state.found.firstIndex(where: { $0.name == name }) else {
                return false
            }
            state.found[place].reading.trouble = nil
            state.orders[name] = destination
            return true
        }
    }

    /// Carries out orders, one after the other, until the task is cancelled or nothing is left.
    func run() async {
        var turns = 0
        while !Task.isCancelled, state.withLock({ !$0.found.isEmpty }) {
            if let order = state.withLock({ $0.orders.min { $0.key < $1.key } }) {
                let failure = await drain(order.key, through: order.value)
                await look()
                state.withLock { state in
                    state.orders[order.key] = nil
                    guard let place = state.found.firstIndex(where: { $0.name == order.key }) else { return }
                    state.found[place].reading.trouble = failure
                }
                continue
            }
            do { try await world.time.sleep(for: .seconds(1)) } catch { return }
            turns += 1
            // A person may have discarded one meanwhile.
            if turns % 10 == 0 { await look() }
        }
    }

    // MARK: Draining

    /// - Returns: why it could not be drained to the end; `nil` when it was, or when Weir stops.
    private func drain(_ name: String, through destination: String) async -> Reason? {
        guard let gate = destinations.first(where: { $0.name == destination }),
            let directory = all.first(where: { $0.name == name })?.directory
        else { return Reason("gone", "The queue or the destination is gone.") }
        let log = world.log
        do {
            let queue = try await DurableQueue.open(
                directory: directory, settings: QueueSettings(name: name + "-orphan"), world: world)
            state.withLock { $0.draining = (name, queue) }
            let before = queue.level.events
            log.notice(
                "A queue without a destination is drained.",
                metadata: ["queue": "\(name)", "destination": "\(destination)", "queue.events": "\(before)"])
            let failure = await move(queue, into: gate)
            let left = queue.level.events
            state.withLock { $0.draining = nil }
            await queue.close()
            guard failure == nil, left == 0 else { return failure }
            try await onDisk { [world] shelf in
                try QueueShelf.remove(directory, files: world.files)
                // Dead letters stay, where there are any, for a person to look at.
                guard try shelf.entries(name).allSatisfy({ $0.survey.events == 0 }) else { return }
                try QueueShelf.remove(shelf.directory(name), files: world.files)
            }
            log.notice(
                "A queue without a destination is empty and was removed.",
                metadata: ["queue": "\(name)", "destination": "\(destination)", "queue.events": "\(before)"])
            return nil
        } catch {
            return Reason("cannot_drain", "The queue could not be drained: \(error).")
        }
    }

    /// What is under way: settled by the destination, on its own threads.
    private final class Flight: Sendable {
        let state = Mutex((open: 0, lost: Reason?.none))
        var lost: Reason? { state.withLock { $0.lost } }
    }

    private func move(_ queue: DurableQueue, into gate: any Intake) async -> Reason? {
        let flight = Flight()
        do {
            while flight.lost == nil, !Task.isCancelled {
                let records = try await queue.readNow(maxBytes: 1 << 20)
                if records.isEmpty { break }
                for record in records {
                    guard let batch = StoredEvents.batch(record) else {
                        // What no chain has written cannot be sent; an open node drops it in the same way.
                        queue.acknowledge([record])
                        continue
                    }
                    let receipt = try await gate.accept(batch, deadline: nil)
                    flight.state.withLock { $0.open += 1 }
                    receipt.whenSettled { settlement in
                        if settlement == .kept { queue.acknowledge([record]) }
                        flight.state.withLock { flight in
                            flight.open -= 1
                            if case .lost(let reason) = settlement { flight.lost = reason }
                        }
                    }
                }
            }
            while flight.state.withLock({ $0.open > 0 && $0.lost == nil }) {
                try await world.time.sleep(for: .milliseconds(50))
            }
        } catch is CancellationError {
            return nil
        } catch IntakeRefusal.stopped {
            return nil
        } catch {
            return Reason("cannot_drain", "The queue could not be drained: \(error).")
        }
        return flight.lost
    }

    private func onDisk<Value: Sendable>(_ body: @escaping @Sendable (QueueShelf) throws -> Value) async throws -> Value
    {
        let lane = world.blocking.lane("orphans")
        defer { lane.close() }
        let shelf = shelf
        return try await lane.run { try body(shelf) }
    }
}
