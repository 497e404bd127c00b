import DequeModule
import Synchronization

/// One write at a time to one entry, in the order in which they were asked for.
///
/// slapd carries the requests of one connection out side by side and answers in any order (RFC 4511 allows it): of
/// 2,000 alternating adds and deletes of one value with eight out at once, 384 met each other. Between entries there
/// is no order to keep.
package final class EntryTurns: Sendable {
    private struct Line {
        var waiting: Deque<(ticket: UInt64, continuation: CheckedContinuation<Bool, Never>)> = []
    }

    private struct State {
        /// By the key of the name; there while somebody writes to it.
        var lines: [String: Line] = [:]
        var nextTicket: UInt64 = 0
    }

    private let state = Mutex(State())

    package init() {}

    /// Runs `body` when nobody who asked before still writes to the entry.
    /// - Throws: what `body` throws; `cancelled` when the task was cancelled before its turn.
    package func run<Value>(
        _ key: String, _ body: () async throws(DirectoryFailure) -> Value
    ) async throws(DirectoryFailure) -> Value {
        guard await enter(key) else { throw .cancelled }
        defer { leave(key) }
        return try await body()
    }

    /// Who writes to the entry or waits for it.
    package func count(_ key: String) -> Int {
        state.withLock { state in state.lines[key].map { $0.waiting.count + 1 } ?? 0 }
    }

    private func enter(_ key: String) async -> Bool {
        let ticket = state.withLock { state in
            state.nextTicket += 1
            return state.nextTicket
        }
        return await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let mayGo: Bool? = state.withLock { state in
                    if Task.isCancelled { return false }
                    guard state.lines[key] != nil else {
                        state.lines[key] = Line()
                        return true
                    }
                    state.lines[key]?.waiting.append((ticket, continuation))
                    return nil
                }
                if let mayGo { continuation.resume(returning: mayGo) }
            }
        } onCancel: {
            let waiter: CheckedContinuation<Bool, Never>? = state.withLock { state in
                guard let place = state.lines[key]?.waiting.firstIndex(where: { $0.ticket == ticket }) else {
                    return nil
                }
                return state.lines[key]?.waiting.remove(at: place).continuation
            }
            waiter?.resume(returning: false)
        }
    }

    private func leave(_ key: String) {
        let next: CheckedContinuation<Bool, Never>? = state.withLock { state in
            guard let first = state.lines[key]?.waiting.popFirst() else {
                state.lines[key] = nil
                return nil
            }
            return first.continuation
        }
        next?.resume(returning: true)
    }
}
