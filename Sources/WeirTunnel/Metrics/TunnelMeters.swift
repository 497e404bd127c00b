internal import Synchronization
internal import WeirGates
package import WeirWorld

/// Counts what a hub does, for metrics, page and command line. Counters have a lock for each connector, open
/// connections one each, which only their event loop and the occasional look take.
package final class TunnelMeters: TunnelObserver {
    private let time: any TimeSource
    private let connectors: Mutex<[String: ConnectorMeter]>
    private let agents = Mutex(AgentFigures.Book())

    /// - Parameter connectors: those of the configuration, so that their series are there from the start.
    package init(connectors: [String], time: any TimeSource) {
        self.time = time
        self.connectors = Mutex(
            Dictionary(connectors.map { ($0, ConnectorMeter(time: time)) }, uniquingKeysWith: { first, _ in first }))
    }

    private func connector(_ name: String) -> ConnectorMeter {
        connectors.withLock { connectors in
            if let known = connectors[name] { return known }
            let made = ConnectorMeter(time: time)
            connectors[name] = made
            return made
        }
    }

    // MARK: Looks

    package var names: [String] { connectors.withLock { $0.keys.sorted() } }

    package func figures(of name: String) -> ConnectorFigures? {
        connectors.withLock { $0[name] }?.figures
    }

    /// Its open connections, in no order.
    package func connections(of name: String) -> [ConnectionFigures] {
        connectors.withLock { $0[name] }?.connections ?? []
    }

    package var agentFigures: AgentFigures.Book { agents.withLock { $0 } }

    // MARK: Observing

    package func agentJoined(_ agent: String, connectors: [String], link: UInt64) {
        agents.withLock { $0.joined(agent, at: time.wall) }
    }

    package func agentLeft(_ agent: String, link: UInt64, _ end: LinkEnd, wasLast: Bool) {
        agents.withLock { $0.left(agent, reason: end.name, wasLast: wasLast, at: time.wall) }
    }

    package func agentRefused(_ code: String) { agents.withLock { $0.refused[code, default: 0] += 1 } }

    package func agentMistook(_ agent: String, _ mistake: AgentMistake) {
        agents.withLock { $0.mistook(agent, mistake) }
    }

    package func openRefused(_ status: DialStatus) { agents.withLock { $0.opensRefused[status, default: 0] += 1 } }

    package func doorClosed(_ end: DoorEnd) { agents.withLock { $0.doorEnds[end, default: 0] += 1 } }

    package func decided(_ decision: OpenDecision, connector name: String, after: Duration) {
        connector(name).count { figures in
            figures.verdicts[.init(result: decision.result, source: decision.source), default: 0] += 1
            if decision.source == .pdp { figures.decisions.record(after.inSeconds) }
            if decision.result == .error { figures.errors[.pdp, default: 0] += 1 }
        }
    }

    package func connection(_ name: String, _ result: ConnectionResult) {
        connector(name).count { $0.results[result, default: 0] += 1 }
    }

    package func dialled(_ name: String, _ reason: StreamReason?, after: Duration) {
        connector(name).count { figures in
            if reason == nil {
                figures.dials.record(after.inSeconds)
            } else {
                figures.failedDials.record(after.inSeconds)
                figures.errors[.dial, default: 0] += 1
            }
        }
    }

    package func failedToAccept(_ name: String) { connector(name).count { $0.errors[.accept, default: 0] += 1 } }

    package func meter(_ opening: ConnectionOpening) -> any StreamMeter {
        ConnectionMeter(opening, of: connector(opening.connector), time: time)
    }
}

extension Duration {
    var inSeconds: Double { Double(nanoseconds) / 1e9 }
}

/// The counters of one connector.
final class ConnectorMeter: Sendable {
    private let time: any TimeSource
    private let counted = Mutex(ConnectorFigures())
    private let open = Mutex(Open())

    private struct Open {
        var connections: [UInt64: ConnectionMeter] = [:]
        var next: UInt64 = 1
    }

    init(time: any TimeSource) { self.time = time }

    func count(_ change: (inout ConnectorFigures) -> Void) { counted.withLock { change(&$0) } }

    func opened(_ connection: ConnectionMeter) -> UInt64 {
        open.withLock { open in
            defer { open.next += 1 }
            open.connections[open.next] = connection
            return open.next
        }
    }

    func ended(_ id: UInt64) { open.withLock { $0.connections[id] = nil } }

    var connections: [ConnectionFigures] {
        let meters = open.withLock { Array($0.connections.values) }
        return meters.map(\.figures)
    }

    /// Counted, with what open connections have added since they began.
    var figures: ConnectorFigures {
        var all = counted.withLock { $0 }
        let now = time.now
        for connection in connections {
            all.bytesToTarget += connection.bytesToTarget
            all.bytesToClient += connection.bytesToClient
            for (wait, since) in connection.waits { all.waited[wait, default: 0] += (now - since).nanoseconds }
        }
        return all
    }
}

/// Measures one connection at the hub. Told by its event loop, looked at from anywhere.
final class ConnectionMeter: StreamMeter, Sendable {
    private let connector: ConnectorMeter
    private let time: any TimeSource
    private let began: Moment
    private let state: Mutex<ConnectionFigures>

    init(_ opening: ConnectionOpening, of connector: ConnectorMeter, time: any TimeSource) {
        self.connector = connector
        self.time = time
        began = time.now
        state = Mutex(ConnectionFigures(id: 0, opening: opening))
        let id = connector.opened(self)
        state.withLock { $0.id = id }
    }

    var figures: ConnectionFigures { state.withLock { $0 } }

    func sent(_ bytes: Int) { state.withLock { $0.bytesToTarget += UInt64(bytes) } }

    func received(_ bytes: Int) {
        state.withLock { state in
            state.bytesToClient += UInt64(bytes)
            state.queued += bytes
        }
    }

    func room(_ bytes: Int) { state.withLock { $0.room = bytes } }

    func drained(_ bytes: Int) { state.withLock { $0.queued -= bytes } }

    func passed(write: Duration, drain: Duration) {
        connector.count { figures in
            figures.write.record(write.inSeconds)
            figures.drain.record(drain.inSeconds)
        }
    }

    func waits(_ direction: ConnectorFigures.Direction, _ cause: ConnectorFigures.Cause, _ waits: Bool) {
        let wait = ConnectorFigures.Wait(direction: direction, cause: cause)
        let now = time.now
        let since = state.withLock { state -> Moment? in
            guard waits else { return state.waits.removeValue(forKey: wait) }
            if state.waits[wait] == nil { state.waits[wait] = now }
            return nil
        }
        if let since { connector.count { $0.waited[wait, default: 0] += (now - since).nanoseconds } }
    }

    func finishSent() { connector.count { $0.finishesSent += 1 } }
    func finishReceived() { connector.count { $0.finishesReceived += 1 } }

    func ended(_ reason: StreamReason?, byPeer: Bool) {
        let last = figures
        let now = time.now
        connector.ended(last.id)
        connector.count { figures in
            figures.bytesToTarget += last.bytesToTarget
            figures.bytesToClient += last.bytesToClient
            for (wait, since) in last.waits { figures.waited[wait, default: 0] += (now - since).nanoseconds }
            figures.durations.record((now - began).inSeconds)
            figures.ends[.init(reason, byPeer: byPeer), default: 0] += 1
            if reason != nil {
                if byPeer { figures.resetsReceived += 1 } else { figures.resetsSent += 1 }
            }
            if reason == .sessionLost { figures.errors[.session, default: 0] += 1 }
            if reason == .writeFailed { figures.errors[.write, default: 0] += 1 }
        }
    }
}
