import Logging
import NIOCore
import NIOPosix
import Synchronization
import WeirWorld

@testable import WeirTunnel

/// A hub and agents in this process, joined by plain TCP on loopback.
final class TunnelStage: Sendable {
    let hub: Hub
    let world: World
    let observer = CountingObserver()
    private let meeting = Mutex<(any Channel)?>(nil)

    init(
        targets: [String: Int], listeners: [String], policy: any OpenPolicy = OpenToAll(),
        auditor: (any ConnectionAuditor)? = nil,
        change: (inout Hub.Settings) -> Void = { _ in }
    ) throws {
        var logger = Logger(label: "tunnel", factory: { _ in SwiftLogNoOpLogHandler() })
        logger.logLevel = .critical
        world = World.live(log: logger)
        var settings = Hub.Settings()
        // On a busy machine a test's next step may be seconds away; a dial that is held back waits for it.
        settings.connectTimeout = .seconds(60)
        settings.listeners = listeners.map { .init(name: $0, host: "127.0.0.1", port: 0, connector: $0) }
        change(&settings)
        hub = Hub(settings, policy: policy, observer: observer, auditor: auditor, world: world)
        try hub.open()
    }

    /// Runs hub and agent, and `body` as soon as the agent serves.
    /// - Parameter serves: false: the hub serves only after `body`, and is told to stop before its first client.
    func run(
        targets: [String: Int], links: Int = 1, agent id: String = "site-01", tellsClient: Bool = false,
        serves: Bool = true,
        _ body: @escaping @Sendable (Agent) async throws -> Void
    ) async throws {
        let group = MultiThreadedEventLoopGroup.singleton
        let hub = hub
        let listening = try await ServerBootstrap(group: group)
            .childChannelOption(.autoRead, value: false)
            .childChannelOption(.maxMessagesPerRead, value: 1)
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(
                        hub.link(for: .success(nil), address: nil, at: channel.eventLoop.now))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        var settings = Agent.Settings(id: id)
        settings.targets = targets.mapValues { .init(host: "127.0.0.1", port: $0) }
        settings.links = links
        settings.connectTimeout = .seconds(60)
        if tellsClient { for name in targets.keys { settings.targets[name]?.tellsClient = true } }
        let agent = Agent(
            settings, dialler: PlainDialler(port: listening.localAddress?.port ?? 0), observer: CountingObserver(),
            world: world, eventLoops: group)
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            if serves { tasks.addTask { await hub.run() } }
            tasks.addTask { await agent.run() }
            while hub.roster.agents[id]?.links.count != links { try await Task.sleep(for: .milliseconds(5)) }
            try await body(agent)
            guard serves else {
                // Begins and is stopped in one breath; the agent is there until the hub is done.
                let running = Task { await hub.run() }
                running.cancel()
                await running.value
                return tasks.cancelAll()
            }
            tasks.cancelAll()
        }
        try await listening.close()
    }

    struct PlainDialler: LinkDialler {
        var port: Int
        func dial(on loop: any EventLoop, ready: @escaping @Sendable (any Channel) throws -> Void)
            async throws(TunnelFailure) -> any Channel
        {
            do {
                return try await ClientBootstrap(group: loop)
                    .channelOption(.autoRead, value: false)
                    .channelOption(.maxMessagesPerRead, value: 1)
                    .channelOption(.tcpOption(.tcp_nodelay), value: 1)
                    .channelInitializer { channel in channel.eventLoop.makeCompletedFuture { try ready(channel) } }
                    .connect(host: "127.0.0.1", port: port).get()
            } catch {
                throw TunnelFailure("connect", "\(error)")
            }
        }
    }
}

/// Counts what is told.
final class CountingObserver: TunnelObserver {
    struct Counts: Sendable {
        var connections: [String: Int] = [:]
        var sent = 0
        var received = 0
        var ends: [String: Int] = [:]
        var blocked = 0
        var rated = 0
        var notAccepted = 0
        var mistakes = 0
        var opensRefused: [DialStatus: Int] = [:]
        var door: [DoorEnd: Int] = [:]
    }
    let counts = Mutex(Counts())
    var now: Counts { counts.withLock { $0 } }

    func agentJoined(_ agent: String, connectors: [String], link: UInt64) {}
    func agentLeft(_ agent: String, link: UInt64, _ end: LinkEnd, wasLast: Bool) {}
    func agentRefused(_ code: String) {}
    func agentMistook(_ agent: String, _ mistake: AgentMistake) { counts.withLock { $0.mistakes += 1 } }
    func openRefused(_ status: DialStatus) { counts.withLock { $0.opensRefused[status, default: 0] += 1 } }
    func doorClosed(_ end: DoorEnd) { counts.withLock { $0.door[end, default: 0] += 1 } }
    func decided(_ decision: OpenDecision, connector: String, after: Duration) {}
    func failedToAccept(_ connector: String) { counts.withLock { $0.notAccepted += 1 } }
    func connection(_ connector: String, _ result: ConnectionResult) {
        counts.withLock { $0.connections[result.rawValue, default: 0] += 1 }
    }
    func dialled(_ connector: String, _ reason: StreamReason?, after: Duration) {}
    func meter(_ opening: ConnectionOpening) -> any StreamMeter { Meter(self) }

    final class Meter: StreamMeter {
        let observer: CountingObserver
        init(_ observer: CountingObserver) { self.observer = observer }
        func sent(_ bytes: Int) { observer.counts.withLock { $0.sent += bytes } }
        func received(_ bytes: Int) { observer.counts.withLock { $0.received += bytes } }
        func room(_ bytes: Int) {}
        func drained(_ bytes: Int) {}
        func passed(write: Duration, drain: Duration) {}
        func waits(_ direction: ConnectorFigures.Direction, _ cause: ConnectorFigures.Cause, _ waits: Bool) {
            guard waits else { return }
            observer.counts.withLock { counts in
                if cause == .credit { counts.blocked += 1 }
                if cause == .rate { counts.rated += 1 }
            }
        }
        func finishSent() {}
        func finishReceived() {}
        func ended(_ reason: StreamReason?, byPeer: Bool) {
            observer.counts.withLock { $0.ends[reason?.name ?? "fin", default: 0] += 1 }
        }
    }
}
