internal import Logging
internal import NIOCore
internal import NIOPosix
import Synchronization
package import WeirWorld

/// Where clients come in and agents are met: accepts clients at its listeners, asks the rules and the policy, opens a
/// stream to an agent that serves the listener's connector, and joins the two.
///
/// A client is read only after its target has answered. What is refused, unreachable or too slow is refused to the
/// client with RST before a byte of it was taken.
package final class Hub: Sendable {
    package let settings: Settings
    let world: World
    let policy: any OpenPolicy
    /// Who agents are; `nil` takes everybody at his word (tests, and nothing else).
    package let trust: HubTrust?
    let observer: any TunnelObserver
    let auditor: (any ConnectionAuditor)?
    /// The other hubs; `nil` for a hub alone.
    package let mesh: Mesh?
    let state: Mutex<State>
    let clients: AsyncStream<Admitted>
    let clientsIn: AsyncStream<Admitted>.Continuation
    let connections = OpenConnections()
    /// Bandwidth limits, by connector.
    package let gates: [String: BandwidthGate]

    struct State {
        var roster = AgentRoster()
        var rules: ListenerRules
        var acceptor: ClientAcceptor?
        var lane: (any BlockingLane)?
        var nextLink: UInt64 = 1
        var nextConnection: UInt64 = 1
        var ports: [Int] = []
        /// All links that were welcomed and have not ended, those that drain included.
        var links: [UInt64: LinkHandle] = [:]
        var isStopping = false
        /// Resumed when the last link has ended.
        var idle: CheckedContinuation<Void, Never>?

        mutating func drop(_ link: UInt64) {
            links[link] = nil
            guard links.isEmpty else { return }
            idle?.resume()
            idle = nil
        }
    }

    package init(
        _ settings: Settings, policy: any OpenPolicy = OpenToAll(), trust: HubTrust? = nil,
        observer: any TunnelObserver, auditor: (any ConnectionAuditor)? = nil,
        mesh: Mesh? = nil, world: World
    ) {
        self.settings = settings
        self.policy = policy
        self.trust = trust
        self.observer = observer
        self.auditor = auditor
        self.mesh = mesh
        gates = settings.bandwidth.mapValues { BandwidthGate(rate: $0) }
        state = Mutex(
            State(
                rules: ListenerRules(
                    settings.listeners.map(\.limits), totalMost: settings.connectionsMost,
                    connectorMost: settings.connectorMost)))
        self.world = world
        // Bounded by `connectionsMost`: the rules are asked before.
        (clients, clientsIn) = AsyncStream.makeStream(bufferingPolicy: .unbounded)
    }

    /// What is known of the agents now.
    package var roster: AgentRoster { state.withLock { $0.roster } }
    /// The ports of the listeners, in their order.
    package var ports: [Int] { state.withLock { $0.ports } }

    // MARK: Links

    /// The handler for a link. Add it last to the link's channel.
    /// - Parameter proof: who TLS or the upgrade say the agent is; `nil` when it has to say so itself; a failure when
    ///   what it has shown is not good.
    func link(
        for proof: Result<AgentIdentity?, TunnelFailure>, address: String?, at now: NIODeadline
    ) -> Link {
        let id = nextLink()
        let owner = HubLinkOwner(proof, address: address, id: id, hub: self)
        var session = settings.session
        session.role = .server
        return Link(session, owner: owner, random: world.random, at: now)
    }

    /// A number for a link, another one for each.
    func nextLink() -> UInt64 {
        state.withLock { state in
            defer { state.nextLink += 1 }
            return state.nextLink
        }
    }

    /// A link to another hub: it is drained with the others when this hub stops.
    func adopt(_ link: LinkHandle) {
        let isStopping = state.withLock { state in
            state.links[link.id] = link
            return state.isStopping
        }
        if isStopping { link.drain() }
    }

    func dropped(_ link: UInt64) { state.withLock { $0.drop(link) } }

    func joined(_ agent: AgentRoster.Agent, _ link: LinkHandle) {
        let (isStopping, replaced) = state.withLock { state in
            state.links[link.id] = link
            return (state.isStopping, state.isStopping ? [] : state.roster.joined(agent, link))
        }
        if isStopping { link.drain() }
        for old in replaced { old.close(.replaced) }
        if !isStopping { mesh?.joined(agent) }
        observer.agentJoined(agent.id, connectors: agent.connectors.sorted(), link: link.id)
        world.log.notice(
            "An agent has connected.",
            metadata: ["agent": "\(agent.id)", "agent.version": "\(agent.version)", "link": "\(link.id)"])
    }

    func left(_ agent: String, link: UInt64, _ end: LinkEnd) {
        let wasLast = state.withLock { state in
            _ = state.roster.left(link, of: agent)
            state.drop(link)
            return state.roster.agents[agent] == nil
        }
        if wasLast { mesh?.left(agent) }
        observer.agentLeft(agent, link: link, end, wasLast: wasLast)
        world.log.notice(
            wasLast ? "An agent has gone." : "A link of an agent has ended.",
            metadata: ["agent": "\(agent)", "link": "\(link)", "reason": "\(end)"])
    }

    /// The link takes no new streams; those that are open go on.
    func drains(_ agent: String, link: UInt64) {
        if state.withLock({ $0.roster.left(link, of: agent) }) { mesh?.left(agent) }
    }

    func refused(_ agent: String, _ failure: TunnelFailure) {
        observer.agentRefused(failure.code)
        // The name is the agent's word only.
        let name = AgentIdentity.isName(agent) ? agent : "?"
        world.log.warning(
            "An agent was refused.",
            metadata: ["agent": "\(name)", "reason": "\(failure.code)", "detail": "\(failure.message)"])
    }

    func renewed(_ agent: String, until expiry: WallTime) { state.withLock { $0.roster.renewed(agent, until: expiry) } }

    /// Strikes an agent out and closes its links with all their streams.
    package func revoke(_ agent: String, by who: String, why: String) async throws(TunnelFailure) {
        guard let trust else { throw TunnelFailure("no_enrolment", "This hub knows no enrolled agents.") }
        try await trust.revoke(agent, by: who, why: why)
        close(agent, .ordered("the agent was revoked"))
    }

    /// Closes an agent's links with all their streams.
    func close(_ agent: String, _ end: LinkEnd) {
        for link in roster.agents[agent]?.links ?? [] { link.close(end) }
    }

    // MARK: Running

    let errands = Errands()

    /// Listens for clients.
    package func open() throws(TunnelFailure) {
        var descriptors: [CInt] = []
        var ports: [Int] = []
        for listener in settings.listeners {
            do {
                let address = try SocketAddress.makeAddressResolvingHost(listener.host, port: listener.port)
                let descriptor = try ClientAcceptor.listen(address)
                descriptors.append(descriptor)
                ports.append(ClientAcceptor.port(of: descriptor))
            } catch {
                for descriptor in descriptors { ClientAcceptor.refuse(descriptor) }
                throw (error as? TunnelFailure)
                    ?? TunnelFailure("listen", "`\(listener.name)`: \(listener.host) is no address: \(error)")
            }
        }
        let acceptor = try ClientAcceptor(
            descriptors, balancers: settings.listeners.map(\.balancers), time: world.time,
            accepted: { [weak self] client in
                if let self { admit(client) } else { ClientAcceptor.refuse(client.descriptor) }
            },
            failed: { [weak self] listener in
                guard let self else { return }
                let connector = settings.listeners[listener].connector
                observer.failedToAccept(connector)
                world.log.error(
                    "Clients cannot be accepted; they wait.", metadata: ["tunnel.connector": "\(connector)"])
            })
        let lane = world.blocking.lane("tunnel-accept")
        state.withLock { state in
            state.acceptor = acceptor
            state.lane = lane
            state.ports = ports
        }
        acceptor.start(on: lane)
    }

    /// Serves until the task is cancelled; then takes no more clients, serves those that it has taken, tells the
    /// agents, and gives what is open `drainMost` to end.
    package func run() async {
        await withTaskCancellationHandler {
            await withDiscardingTaskGroup { group in
                group.addTask { await self.errands.run() }
                group.addTask { await self.recheck() }
                await withDiscardingTaskGroup { openings in
                    for await client in self.clients {
                        openings.addTask { await self.serve(client) }
                    }
                }
                for link in self.state.withLock({ $0.links.values.map(\.self) }) { link.drain() }
                await self.drained()
                // A link may be gone before the socket of its last stream has told of its end.
                await self.connections.ended()
                self.errands.stop()
            }
        } onCancel: {
            stop()
        }
    }

    private func stop() {
        let (acceptor, lane, links) = state.withLock { state in
            state.isStopping = true
            return (state.acceptor, state.lane, state.links.values.map(\.self))
        }
        acceptor?.stop()
        lane?.close()
        clientsIn.finish()
        let most = TimeAmount.nanoseconds(settings.drainMost.nanoseconds)
        for link in links {
            link.loop.scheduleTask(in: most) { link.close(.ordered("the hub has stopped")) }
        }
    }

    private func drained() async {
        await withCheckedContinuation { (done: CheckedContinuation<Void, Never>) in
            let isIdle = state.withLock { state in
                if !state.links.isEmpty { state.idle = done }
                return state.links.isEmpty
            }
            if isIdle { done.resume() }
        }
    }
}
