internal import Logging
package import NIOCore
internal import NIOPosix
internal import NIOSSL
import Synchronization
package import WeirWorld

/// A hub among several: keeps the registry told of its agents, holds a link to each other hub, and carries clients to
/// agents that are connected there. `Ownership` decides; this acts.
package final class Mesh: Sendable {
    package enum Mode: String, Sendable, Hashable {
        /// Agents are claimed and views compared; nothing is forwarded.
        case shadow
        case active
    }

    package struct Settings: Sendable {
        package var mode: Mode
        package var ownership: Ownership.Settings
        /// Where other hubs come in.
        package var host: String
        package var port: Int
        /// Between two beats; 1 s, less for short leases. Also how long a revocation takes to reach the other hubs.
        package var every: Duration { min(.seconds(1), ownership.lease / 4) }
        /// Of the certificate for links between hubs; renewed at two thirds.
        package var certificateLife = Duration.seconds(90 * 86_400)

        package init(mode: Mode, ownership: Ownership.Settings, host: String, port: Int) {
            self.mode = mode
            self.ownership = ownership
            self.host = host
            self.port = port
        }
    }

    struct State: Sendable {
        var ownership: Ownership
        var peers: [String: Peer] = [:]
        var figures = MeshFigures()
        /// Why the common book of agents could not be read or written.
        var bookFailure: TunnelFailure?
        /// Since when the registry does not answer.
        var failingSince: WallTime?
        var tls: MeshTLS?
        var renewal: WallTime?
        var channel: (any Channel)?
        var refreshed: Moment?
    }

    /// Another hub, from its first appearance until it has gone from the registry and its link has ended.
    struct Peer: Sendable {
        var link: LinkHandle?
        var since: WallTime
        var failure: String?
    }

    package let settings: Settings
    private let registry: any MeshRegistry
    let world: World
    let group: any EventLoopGroup
    let state: Mutex<State>
    let bytes = MeshFigures.Bytes()
    private let wakes: AsyncStream<Void>
    private let wakesIn: AsyncStream<Void>.Continuation

    package init(_ settings: Settings, registry: any MeshRegistry, eventLoops: any EventLoopGroup, world: World) {
        self.settings = settings
        self.registry = registry
        group = eventLoops
        self.world = world
        state = Mutex(State(ownership: Ownership(settings.ownership)))
        (wakes, wakesIn) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    /// Where other hubs come in; for tests, which let the system choose.
    package var port: Int? { state.withLock { $0.channel?.localAddress?.port } }

    // MARK: What the hub says and asks

    func joined(_ agent: AgentRoster.Agent) {
        state.withLock { $0.ownership.joined(agent.id, connectors: agent.connectors, process: agent.instance) }
        wakesIn.yield()
    }

    func left(_ agent: String) {
        state.withLock { $0.ownership.left(agent) }
        wakesIn.yield()
    }

    func judge(_ forward: Forward) -> Ownership.Judgement {
        state.withLock { $0.ownership.judge(forward, at: world.time.now) }
    }

    func count(_ direction: MeshFigures.Direction, _ result: MeshFigures.Result) {
        state.withLock { $0.figures.forwards[direction, default: [:]][result, default: 0] += 1 }
    }

    /// A way to an agent that is connected to another hub.
    struct Route: Sendable {
        var agent: String
        var link: LinkHandle
        var forward: Forward
    }

    /// - Returns: the ways that there are now, and whether there would be more if all links stood.
    func routes(to connector: String) -> (routes: [Route], isCut: Bool) {
        state.withLock { state in
            guard settings.mode == .active else { return ([], false) }
            let all = state.ownership.routes(to: connector, at: world.time.now)
            let routes = all.compactMap { route in
                state.peers[route.hub]?.link.map { link in
                    Route(
                        agent: route.agent, link: link,
                        forward: Forward(agent: route.agent, owner: route.hub, epoch: route.epoch))
                }
            }
            return (routes.sorted { $0.link.streams < $1.link.streams }, routes.count < all.count)
        }
    }

    /// Looks whether the registry says of a connector what is true here.
    /// - Parameter agents: those that are connected here and serve it.
    func compare(_ connector: String, _ agents: [String]) {
        state.withLock { state in
            let now = world.time.now
            let result: MeshFigures.Comparison
            if agents.isEmpty {
                result = state.ownership.routes(to: connector, at: now).isEmpty ? .nobody : .remote
            } else if agents.allSatisfy({ state.ownership.epoch(of: $0, at: now) != nil }) {
                result = .same
            } else {
                let hub = settings.ownership.hub
                let isElsewhere = agents.contains { agent in
                    state.ownership.view.owner(of: agent).map { $0.hub != hub } ?? false
                }
                result = isElsewhere ? .elsewhere : .unowned
            }
            state.figures.comparisons[result, default: 0] += 1
        }
    }

    /// Asks the registry now: what was thought of an owner was not true.
    func refresh(_ hub: Hub) async {
        let isOften = state.withLock { state in
            let now = world.time.now
            defer { state.refreshed = now }
            return state.refreshed.map { now - $0 < Self.refreshEvery } ?? false
        }
        // Many clients may find out at once: those who come later wait for what the first is told.
        if isOften { try? await world.time.sleep(for: Self.refreshEvery) } else { await beat(hub) }
    }

    private static let refreshEvery = Duration.milliseconds(250)

    // MARK: Running

    /// Listens for other hubs.
    package func open(_ trust: HubTrust) async throws(TunnelFailure) {
        try renew(trust)
        do {
            let channel = try await ServerBootstrap(group: group)
                .serverChannelOption(.backlog, value: 128)
                .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
                .childChannelOption(.maxMessagesPerRead, value: 1)
                .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
                .childChannelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture { try self.take(channel, trust) }
                }
                .bind(host: settings.host, port: settings.port).get()
            state.withLock { state in
                state.channel = channel
                guard settings.port == 0, let port = channel.localAddress?.port else { return }
                state.ownership.listens(at: "\(HostPort(host: settings.host, port: port))")
            }
        } catch {
            throw TunnelFailure("listen", "Other hubs cannot come in at \(settings.host):\(settings.port): \(error).")
        }
    }

    /// Who serves what other hubs forward: set once, before `open`.
    private let hub = Mutex<WeakHub>(WeakHub())
    private struct WeakHub: Sendable { weak var hub: Hub? }
    package func attach(_ hub: Hub) { self.hub.withLock { $0.hub = hub } }

    private func take(_ channel: any Channel, _ trust: HubTrust) throws {
        guard let tls = state.withLock({ $0.tls }), let hub = hub.withLock({ $0.hub }) else {
            throw TunnelFailure("not_open", "The mesh is not open yet.")
        }
        let pipeline = channel.pipeline.syncOperations
        try pipeline.addHandler(NIOSSLServerHandler(context: tls.server))
        try pipeline.addHandler(
            MeshShaking(
                trust.authority, within: .seconds(10),
                link: { (_, channel) throws(TunnelFailure) in
                    let session = Self.session(of: hub, .server)
                    let owner = MeshServeOwner(id: hub.nextLink(), hub: hub, mesh: self)
                    return Link(session, owner: owner, random: self.world.random, at: channel.eventLoop.now)
                },
                done: { [world] result in
                    guard case .failure(let failure) = result, failure.code == "not_a_hub" else { return }
                    world.log.warning("A connection to the mesh was refused.", metadata: ["detail": "\(failure)"])
                }))
    }

    private func renew(_ trust: HubTrust) throws(TunnelFailure) {
        let now = world.time.wall
        guard state.withLock({ state in state.renewal.map { now >= $0 } ?? true }) else { return }
        let tls = try MeshTLS(
            trust.authority, hub: settings.ownership.hub, life: settings.certificateLife, at: now)
        state.withLock { state in
            state.tls = tls
            state.renewal = now + settings.certificateLife * 2 / 3
        }
    }

    /// Until the task is cancelled; then the registry is told that this hub goes. Links are drained by the hub.
    package func run(_ hub: Hub) async {
        await withDiscardingTaskGroup { group in
            group.addTask { await self.tick() }
            for await _ in wakes {
                await beat(hub)
                for peer in newPeers() { group.addTask { await self.keep(peer, hub) } }
            }
            state.withLock { $0.channel }?.close(promise: nil)
            await leave()
            group.cancelAll()
        }
    }

    private func tick() async {
        wakesIn.yield()
        while (try? await world.time.sleep(for: settings.every)) != nil { wakesIn.yield() }
    }

    private var incarnation: String { String(world.random.next(), radix: 16) }

    private func beat(_ hub: Hub) async {
        let sent = state.withLock { $0.ownership.beat(at: world.time.now, incarnation: incarnation) }
        do throws(TunnelFailure) {
            let answer = try await registry.beat(sent.beat)
            let (dead, isUrgent) = settle(answer, sent)
            for agent in dead { hub.close(agent, .replaced) }
            if isUrgent { wakesIn.yield() }
            guard !answer.isNameTaken else { return }
            await share(answer, hub)
        } catch {
            fail(error)
        }
    }

    private func settle(_ answer: RegistryAnswer, _ sent: Ownership.Sent) -> (dead: [String], isUrgent: Bool) {
        let now = world.time.now
        let (dead, isUrgent, isBack) = state.withLock { state in
            let before = state.ownership.owned(at: now)
            let dead = state.ownership.answered(answer, to: sent)
            let after = state.ownership.owned(at: now)
            state.figures.beats += 1
            if after < before { state.figures.lost += UInt64(before - after) }
            let isBack = state.failingSince != nil
            state.failingSince = nil
            return (dead, !answer.isNameTaken && state.ownership.isUrgent, isBack)
        }
        if isBack { world.log.notice("The registry of the mesh answers again.") }
        return (dead, isUrgent)
    }

    private func fail(_ failure: TunnelFailure) {
        let isNew = state.withLock { state in
            state.ownership.failed(failure.message)
            state.figures.beatsFailed += 1
            defer { state.failingSince = state.failingSince ?? world.time.wall }
            return state.failingSince == nil
        }
        guard isNew else { return }
        world.log.error(
            "The registry of the mesh does not answer. Agents of this hub are served; others are not reached.",
            metadata: ["detail": "\(failure)"])
    }

    /// What the hubs know of agents together.
    private func share(_ answer: RegistryAnswer, _ hub: Hub) async {
        guard let trust = hub.trust else { return }
        var failure: TunnelFailure?
        do throws(TunnelFailure) {
            try renew(trust)
            for agent in try await trust.share(answer) { hub.close(agent, .ordered("the agent was revoked")) }
        } catch {
            failure = error
        }
        let isNew = state.withLock { state in
            defer { state.bookFailure = failure }
            return failure?.code != state.bookFailure?.code
        }
        if isNew, let failure {
            world.log.error("Hubs cannot share what they know of agents.", metadata: ["detail": "\(failure)"])
        }
    }

    private func leave() async {
        let sent = state.withLock { $0.ownership.leave(at: world.time.now, incarnation: incarnation) }
        _ = try? await registry.beat(sent.beat)
    }
}
