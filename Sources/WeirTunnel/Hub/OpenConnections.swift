internal import Logging
internal import NIOCore
internal import Synchronization
internal import WeirWorld

/// Connections that are carried now, so that a person can end them.
final class OpenConnections: Sendable {
    private struct Place: Sendable {
        var opening: ConnectionOpening
        var link: LinkHandle
        var stream: UInt32
    }

    private struct State {
        var places: [UInt64: Place] = [:]
        var next: UInt64 = 1
    }

    private let state = Mutex(State())

    func add(_ opening: ConnectionOpening, _ link: LinkHandle, _ stream: UInt32) -> UInt64 {
        state.withLock { state in
            defer { state.next += 1 }
            state.places[state.next] = Place(opening: opening, link: link, stream: stream)
            return state.next
        }
    }

    func remove(_ id: UInt64) { state.withLock { $0.places[id] = nil } }

    /// Resets connections of a connector, both sides told.
    /// - Parameter client: an address with or without a port; `nil` for all.
    func reset(_ connector: String, client: String?) -> Int {
        let found = state.withLock { state in
            state.places.values.filter { place in
                guard place.opening.connector == connector else { return false }
                guard let client else { return true }
                guard let address = place.opening.client else { return false }
                return address == client || ClientAddress(address)?.host == client
            }
        }
        for place in found {
            place.link.loop.execute { place.link.bound.value.end(place.stream, .ordered) }
        }
        return found.count
    }
}

extension Hub {
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
