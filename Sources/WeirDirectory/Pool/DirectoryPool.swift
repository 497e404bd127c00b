import Synchronization
internal import WeirGates
package import WeirWorld

/// Connections to one directory, opened as they are needed and closed when nobody needs them.
///
/// Requests share connections, `window` of them on each; a scan has one for itself, because the cookie of a paged
/// search holds on its own connection alone. A connection that failed is closed, never used again. Whoever finds no
/// room waits, in order, for at most `requestLimit`.
package final class DirectoryPool: Sendable {
    package let settings: DirectorySettings
    package let counters: DirectoryCounters
    let turns = EntryTurns()
    let world: World
    private let state: Mutex<State>
    private let kind: ServerKind?

    private final class Slot: Sendable {
        let connection: DirectoryConnection
        let root: RootEntry

        init(_ connection: DirectoryConnection, _ root: RootEntry) {
            self.connection = connection
            self.root = root
        }
    }

    private struct Place {
        var slot: Slot
        /// Shares that are out; all of them for a scan.
        var shares: Int
        var lastUsed: Moment
    }

    private struct State {
        var places: [ObjectIdentifier: Place] = [:]
        /// Connections that somebody is opening.
        var opening = 0
        var isClosed = false
        /// The root entry as the last opened connection saw it.
        var root: RootEntry?
    }

    /// A connection, or a share of one, for as long as somebody has it.
    package struct Lease: Sendable {
        package let connection: DirectoryConnection
        package let root: RootEntry
        fileprivate let key: ObjectIdentifier
        fileprivate let shares: Int
    }

    /// Wakes those who wait for room.
    private let room = Alarm()

    /// - Parameter kind: what the server is; nil asks it.
    package init(
        _ settings: DirectorySettings, kind: ServerKind? = nil, counters: DirectoryCounters = DirectoryCounters(),
        _ world: World
    ) {
        self.settings = settings
        self.kind = kind
        self.counters = counters
        self.world = world
        state = Mutex(State())
    }

    /// What the server said of itself; connects when nobody has yet.
    package func root() async throws(DirectoryFailure) -> RootEntry {
        if let known = state.withLock({ $0.root }) { return known }
        return try await using { (lease: Lease) in lease.root }
    }

    /// What it last said of itself; nil when nobody has asked.
    package var knownRoot: RootEntry? { state.withLock { $0.root } }

    /// What the server says of itself now.
    package func freshRoot() async throws(DirectoryFailure) -> RootEntry {
        _ = try await root()
        let answer = try await send(.search(.init(base: "", attributes: RootEntry.attributes)))
        guard answer.code == .success, let entry = answer.page.first else {
            throw .unreachable(code: "no_root_entry", text: "\(settings.address): \(answer.sentence)")
        }
        return RootEntry(entry, kind: kind)
    }

    /// Runs `body` with a share of a connection.
    package func using<Value: Sendable>(
        _ body: (Lease) async throws(DirectoryFailure) -> Value
    ) async throws(DirectoryFailure) -> Value {
        let lease = try await take(shares: 1)
        defer { giveBack(lease) }
        return try await body(lease)
    }

    /// A connection for oneself alone, to be given back.
    func borrow() async throws(DirectoryFailure) -> Lease { try await take(shares: settings.window) }

    /// Sends a request, again and again while the server is busy or the connection goes: for requests that are safe to
    /// repeat. The answer of the last attempt is handed back, whatever it is.
    package func send(
        _ request: DirectoryRequest, controls: [DirectoryControl] = [], limit: Duration? = nil
    ) async throws(DirectoryFailure) -> DirectoryAnswer {
        try await retrying { () async throws(DirectoryFailure) in
            try await self.once(request, controls: controls, limit: limit)
        }
    }

    /// Sends a request once, and counts it.
    func once(
        _ request: DirectoryRequest, controls: [DirectoryControl] = [], limit: Duration? = nil
    ) async throws(DirectoryFailure) -> DirectoryAnswer {
        let begun = world.time.now
        do throws(DirectoryFailure) {
            let answer = try await using { (lease) async throws(DirectoryFailure) in
                try await lease.connection.send(request, controls: controls, limit: limit)
            }
            counters.answered(request.word, answer.code, (world.time.now - begun).inSeconds)
            return answer
        } catch {
            counters.failed(request.word, error.code)
            throw error
        }
    }

    /// Runs `body` until it neither fails in passing nor is answered so, at most `attempts` times, with growing waits.
    func retrying(
        _ body: () async throws(DirectoryFailure) -> DirectoryAnswer
    ) async throws(DirectoryFailure) -> DirectoryAnswer {
        var backoff = Backoff(first: settings.retryFirst, most: settings.retryMost)
        var attempt = 1
        while true {
            do throws(DirectoryFailure) {
                let answer = try await body()
                if !answer.code.isPassing || attempt >= settings.attempts { return answer }
            } catch {
                if !error.isPassing || attempt >= settings.attempts { throw error }
            }
            attempt += 1
            counters.retried()
            let wait = backoff.failed(at: world.time.now, random: world.random)
            do {
                try await world.time.sleep(for: wait)
            } catch {
                throw .cancelled
            }
        }
    }

    package func close() {
        let slots = state.withLock { state in
            state.isClosed = true
            defer { state.places = [:] }
            return state.places.values.map(\.slot)
        }
        for slot in slots { slot.connection.close() }
        room.poke()
    }

    /// Open connections, and shares of them that are out.
    package var load: (connections: Int, shares: Int) {
        state.withLock { ($0.places.count, $0.places.values.reduce(0) { $0 + $1.shares }) }
    }

    // MARK: places

    private enum Found {
        case lease(Lease, mustProve: Bool)
        case open
        case wait
        case closed
    }

    private func take(shares: Int) async throws(DirectoryFailure) -> Lease {
        let end = world.time.now + settings.requestLimit
        while true {
            switch find(shares) {
            case .closed: throw .unreachable(code: "closed", text: "the connections to \(settings.address) are closed")
            case .lease(let lease, let mustProve):
                guard mustProve else { return lease }
                if await isAlive(lease) { return lease }
                lease.connection.close()
                giveBack(lease)
            case .open: return try await open(shares)
            case .wait:
                if Task.isCancelled { throw .cancelled }
                guard world.time.now < end else { throw .timedOut(after: settings.requestLimit) }
                await room.wait(until: end, world.time)
            }
        }
    }

    private func find(_ shares: Int) -> Found {
        let now = world.time.now
        var stale: [DirectoryConnection] = []
        let found: Found = state.withLock { state in
            if state.isClosed { return .closed }
            for (key, place) in state.places where place.shares == 0 {
                if place.slot.connection.isOver || now - place.lastUsed >= settings.idleLimit {
                    stale.append(place.slot.connection)
                    state.places[key] = nil
                }
            }
            // The most used one that still has room, so that the others may grow idle and be closed.
            let fitting = state.places
                .filter { $0.value.shares + shares <= settings.window && !$0.value.slot.connection.isOver }
                .max { ($0.value.shares, $0.value.lastUsed) < ($1.value.shares, $1.value.lastUsed) }
            if let (key, place) = fitting {
                let mustProve = place.shares == 0 && now - place.lastUsed >= settings.keepaliveAfter
                state.places[key]?.shares += shares
                state.places[key]?.lastUsed = now
                let lease = Lease(connection: place.slot.connection, root: place.slot.root, key: key, shares: shares)
                return .lease(lease, mustProve: mustProve)
            }
            guard state.places.count + state.opening < settings.poolSize else { return .wait }
            state.opening += 1
            return .open
        }
        for connection in stale { connection.close() }
        return found
    }

    private func open(_ shares: Int) async throws(DirectoryFailure) -> Lease {
        var isCounted = true
        do throws(DirectoryFailure) {
            let connection = try await DirectoryConnection.open(settings, world)
            let root = try await readRoot(connection)
            isCounted = false
            let slot = Slot(connection, root)
            let key = ObjectIdentifier(slot)
            let isKept = state.withLock { state in
                state.opening -= 1
                guard !state.isClosed else { return false }
                state.root = root
                state.places[key] = Place(slot: slot, shares: shares, lastUsed: world.time.now)
                return true
            }
            room.poke()
            guard isKept else {
                connection.close()
                throw .unreachable(code: "closed", text: "the connections to \(settings.address) are closed")
            }
            return Lease(connection: connection, root: root, key: key, shares: shares)
        } catch {
            if isCounted { state.withLock { $0.opening -= 1 } }
            room.poke()
            throw error
        }
    }

    func giveBack(_ lease: Lease) {
        let isOver = lease.connection.isOver
        let ended: DirectoryConnection? = state.withLock { state in
            guard var place = state.places[lease.key] else { return nil }
            place.shares -= lease.shares
            place.lastUsed = world.time.now
            if isOver, place.shares == 0 {
                state.places[lease.key] = nil
                return place.slot.connection
            }
            state.places[lease.key] = place
            return nil
        }
        ended?.close()
        room.poke()
    }

    private func isAlive(_ lease: Lease) async -> Bool {
        (try? await readRoot(lease.connection)) != nil
    }

    private func readRoot(_ connection: DirectoryConnection) async throws(DirectoryFailure) -> RootEntry {
        let request = DirectoryRequest.search(.init(base: "", attributes: RootEntry.attributes))
        let answer = try await connection.send(request, limit: settings.connectLimit)
        guard answer.code == .success, let entry = answer.page.first else {
            throw .unreachable(
                code: "no_root_entry", text: "\(settings.address) shows no root entry: \(answer.sentence)")
        }
        return RootEntry(entry, kind: kind)
    }
}
