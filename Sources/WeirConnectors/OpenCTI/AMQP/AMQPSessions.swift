import Synchronization
internal import WeirWorld

/// The open connections of the ingress: how many, whose, and how to end them.
final class AMQPSessions: Sendable {
    struct Entry: Sendable {
        var connector: ConnectorID?
        /// Says goodbye, with these words.
        var stop: @Sendable (String) -> Void
        /// Closes without a word.
        var close: @Sendable () -> Void
    }

    private struct State {
        var entries: [ObjectIdentifier: Entry] = [:]
        var perConnector: [ConnectorID: Int] = [:]
        /// Those that have not shown whose they are, the oldest first.
        var strangers: [ObjectIdentifier] = []
        var isStopping = false
        var waiters: [CheckedContinuation<Void, Never>] = []
        var counts = AMQPCounts()
        var toldTLS: Moment?
    }

    /// How often the log says that somebody's TLS failed: who cannot come in tries again and again.
    private static let tellsEvery = Duration.seconds(60)

    private let most: Int
    private let strangersMost: Int
    private let perConnectorMost: Int
    private let held = Atomic<Int>(0)
    private let heldMost: Int
    private let state = Mutex(State())

    /// - Parameter most: connections at once. Half of them may be strangers; then the oldest stranger goes, so that a
    ///   flood of connections that never log in does not keep those out that do.
    init(most: Int, perConnectorMost: Int, heldMost: Int) {
        self.most = most
        strangersMost = max(1, most / 2)
        self.perConnectorMost = perConnectorMost
        self.heldMost = heldMost
    }

    var counts: AMQPCounts {
        var counts = state.withLock { state in
            var counts = state.counts
            counts.open = state.entries.count
            return counts
        }
        counts.heldBytes = held.load(ordering: .relaxed)
        return counts
    }

    /// While there is none, connections wait in the kernel's backlog.
    var hasRoom: Bool { state.withLock { $0.entries.count < most } }

    /// Takes a connection in, or not.
    func enter(_ id: ObjectIdentifier, _ entry: Entry) -> Bool {
        let (isIn, oldest) = state.withLock { state -> (Bool, Entry?) in
            guard !state.isStopping, state.entries.count < most else {
                state.counts.refused += 1
                return (false, nil)
            }
            state.counts.accepted += 1
            state.entries[id] = entry
            state.strangers.append(id)
            guard state.strangers.count > strangersMost else { return (true, nil) }
            state.counts.crowdedOut += 1
            return (true, state.entries[state.strangers.removeFirst()])
        }
        oldest?.close()
        return isIn
    }

    /// A connection has shown whose it is.
    func name(_ id: ObjectIdentifier, _ connector: ConnectorID) -> Bool {
        state.withLock { state in
            guard state.entries[id] != nil, state.perConnector[connector, default: 0] < perConnectorMost else {
                return false
            }
            state.entries[id]?.connector = connector
            state.strangers.removeAll { $0 == id }
            state.perConnector[connector, default: 0] += 1
            return true
        }
    }

    func leave(_ id: ObjectIdentifier) {
        let waiters = state.withLock { state -> [CheckedContinuation<Void, Never>] in
            guard let entry = state.entries.removeValue(forKey: id) else { return [] }
            if entry.connector == nil { state.strangers.removeAll { $0 == id } }
            if let connector = entry.connector {
                let left = state.perConnector[connector, default: 1] - 1
                state.perConnector[connector] = left > 0 ? left : nil
            }
            guard state.entries.isEmpty else { return [] }
            defer { state.waiters = [] }
            return state.waiters
        }
        for waiter in waiters { waiter.resume() }
    }

    /// Whether the log may say it now.
    func tellsTLS(at now: Moment) -> Bool {
        state.withLock { state in
            if let told = state.toldTLS, now - told < Self.tellsEvery { return false }
            state.toldTLS = now
            return true
        }
    }

    func count(_ change: (inout AMQPCounts) -> Void) { state.withLock { change(&$0.counts) } }

    /// Ends the connections of one connector.
    func stop(_ connector: ConnectorID, _ text: String) {
        let entries = state.withLock { $0.entries.values.filter { $0.connector == connector } }
        for entry in entries { entry.stop(text) }
    }

    /// Lets nobody in any more and ends all that are open.
    func stopAll(_ text: String) {
        let entries = state.withLock { state in
            state.isStopping = true
            return Array(state.entries.values)
        }
        for entry in entries { entry.stop(text) }
    }

    func closeAll() {
        let entries = state.withLock { Array($0.entries.values) }
        for entry in entries { entry.close() }
    }

    func untilEmpty() async {
        await withCheckedContinuation { continuation in
            let isEmpty = state.withLock { state in
                if state.entries.isEmpty { return true }
                state.waiters.append(continuation)
                return false
            }
            if isEmpty { continuation.resume() }
        }
    }

    // MARK: Bytes that all connections hold together

    var holdsTooMuch: Bool { held.load(ordering: .relaxed) > heldMost }
    func take(_ bytes: Int) { held.wrappingAdd(bytes, ordering: .relaxed) }
    func give(_ bytes: Int) { held.wrappingSubtract(bytes, ordering: .relaxed) }
}

/// What the ingress has seen; all but `open` and `heldBytes` only grow.
package struct AMQPCounts: Sendable, Hashable {
    package var open = 0
    package var accepted = 0
    /// Over the limit of connections, or while stopping.
    package var refused = 0
    package var loginsRefused = 0
    /// Closed before they had logged in, because too many others had not either.
    package var crowdedOut = 0
    /// Messages that are durable.
    package var taken = 0
    package var takenBytes = 0
    /// Messages answered with a nack, a return or a closed channel.
    package var notTaken = 0
    /// In memory, of messages that the platform has not taken yet.
    package var heldBytes = 0
}
