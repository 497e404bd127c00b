package import NIOCore
import Synchronization

/// Dials one of several hubs: the one that was good last, and when it does not answer, the next, round and round. All
/// links of an agent go to the same hub for as long as it is there.
package final class HubDiallers: LinkDialler {
    private let hubs: [any LinkDialler]
    private let state = Mutex(State())

    private struct State {
        var place = 0
        /// Somebody has dialled since the last move: links that are lost together move on once.
        var isTried = false
    }

    /// - Parameter hubs: at least one.
    package init(_ hubs: [any LinkDialler]) {
        precondition(!hubs.isEmpty, "there is no hub to dial")
        self.hubs = hubs
    }

    package func dial(
        on loop: any EventLoop, ready: @escaping @Sendable (any Channel) throws -> Void
    ) async throws(TunnelFailure) -> any Channel {
        let first = state.withLock { state in
            state.isTried = true
            return state.place
        }
        var failures: [String] = []
        for offset in hubs.indices {
            let place = (first + offset) % hubs.count
            do throws(TunnelFailure) {
                let channel = try await hubs[place].dial(on: loop, ready: ready)
                state.withLock { $0.place = place }
                return channel
            } catch  where hubs.count > 1 {
                failures.append(error.message)
            }
        }
        throw TunnelFailure("connect", failures.joined(separator: " "))
    }

    package func moveOn() {
        state.withLock { state in
            guard state.isTried else { return }
            state.isTried = false
            state.place = (state.place + 1) % hubs.count
        }
    }
}
