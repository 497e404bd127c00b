import Logging
import NIOCore
import NIOEmbedded
import Testing
import WeirTestKit
import WeirWires
import WeirWorld

@testable import WeirTunnel

/// A hub, its agents and their links in virtual time, in one thread: the product's `Hub` with the owners of its links
/// and its roster, the product's `Agent`s with their dialling, their back-off, their conversation and their drains.
/// Wires, sockets and what lies behind them are of the simulation.
final class TunnelWorld {
    final class Connection {
        let client: SimSocket
        let target: SimSocket
        var isRefused = false
        var atHub: SocketEnd.Outcome?
        /// How it ended at the agent, when it has: well is `.success`.
        var atAgent: Result<Void, StreamFailure>?
        /// Its client or its target takes nothing while there is trouble.
        var isSlow = false

        init(client: SimSocket, target: SimSocket) { (self.client, self.target) = (client, target) }
        var isOver: Bool { isRefused || (client.isClosed && atHub != nil) }
    }

    struct Line {
        var agent: String
        var wire: SimWire
        var hubLink: Link
        var agentLink: Link
    }

    /// One process of an agent.
    struct Process {
        var agent: Agent
        var running: Task<Void, Never>
    }

    let simulation: Simulation
    let outside: World
    let loop = EmbeddedEventLoop()
    let chance: Chance
    let hub: Hub
    private(set) var lines: [Line] = []
    private(set) var connections: [Connection] = []
    private(set) var processes: [String: Process] = [:]
    /// Links that were welcomed, and when.
    private(set) var arrivals: [(agent: String, at: Moment)] = []
    /// When agents began to dial.
    private(set) var dials: [(agent: String, at: Moment)] = []
    /// The hub's door takes connections.
    var isReachable = true
    /// For so long nothing answers whoever dials, and then he gives up.
    var dialsHang: Duration?
    /// The hub's own task; the links' conversations do without it.
    private var serving: Task<Void, Never>?
    private(set) var hasHubEnded = false
    private var sites: [SimSite] = []
    private let observer = CountingObserver()
    private let gate = BandwidthGate(rate: 20 << 20)

    init(seed: UInt64) {
        simulation = Simulation(seed: seed)
        outside = World.simulated(simulation, files: SimulatedDisk(seed: seed))
        chance = Chance(seed: seed)
        var settings = Hub.Settings()
        settings.session = Self.session(.server)
        hub = Hub(settings, observer: observer, world: outside)
    }

    private static func session(_ role: Session.Role) -> Session.Settings {
        var settings = Session.Settings(role: role)
        settings.memory = 2 << 20
        settings.windowMost = 1 << 20
        return settings
    }

    // MARK: The hub

    /// Until `stopHub`, or until the end of the story.
    func serve() {
        // Everything runs on this thread.
        nonisolated(unsafe) let world = self
        serving = Task(executorPreference: simulation) {
            await world.hub.run()
            world.hasHubEnded = true
        }
    }

    /// The hub's process is told to stop: its door is closed, and it drains.
    func stopHub(closesDoor: Bool = true) {
        if closesDoor { isReachable = false }
        serving?.cancel()
    }

    // MARK: Agents

    /// Starts a process of an agent. It dials by itself, now and whenever its link is gone.
    func start(_ name: String) {
        var settings = Agent.Settings(id: name)
        settings.targets = ["c": .init(host: "target", port: 1)]
        settings.session = Self.session(.client)
        let site = SimSite(self, agent: name)
        sites.append(site)
        let agent = Agent(
            settings, dialler: site, targets: site, observer: site, world: outside, eventLoops: loop)
        // Ended by `kill` and `stop`; both belong to the world.
        processes[name] = Process(
            agent: agent, running: Task(executorPreference: simulation) { await agent.run() })
    }

    /// The process is gone, and its links with it.
    func kill(_ name: String) {
        processes.removeValue(forKey: name)?.running.cancel()
        for line in lines where line.agent == name { line.wire.cut() }
    }

    /// The process is told to stop: it drains.
    func stop(_ name: String) { processes.removeValue(forKey: name)?.running.cancel() }

    /// The next link of an agent.
    func connect(_ name: String, _ ready: (any Channel) throws -> Void) throws -> any Channel {
        let wire = try SimWire(loop)
        let hubLink = hub.link(for: .success(nil), address: nil, at: loop.now)
        try wire.hub.channel.pipeline.syncOperations.addHandler(hubLink)
        try ready(wire.agent.channel)
        let agentLink = try wire.agent.channel.pipeline.syncOperations.handler(type: Link.self)
        lines.append(Line(agent: name, wire: wire, hubLink: hubLink, agentLink: agentLink))
        return wire.agent.channel
    }

    func dials(_ name: String) { dials.append((name, outside.time.now)) }

    func joined(_ name: String) { arrivals.append((name, outside.time.now)) }

