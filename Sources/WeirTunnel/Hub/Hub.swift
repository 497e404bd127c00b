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
    private let authority: (any AgentAuthority)?
    let observer: any TunnelObserver
    private let state = Mutex(State())
    private let clients: AsyncStream<AcceptedClient>
    private let clientsIn: AsyncStream<AcceptedClient>.Continuation

    private struct State {
        var roster = AgentRoster()
        var acceptor: ClientAcceptor?
        var lane: (any BlockingLane)?
        var nextLink: UInt64 = 1
        var ports: [Int] = []
        var open = 0
        var isStopping = false
    }

    package init(
        _ settings: Settings, policy: any OpenPolicy = OpenToAll(), authority: (any AgentAuthority)? = nil,
        observer: any TunnelObserver, world: World
    ) {
        self.settings = settings
        self.policy = policy
        self.authority = authority
        self.observer = observer
        self.world = world
        // Bounded by `connectionsMost`: the acceptor pauses before.
        (clients, clientsIn) = AsyncStream.makeStream(bufferingPolicy: .unbounded)
    }

    /// What is known of the agents now.
    package var roster: AgentRoster { state.withLock { $0.roster } }
    /// The ports of the listeners, in their order.
    package var ports: [Int] { state.withLock { $0.ports } }

    // MARK: Links

    /// The handler for a link whose agent has proven who it is. Add it last to the link's channel.
    func link(for identity: AgentIdentity, address: String?, at now: NIODeadline) -> (Link, HubLinkOwner) {
        let id = state.withLock { state in
            defer { state.nextLink += 1 }
            return state.nextLink
        }
        let owner = HubLinkOwner(identity, address: address, id: id, hub: self)
        var session = settings.session
        session.role = .server
        return (Link(session, owner: owner, random: world.random, at: now), owner)
    }

    func joined(_ agent: AgentRoster.Agent, _ link: LinkHandle) {
        state.withLock { $0.roster.joined(agent, link) }
        observer.agentJoined(agent.id, connectors: agent.connectors.sorted(), link: link.id)
        world.log.notice(
            "An agent has connected.",
            metadata: ["agent": "\(agent.id)", "agent.version": "\(agent.version)", "link": "\(link.id)"])
    }

    func left(_ agent: String, link: UInt64, _ end: LinkEnd) {
        let wasLast = state.withLock { $0.roster.left(link, of: agent) }
        observer.agentLeft(agent, link: link, end, wasLast: wasLast)
        world.log.notice(
            wasLast ? "An agent has gone." : "A link of an agent has ended.",
            metadata: ["agent": "\(agent)", "link": "\(link)", "reason": "\(end)"])
    }

    /// The link takes no new streams; those that are open go on.
    func drains(_ agent: String, link: UInt64) { _ = state.withLock { $0.roster.left(link, of: agent) } }

    func refused(_ agent: AgentIdentity, code: String, message: String) {
        observer.agentRefused(code)
        world.log.warning(
            "An agent was refused.", metadata: ["agent": "\(agent.agent)", "reason": "\(code)", "detail": "\(message)"])
    }

    func certify(
        _ request: String, for agent: AgentIdentity,
        answer: @escaping @Sendable (Result<ControlMessage.Certificate, TunnelFailure>) -> Void
    ) {
        guard let authority else {
            return answer(.failure(TunnelFailure("no_authority", "This hub issues no certificates.")))
        }
        errands.add {
            do throws(TunnelFailure) {
                answer(.success(try await authority.certify(request, for: agent)))
            } catch {
                answer(.failure(error))
            }
        }
    }

    // MARK: Running

    private let errands = Errands()

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
        let acceptor = try ClientAcceptor(descriptors) { clientsIn.yield($0) }
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
                self.errands.stop()
            }
        } onCancel: {
            stop()
        }
    }

    private func stop() {
        let (acceptor, lane, agents) = state.withLock { state in
            state.isStopping = true
            return (state.acceptor, state.lane, state.roster.agents)
        }
        acceptor?.stop()
        lane?.close()
        clientsIn.finish()
        for agent in agents.values { for link in agent.links { link.drain() } }
    }

    private func serve(_ client: AcceptedClient) async {
        let listener = settings.listeners[client.listener]
        let question = OpenQuestion(
            connector: listener.connector, listener: listener.name, clientAddress: client.address?.ipAddress,
            clientPort: client.address?.port)
        let decision = await policy.decide(question)
        observer.decided(decision, connector: listener.connector)
        guard decision.isAllowed else {
            observer.connection(listener.connector, decision.result == .error ? .pdpError : .denied)
            return ClientAcceptor.refuse(client.descriptor)
        }
        let candidates = roster.links(for: listener.connector, at: world.time.now)
        guard !candidates.isEmpty else {
            observer.connection(listener.connector, .noAgent)
            return ClientAcceptor.refuse(client.descriptor)
        }
        let request = OpenRequest(
            connector: listener.connector, client: client.address.map { "\($0.ipAddress ?? ""):\($0.port ?? 0)" },
            listener: listener.name, decision: decision.id)
        // A second agent is asked when the first could not take it; what its target refused, it refused.
        for (agent, link) in candidates.prefix(2) {
            let began = world.time.now
            let outcome = await StreamOpening(
                request: request, connector: listener.connector, descriptor: client.descriptor, hub: self
            ).run(on: link)
            observer.dialled(listener.connector, outcome, after: world.time.now - began)
            state.withLock {
                $0.roster.dialled(listener.connector, by: agent, isWell: outcome == nil, at: world.time.now)
            }
            guard let reason = outcome else { return observer.connection(listener.connector, .opened) }
            guard reason == .busy || reason == .draining || reason == .sessionLost else { break }
        }
        observer.connection(listener.connector, .refused)
        ClientAcceptor.refuse(client.descriptor)
    }
}

/// Errands of links that need async calls; run by `Hub.run`.
final class Errands: Sendable {
    private let stream: AsyncStream<@Sendable () async -> Void>
    private let into: AsyncStream<@Sendable () async -> Void>.Continuation

    init() { (stream, into) = AsyncStream.makeStream(bufferingPolicy: .bufferingOldest(10_000)) }

    func add(_ errand: @escaping @Sendable () async -> Void) { into.yield(errand) }
    func stop() { into.finish() }

    func run() async {
        await withDiscardingTaskGroup { group in
            for await errand in stream { group.addTask { await errand() } }
        }
    }
}
