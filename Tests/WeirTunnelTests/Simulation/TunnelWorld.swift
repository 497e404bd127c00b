import NIOCore
import NIOEmbedded
import Testing
import WeirWires
import WeirWorld

@testable import WeirTunnel

/// A hub, two agents and their links in virtual time, on one event loop: the product's roster, links, sessions and ends
/// of streams; wires, sockets and what lies behind them are of the simulation.
final class TunnelWorld {
    final class Connection {
        let client: SimSocket
        let target: SimSocket
        var isRefused = false
        var atHub: SocketEnd.Outcome?
        var atAgent: SocketEnd.Outcome?
        /// Its client or its target takes nothing while there is trouble.
        var isSlow = false

        init(client: SimSocket, target: SimSocket) { (self.client, self.target) = (client, target) }
        var isOver: Bool { isRefused || (client.isClosed && atHub != nil) }
    }

    final class Line {
        let agent: String
        let wire: SimWire
        let hubLink: Link
        let agentLink: Link
        let handle: LinkHandle

        init(agent: String, wire: SimWire, hubLink: Link, agentLink: Link, handle: LinkHandle) {
            (self.agent, self.wire, self.hubLink, self.agentLink) = (agent, wire, hubLink, agentLink)
            self.handle = handle
        }
    }

    let loop = EmbeddedEventLoop()
    let chance: Chance
    private(set) var roster = AgentRoster()
    private(set) var lines: [Line] = []
    private(set) var connections: [Connection] = []
    /// By the number that the request brings.
    private var asked: [String: Connection] = [:]
    private var nextLink: UInt64 = 1
    private var instances = 0
    private let random: SeededRandom
    private let observer = CountingObserver()
    private let gate = BandwidthGate(rate: 20 << 20)

    init(seed: UInt64) throws {
        chance = Chance(seed: seed)
        random = SeededRandom(seed: seed)
        for agent in ["a", "b"] { try connect(agent) }
    }

    private var now: Moment { Moment(loop.now) }

    // MARK: Links

    private final class HubSide: Link.Owner {
        unowned let world: TunnelWorld
        let line: UInt64
        let agent: String
        init(_ world: TunnelWorld, _ line: UInt64, _ agent: String) {
            (self.world, self.line, self.agent) = (world, line, agent)
        }
        func linkIsUp(_ link: Link) {}
        func opened(_ stream: UInt32, on link: Link) { link.reset(stream, .notAllowed) }
        func peerDrains(_ link: Link) { _ = world.roster.left(line, of: agent) }
        func linkIsDown(_ link: Link, _ end: LinkEnd) { _ = world.roster.left(line, of: agent) }
    }

    private final class AgentSide: Link.Owner {
        unowned let world: TunnelWorld
        init(_ world: TunnelWorld) { self.world = world }
        func linkIsUp(_ link: Link) {}
        func opened(_ stream: UInt32, on link: Link) {
            _ = DialingEnd(on: link, stream: stream) { [world] request, end in world.dial(request, end, link, stream) }
        }
        func peerDrains(_ link: Link) {}
        func linkIsDown(_ link: Link, _ end: LinkEnd) {}
    }

    /// A link of an agent, of a new process of it when `isNew`.
    func connect(_ agent: String, isNew: Bool = false) throws {
        if isNew { instances += 1 }
        let wire = try SimWire(loop)
        var settings = Session.Settings(role: .server)
        settings.memory = 2 << 20
        settings.windowMost = 1 << 20
        let id = nextLink
        nextLink += 1
        let hubLink = Link(settings, owner: HubSide(self, id, agent), random: random, at: loop.now)
        settings.role = .client
        let agentLink = Link(settings, owner: AgentSide(self), random: random, at: loop.now)
        try wire.hub.channel.pipeline.syncOperations.addHandler(hubLink)
        try wire.agent.channel.pipeline.syncOperations.addHandler(agentLink)
        let handle = LinkHandle(hubLink, loop: loop, id: id)
        var member = AgentRoster.Agent(
            id: agent, version: "1", connectors: ["c"], since: WallTime(nanoseconds: 0), links: [])
        member.instance = "\(instances)"
        for old in roster.joined(member, handle) { old.close(.replaced) }
        lines.append(Line(agent: agent, wire: wire, hubLink: hubLink, agentLink: agentLink, handle: handle))
    }

    // MARK: Connections

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
        asked["\(id)"] = connection
        guard let (_, handle) = roster.links(for: "c", at: now).first else {
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

    private func dial(_ request: OpenRequest, _ end: DialingEnd, _ link: Link, _ stream: UInt32) {
        guard let connection = asked[request.decision ?? ""] else { return end.failed(.notAllowed) }
        let delay = TimeAmount.microseconds(Int64.random(in: 0...30_000, using: &chance.generator))
        let isRefused = Int.random(in: 0..<20, using: &chance.generator) == 0
        _ = loop.assumeIsolated().scheduleTask(in: delay) { [observer] in
            if isRefused { return end.failed(.refused) }
            guard !end.isGone else { return connection.target.abort() }
            let socket = SocketEnd(link: link, stream: stream, meter: CountingObserver.Meter(observer)) {
                connection.atAgent = $0
            }
            end.connected(socket)
            do { try connection.target.join(socket) } catch { Issue.record(error) }
        }
    }

    // MARK: Time

    func step(trouble: Bool) throws {
        loop.advanceTime(by: .microseconds(Int64.random(in: 100...4_000, using: &chance.generator)))
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
                #expect(session.unread >= 0 && session.unread <= session.settings.memory + (256 << 10))
                #expect(session.growth >= 0 && session.growth <= session.settings.memory)
            }
        }
        lines.removeAll { $0.wire.isDown }
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
}
