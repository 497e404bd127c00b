import NIOCore
import WeirGates
import WeirStore
import WeirWorld

/// Where pushes come in: the gate that holds them, and the patience with a disk that is full.
final class PushDoor: Sendable {
    let book: ConnectorBook
    let settings: ConnectorsSettings
    let world: World

    init(book: ConnectorBook, settings: ConnectorsSettings, world: World) {
        self.book = book
        self.settings = settings
        self.world = world
    }

    /// Suspends while the gate holds pushes back; first come, first served.
    /// - Parameters:
    ///   - bytes: reserved when it returns.
    ///   - deadline: then it is let in all the same.
    func admit(_ id: ConnectorID, bytes: Int64, until deadline: Moment?) async throws(ConnectorFailure) {
        let now = world.time.now
        let ticket = book.withSlot(id) { slot, state -> UInt64? in
            state.nextTicket &+= 1
            return slot.admit(bytes: bytes, ticket: state.nextTicket, now: now) ? nil : state.nextTicket
        }
        guard let ticket else { return }
        if await outcome(id, ticket, until: deadline) == .stopped {
            throw ConnectorFailure(.stopped, "Weir stops; nothing was taken.")
        }
    }

    private func outcome(_ id: ConnectorID, _ ticket: UInt64, until deadline: Moment?) async -> QueueSlot.Outcome {
        guard let deadline else { return await suspended(id, ticket) }
        return await withTaskGroup(of: Void.self) { group in
            group.addTask { [self] in
                do { try await world.time.sleep(until: deadline) } catch { return }
                end(id, ticket, .admitted)
            }
            defer { group.cancelAll() }
            return await suspended(id, ticket)
        }
    }

    private func suspended(_ id: ConnectorID, _ ticket: UInt64) async -> QueueSlot.Outcome {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let outcome = book.withSlot(id) { slot, _ in
                    Task.isCancelled ? slot.cancelled(ticket) : slot.suspend(ticket, continuation)
                }
                if let outcome { continuation.resume(returning: outcome) }
            }
        } onCancel: {
            end(id, ticket, .stopped)
        }
    }

    private func end(_ id: ConnectorID, _ ticket: UInt64, _ outcome: QueueSlot.Outcome) {
        let now = world.time.now
        let continuation = book.withSlot(id) { slot, _ in slot.end(ticket, outcome, now: now) }
        continuation?.resume(returning: outcome)
    }

    /// All that wait are sent away.
    func stop() {
        let now = world.time.now
        for id in book.with({ $0.slots.keys.sorted() }) {
            while let ticket = book.with({ $0.slots[id]?.waiting.first?.ticket }) {
                let continuation = book.withSlot(id) { slot, _ in slot.end(ticket, .stopped, now: now) }
                continuation?.resume(returning: .stopped)
            }
        }
    }

    /// Tries until it is done: a full disk is a state of the gate, not an accident.
    func persistently<Value: Sendable>(
        _ id: ConnectorID, until deadline: Moment?, _ body: () async throws(StoreFailure) -> Value
    ) async throws(ConnectorFailure) -> Value {
        var backoff = Backoff(first: .seconds(1), most: .seconds(10))
        while true {
            let failure: StoreFailure
            do throws(StoreFailure) {
                return try await body()
            } catch {
                failure = error
            }
            guard failure.isWorthWaiting else { throw ConnectorFailure(failure) }
            let wall = world.time.wall
            book.withSlot(id) { slot, _ in _ = slot.trouble(failure.reason, at: wall) }
            let next = world.time.now + backoff.failed(at: world.time.now, random: world.random)
            if let deadline, next >= deadline { throw ConnectorFailure(failure) }
            do { try await world.time.sleep(until: next) } catch {
                throw ConnectorFailure(.stopped, "Weir stops; nothing was taken.")
            }
        }
    }
}

extension StoreFailure {
    /// Space and descriptors come back by themselves.
    fileprivate var isWorthWaiting: Bool {
        switch self {
        case .noSpace, .readOnly, .tooManyFiles: true
        default: false
        }
    }
}
