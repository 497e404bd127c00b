internal import Logging
internal import NIOCore
internal import Synchronization
package import WeirWorld

/// Connections that are carried now, so that a person, or the policy, can end them.
final class OpenConnections: Sendable {
    struct Place: Sendable {
        var opening: ConnectionOpening
        /// What the policy was asked.
        var question: OpenQuestion
        /// The bandwidth that its decision obliges it to.
        var gate: BandwidthGate?
        var link: LinkHandle
        var stream: UInt32
    }

    private struct State {
        var places: [UInt64: Place] = [:]
        var next: UInt64 = 1
        /// Resumed when the last one has ended.
        var idle: CheckedContinuation<Void, Never>?
    }

    private let state = Mutex(State())

    func add(_ place: Place) -> UInt64 {
        state.withLock { state in
            defer { state.next += 1 }
            state.places[state.next] = place
            return state.next
        }
    }

    func remove(_ id: UInt64) {
        let idle = state.withLock { state in
            state.places[id] = nil
            guard state.places.isEmpty else { return nil as CheckedContinuation<Void, Never>? }
            return state.idle.take()
        }
        idle?.resume()
    }

    /// Until none is open and all that is to be said of them was said. For one who waits.
    func ended() async {
        await withCheckedContinuation { (done: CheckedContinuation<Void, Never>) in
            let isIdle = state.withLock { state in
                if !state.places.isEmpty { state.idle = done }
                return state.places.isEmpty
            }
            if isIdle { done.resume() }
        }
    }

    /// Resets connections of a connector, both sides told.
    /// - Parameter client: an address with or without a port; `nil` for all.
    func reset(_ connector: String, client: String?) -> Int {
        reset(.ordered) { place in
            guard place.opening.connector == connector else { return false }
            guard let client else { return true }
            guard let address = place.opening.client else { return false }
            return address == client || ClientAddress(address)?.host == client
        }
    }

    /// Resets connections, both sides told.
    /// - Returns: how many.
    func reset(_ reason: StreamReason, where isMeant: (Place) -> Bool) -> Int {
        let found = state.withLock { $0.places.values.filter(isMeant) }
        for place in found {
            place.link.loop.execute { place.link.bound.value.end(place.stream, reason) }
        }
        return found.count
    }

    /// What the policy was asked for them, each question once.
    var questions: [DecisionCache.Key: OpenQuestion] {
        state.withLock { state in
            Dictionary(
                state.places.values.map { (DecisionCache.Key($0.question), $0.question) },
                uniquingKeysWith: { first, _ in first })
        }
    }

    /// Those of a connector whose own bandwidth holds them back now, longest first.
    func held(_ connector: String, at now: Moment) -> [HeldConnection] {
        let places = state.withLock { $0.places.values.filter { $0.gate != nil && $0.opening.connector == connector } }
        return places.compactMap { place in
            guard let gate = place.gate, let since = gate.holdsSince(at: now) else { return nil }
            return HeldConnection(client: place.opening.client, rate: gate.rate, since: since)
        }.sorted { $0.since < $1.since }
    }
}

/// A connection that waits for the bandwidth that its decision gave it.
package struct HeldConnection: Sendable, Hashable {
    package var client: String?
    /// In bytes a second.
    package var rate: Int64
    package var since: Moment
}

extension Hub {
    /// Connections of a connector that wait for the bandwidth that their decision gave them, longest first.
    package func held(_ connector: String) -> [HeldConnection] { connections.held(connector, at: world.time.now) }

    /// Resets open connections of a connector; `client` is an address with or without a port, `nil` for all.
    /// - Returns: how many.
    package func close(_ connector: String, client: String?, by who: String) -> Int {
        let count = connections.reset(connector, client: client)
        world.log.notice(
            "Connections were closed by order.",
            metadata: [
                "connector": "\(connector)", "client": "\(client ?? "all")", "by": "\(who)", "connections": "\(count)",
            ])
        return count
    }
}
