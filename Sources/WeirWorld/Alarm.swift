import Synchronization

/// A sleep that can be cut short: a task waits, anybody pokes.
///
/// For a loop that looks at its own state, does what there is to do, and waits until something may have changed:
///
///     while !isOver {
///         while let work = next() { … }
///         await alarm.wait()
///     }
///
/// A poke carries nothing and means "look again". While nobody waits it is kept, once: a change between the look and
/// the wait is not missed, a thousand of them wake the loop once, and an alarm never grows with the pokes. So a wait
/// may end without a reason, and whoever waits looks before acting.
///
/// Mostly one task waits. When several do, a poke wakes them all.
package final class Alarm: Sendable {
    private struct State {
        var isPoked = false
        var nextTicket: UInt64 = 0
        /// One for each task that waits.
        var waiting: [(ticket: UInt64, continuation: CheckedContinuation<Void, Never>)] = []

        /// - Returns: true when a poke was kept; it is used up.
        mutating func takePoke() -> Bool {
            defer { isPoked = false }
            return isPoked
        }
    }

    private let state = Mutex(State())

    package init() {}

    /// Wakes whoever waits, or whoever waits next. May be called from anywhere, also under a lock of the caller.
    package func poke() {
        let woken = state.withLock { state in
            defer { state.waiting = [] }
            state.isPoked = state.waiting.isEmpty
            return state.waiting
        }
        for waiter in woken { waiter.continuation.resume() }
    }

    /// Returns when poked, at once where a poke was kept, or when the task is cancelled. A cancelled wait takes no poke
    /// that another could use.
    package func wait() async {
        let ticket = state.withLock { state in
            state.nextTicket += 1
            return state.nextTicket
        }
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isOver = state.withLock { state in
                    if Task.isCancelled || state.takePoke() { return true }
                    state.waiting.append((ticket, continuation))
                    return false
                }
                if isOver { continuation.resume() }
            }
        } onCancel: {
            let waiter = state.withLock { state in
                state.waiting.firstIndex { $0.ticket == ticket }.map { state.waiting.remove(at: $0) }
            }
            waiter?.continuation.resume()
        }
    }

    /// Returns when poked, at the moment, or when the task is cancelled, whichever is first.
    /// - Parameters:
    ///   - moment: `.distantFuture` waits for a poke alone.
    ///   - time: the world's.
    package func wait(until moment: Moment, _ time: any TimeSource) async {
        if moment == .distantFuture { return await wait() }
        if Task.isCancelled || state.withLock({ $0.takePoke() }) { return }
        await withTaskGroup(of: Void.self) { group in
            group.addTask { try? await time.sleep(until: moment) }
            group.addTask { await self.wait() }
            await group.next()
            group.cancelAll()
        }
    }
}