    /// The hub knows the links that stand, and no others.
    var isSettled: Bool {
        let known = hub.roster.agents.mapValues(\.links.count)
        return lines.count == processes.count && known == processes.mapValues { _ in 1 }
            && processes.values.allSatisfy { $0.agent.isConnected }
    }

    // MARK: Connections

    func asked(_ request: OpenRequest) -> Connection? {
        request.decision.flatMap(Int.init).flatMap { connections.indices.contains($0) ? connections[$0] : nil }
    }

    func ended(_ opening: ConnectionOpening, _ reason: StreamReason?) {
        guard let place = opening.decision.flatMap(Int.init) else { return }
        connections[place].atAgent = reason.map { .failure(StreamFailure($0)) } ?? .success(())
    }

    func arrive() throws {
        let id = connections.count
        let there = Pattern(offset: Int.random(in: 0..<60_000, using: &chance.generator))
        let back = Pattern(offset: Int.random(in: 0..<60_000, using: &chance.generator))
        let sizes = (0..<2).map { _ in
            Int.random(
                in: 0...(Int.random(in: 0..<4, using: &chance.generator) == 0 ? 900_000 : 20_000),
                using: &chance.generator)
        }
        let connection = Connection(
            client: try SimSocket(loop: loop, sends: there, toSend: sizes[0], comes: back, toHear: sizes[1]),
            target: try SimSocket(loop: loop, sends: back, toSend: sizes[1], comes: there, toHear: sizes[0]))
        connection.isSlow = Int.random(in: 0..<6, using: &chance.generator) == 0
        connections.append(connection)
        guard let (_, handle) = hub.roster.links(for: "c", at: outside.time.now).first else {
            connection.isRefused = true
            return
        }
        handle.load.more()
        let link = handle.bound.value
        let request = OpenRequest(connector: "c", decision: "\(id)")
        let hasLeft = { connection.client.isClosed }
        _ = OpeningEnd(request, on: link, timeout: .seconds(5), mayGiveUp: hasLeft) { [self] result in
            guard case .success(let stream?) = result else {
                handle.load.less()
                connection.isRefused = true
                return
            }
            var limits = StreamLimits()
            if id % 3 == 0 { limits.gates = [gate] }
            let end = SocketEnd(link: link, stream: stream, meter: CountingObserver.Meter(observer), limits: limits) {
                connection.atHub = $0
                handle.load.less()
            }
            link.attach(end, to: stream)
            do { try connection.client.join(end) } catch { Issue.record(error) }
        }
    }

    // MARK: Time

    /// - Parameter time: up to 4 ms unless given.
    func step(_ time: Duration? = nil, trouble: Bool) async throws {
        let time = time ?? .microseconds(Int64.random(in: 100...4_000, using: &chance.generator))
        try await outside.time.sleep(for: time)
        loop.advanceTime(by: .nanoseconds(time.nanoseconds))
        for line in lines { try line.wire.move(chance, latest: trouble ? 20_000 : 500) }
        for connection in connections where !connection.client.isClosed || !connection.target.isClosed {
            for socket in [connection.client, connection.target] {
                socket.speak(chance)
                if !(trouble && connection.isSlow) { try socket.listen(chance, all: !trouble) }
            }
        }
        loop.run()
        for line in lines {
            for link in [line.hubLink, line.agentLink] {
                let session = link.session
                try #require(session.unread >= 0 && session.unread <= session.settings.memory + (256 << 10))
                try #require(session.growth >= 0 && session.growth <= session.settings.memory)
            }
        }
        lines.removeAll { $0.wire.isDown }
    }

    /// Lets time pass until something is true.
    /// - Returns: how long that took; `nil` when it was not within `limit`.
    func wait(
        _ limit: Duration, by time: Duration? = nil, trouble: Bool = false, until isTrue: () -> Bool
    ) async throws -> Duration? {
        let began = outside.time.now
        while !isTrue() {
            guard outside.time.now - began < limit else { return nil }
            try await step(time, trouble: trouble)
        }
        return outside.time.now - began
    }

    /// Nothing is on its way: what one side may send is what the other has granted.
    func windowsAgree() throws {
        for line in lines where line.wire.isEmpty {
            for (id, stream) in line.hubLink.session.streams {
                guard let other = line.agentLink.session.streams[id] else { continue }
                try #require(stream.credit == other.granted && other.credit == stream.granted)
            }
        }
    }

    /// Runs a story to its end.
    static func run(
        seed: UInt64, limit: Duration = .seconds(7_200), _ story: @escaping (TunnelWorld) async throws -> Void
    ) throws {
        // Everything runs on this thread.
        nonisolated(unsafe) let world = TunnelWorld(seed: seed)
        nonisolated(unsafe) let story = story
        nonisolated(unsafe) var problem: (any Error)?
        let isDone = world.simulation.run(limit: limit) {
            do { try await story(world) } catch { problem = error }
            for name in world.processes.keys.sorted() { world.kill(name) }
            world.stopHub()
        }
        if let problem { throw problem }
        #expect(isDone, "\(world.simulation.failure("the story did not end"))")
    }
}
