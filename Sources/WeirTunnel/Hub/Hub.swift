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
    private let policy: any OpenPolicy
    /// Who agents are; `nil` takes everybody at his word (tests, and nothing else).
    package let trust: HubTrust?
    let observer: any TunnelObserver
    private let auditor: (any ConnectionAuditor)?
    private let state: Mutex<State>
    private let clients: AsyncStream<AcceptedClient>
    private let clientsIn: AsyncStream<AcceptedClient>.Continuation

    private struct State {
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
    }

    package init(
        _ settings: Settings, policy: any OpenPolicy = OpenToAll(), trust: HubTrust? = nil,
        observer: any TunnelObserver, auditor: (any ConnectionAuditor)? = nil, world: World
    ) {
        self.settings = settings
        self.policy = policy
        self.trust = trust
        self.observer = observer
        self.auditor = auditor
        state = Mutex(
            State(
                rules: ListenerRules(
                    settings.listeners.map(\.limits), totalMost: settings.connectionsMost,
                    connectorMost: settings.connectorMost)))
        self.world = world
        // Bounded by `connectionsMost`: the acceptor pauses before.
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
        let id = state.withLock { state in
            defer { state.nextLink += 1 }
            return state.nextLink
        }
        let owner = HubLinkOwner(proof, address: address, id: id, hub: self)
        var session = settings.session
        session.role = .server
        return Link(session, owner: owner, random: world.random, at: now)
    }

    func joined(_ agent: AgentRoster.Agent, _ link: LinkHandle) {
        let isStopping = state.withLock { state in
            state.links[link.id] = link
            if !state.isStopping { state.roster.joined(agent, link) }
            return state.isStopping
        }
        if isStopping { link.drain() }
        observer.agentJoined(agent.id, connectors: agent.connectors.sorted(), link: link.id)
        world.log.notice(
            "An agent has connected.",
            metadata: ["agent": "\(agent.id)", "agent.version": "\(agent.version)", "link": "\(link.id)"])
    }

    func left(_ agent: String, link: UInt64, _ end: LinkEnd) {
        let wasLast = state.withLock { state in
            _ = state.roster.left(link, of: agent)
            state.links[link] = nil
            if state.links.isEmpty {
                state.idle?.resume()
                state.idle = nil
            }
            return state.roster.agents[agent] == nil
        }
        observer.agentLeft(agent, link: link, end, wasLast: wasLast)
        world.log.notice(
            wasLast ? "An agent has gone." : "A link of an agent has ended.",
            metadata: ["agent": "\(agent)", "link": "\(link)", "reason": "\(end)"])
    }

    /// The link takes no new streams; those that are open go on.
    func drains(_ agent: String, link: UInt64) { _ = state.withLock { $0.roster.left(link, of: agent) } }

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
        for link in roster.agents[agent]?.links ?? [] { link.close(.ordered("the agent was revoked")) }
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
        let clientsIn = clientsIn
        let acceptor = try ClientAcceptor(descriptors, balancers: settings.listeners.map(\.balancers), time: world.time)
        {
            clientsIn.yield($0)
        }
        let lane = world.blocking.lane("tunnel-accept")
        state.withLock { state in
            state.acceptor = acceptor
            state.lane = lane
            state.ports = ports
        }
        acceptor.start(on: lane)
    }

    /// Serves until the task is cancelled; then takes no more clients, tells the agents, and gives what is open
    /// `drainMost` to end.
    package func run() async {
        await withTaskCancellationHandler {
            await withDiscardingTaskGroup { group in
                group.addTask { await self.errands.run() }
                for await client in self.clients {
                    group.addTask { await self.serve(client) }
                }
                await self.drained()
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
            link.drain()
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

    // MARK: A client

    private func serve(_ client: AcceptedClient) async {
        let listener = settings.listeners[client.listener]
        var record = ConnectionRecord(
            id: state.withLock { state in
                defer { state.nextConnection += 1 }
                return state.nextConnection
            }, time: world.time.wall, hub: settings.name, listener: listener.name, connector: listener.connector,
            client: client.client)
        let pass: ListenerRules.Pass
        do throws(ListenerRules.Refusal) {
            pass = try state.withLock { state throws(ListenerRules.Refusal) in
                try state.rules.enter(client.listener, connector: listener.connector, from: client.bits)
            }
        } catch {
            record.result = error == .address ? .denied : .limit
            record.reason = error.rawValue
            return refuse(client, record)
        }
        await open(client, listener, pass, &record)
        guard record.result != .opened else { return }
        state.withLock { $0.rules.leave(pass) }
        refuse(client, record)
    }

    private func refuse(_ client: AcceptedClient, _ record: ConnectionRecord) {
        ClientAcceptor.refuse(client.descriptor)
        observer.connection(record.connector, record.result)
        auditor?.record(record)
    }

    /// Joins a client with a target, or says in the record why not.
    private func open(
        _ client: AcceptedClient, _ listener: Listener, _ pass: ListenerRules.Pass, _ record: inout ConnectionRecord
    ) async {
        let question = OpenQuestion(
            connector: listener.connector, listener: listener.name, clientAddress: client.client?.host,
            clientPort: client.client?.port)
        let decision = await policy.decide(question)
        observer.decided(decision, connector: listener.connector)
        (record.decision, record.reason) = (decision.id, decision.reason)
        guard decision.isAllowed else {
            record.result = decision.result == .error ? .pdpError : .denied
            return
        }
        let candidates = roster.links(for: listener.connector, at: world.time.now)
        record.result = .noAgent
        // A second agent is asked when the first could not take it; what its target refused, it refused.
        for (agent, link) in candidates.prefix(2) {
            record.agent = agent
            let opened = record.opened(by: agent)
            let began = world.time.now
            let outcome = await StreamOpening(
                request: OpenRequest(
                    connector: listener.connector, client: client.client?.description,
                    listener: client.server?.description, decision: decision.id),
                connector: listener.connector, descriptor: client.descriptor, hub: self
            ) { [self] in ended(opened, pass, began, $0) }.run(on: link)
            observer.dialled(listener.connector, outcome, after: world.time.now - began)
            state.withLock {
                $0.roster.dialled(listener.connector, by: agent, isWell: outcome == nil, at: world.time.now)
            }
            guard let reason = outcome else {
                record.result = .opened
                observer.connection(listener.connector, .opened)
                auditor?.record(opened)
                return
            }
            record.result = .refused
            record.reason = reason.name
            guard reason == .busy || reason == .draining || reason == .sessionLost else { return }
        }
    }

    private func ended(
        _ opened: ConnectionRecord, _ pass: ListenerRules.Pass, _ began: Moment, _ outcome: SocketEnd.Outcome
    ) {
        state.withLock { $0.rules.leave(pass) }
        guard let auditor else { return }
        var record = opened
        record.time = world.time.wall
        record.end = ConnectionRecord.End(
            reason: outcome.reason?.name ?? "fin", byTarget: outcome.byPeer, toTarget: outcome.sent,
            toClient: outcome.received, duration: world.time.now - began)
        auditor.record(record)
    }
}
