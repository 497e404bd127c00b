import Glibc
import Logging
import NIOCore
import NIOEmbedded
import Synchronization
import Testing
import WeirWorld

@testable import WeirTunnel

/// A target whose dial takes until it is told to answer: its backlog is full.
private struct StallingTarget {
    let descriptor: CInt
    let filler: PlainSocket
    var port: Int { ClientAcceptor.port(of: descriptor) }

    init() throws {
        descriptor = try ClientAcceptor.listen(try SocketAddress(ipAddress: "127.0.0.1", port: 0), backlog: 0)
        filler = PlainSocket.connect(ClientAcceptor.port(of: descriptor))
    }

    private func next() throws -> PlainSocket {
        var state = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        try #require(poll(&state, 1, 60_000) == 1)
        return PlainSocket(descriptor: accept(descriptor, nil, nil))
    }

    /// Makes room, and takes the one who has waited.
    func answer() throws -> PlainSocket {
        try next().close()
        filler.close()
        return try next()
    }
}

@Suite("Who leaves, and who comes back", .serialized)
struct LeavingTests {
    @Test("a client that is reset during the dial is noticed; what is dialled for it is reset too")
    func leaves() async throws {
        let server = try StallingTarget()
        let stage = try TunnelStage(targets: [:], listeners: ["slow"])
        try await stage.run(targets: ["slow": server.port]) { _ in
            let client = PlainSocket.connect(stage.hub.ports[0])
            #expect(client.send([1]) == 1)
            try await holds("it is being opened") { stage.hub.roster.agents["site-01"]?.links.first?.streams == 1 }
            ClientAcceptor.refuse(client.descriptor)
            try await holds("it was noticed") { stage.observer.now.connections == ["client_left": 1] }
            let lane = stage.world.blocking.lane("target")
            let read = try await lane.run {
                let there = try server.answer()
                defer { there.close() }
                let read = there.readAll()
                return (read.bytes.count, read.end)
            }
            lane.close()
            #expect(read == (0, ECONNRESET))
            #expect(stage.hub.roster.agents["site-01"]?.failures == [:])
        }
        _ = close(server.descriptor)
    }

    @Test("a client that has said all before the dial has ended is served")
    func saysAllAtOnce() async throws {
        let server = try StallingTarget()
        let stage = try TunnelStage(targets: [:], listeners: ["slow"])
        try await stage.run(targets: ["slow": server.port]) { _ in
            let client = PlainSocket.connect(stage.hub.ports[0])
            #expect(client.send([1, 2, 3]) == 3)
            client.finish()
            try await holds("it is being opened") { stage.hub.roster.agents["site-01"]?.links.first?.streams == 1 }
            let lane = stage.world.blocking.lane("both")
            let read = try await lane.run {
                // Longer than between two looks at the client.
                usleep(300_000)
                let there = try server.answer()
                let heard = there.readAll()
                _ = there.send(heard.bytes + [4])
                there.close()
                defer { client.close() }
                let read = client.readAll()
                return (read.bytes, read.end)
            }
            lane.close()
            #expect(read == ([1, 2, 3, 4], 0))
        }
        _ = close(server.descriptor)
    }

    @Test("clients that were taken before the hub stops are served")
    func taken() async throws {
        let server = try await target { count in Array("\(count)".utf8) }
        let stage = try TunnelStage(targets: [:], listeners: ["echo"])
        let clients = (0..<5).map { _ in PlainSocket.connect(stage.hub.ports[0]) }
        for client in clients {
            #expect(client.send([1]) == 1)
            client.finish()
        }
        try await holds("they are taken") { stage.hub.state.withLock { $0.rules.total } == 5 }
        // The agent is there, nobody was served yet, and it stops.
        try await stage.run(targets: ["echo": server.localAddress?.port ?? 0], serves: false) { _ in }
        let lane = stage.world.blocking.lane("clients")
        let heard = try await lane.run { clients.map { String(decoding: $0.readAll().bytes, as: UTF8.self) } }
        lane.close()
        #expect(heard == Array(repeating: "1", count: 5))
        #expect(stage.observer.now.connections == ["opened": 5])
        for client in clients { client.close() }
        try await server.close()
    }

    @Test("an agent that comes back as another process takes the place of its old links at once; one that fails rests")
    func comesBack() throws {
        let loop = EmbeddedEventLoop()
        func link(_ id: UInt64) -> LinkHandle {
            final class Nobody: Link.Owner {
                func linkIsUp(_ link: Link) {}
                func opened(_ stream: UInt32, on link: Link) {}
                func peerDrains(_ link: Link) {}
                func linkIsDown(_ link: Link, _ end: LinkEnd) {}
            }
            let link = Link(.init(role: .server), owner: Nobody(), random: SeededRandom(seed: 1), at: .now())
            return LinkHandle(link, loop: loop, id: id)
        }
        var roster = AgentRoster()
        func joins(_ id: UInt64, _ instance: String?, of name: String = "a") -> [UInt64] {
            var agent = AgentRoster.Agent(
                id: name, version: "", connectors: ["c"], since: WallTime(nanoseconds: 0), links: [])
            agent.instance = instance
            return roster.joined(agent, link(id)).map(\.id)
        }
        #expect(joins(1, "x") == [] && joins(2, "x") == [] && joins(3, "y", of: "b") == [])
        #expect(joins(4, "y") == [1, 2])
        #expect(roster.links(for: "c", at: .zero).map(\.link.id) == [3, 4])
        // One that does not say, as agents before, replaces nothing.
        #expect(joins(5, nil) == [] && joins(6, "y") == [] && joins(7, "z") == [4, 5, 6])
        #expect(LinkEnd.replaced.name == "replaced")
        func failed(_ reason: StreamReason?, at seconds: Int) -> [AgentRoster.FailedDials] {
            roster.dialled("c", by: "b", reason, at: .zero + .seconds(seconds))
            return roster.failing("c").map(\.dials)
        }
        func dials(_ count: Int, _ reason: StreamReason) -> [AgentRoster.FailedDials] {
            [.init(count: count, reason: reason, since: .zero + .seconds(1))]
        }
        #expect(failed(nil, at: 0) == [] && failed(.refused, at: 1) == dials(1, .refused))
        #expect(failed(.unreachable, at: 2) == dials(2, .unreachable))
        #expect(roster.links(for: "c", at: .zero + .seconds(2)).map(\.agent) == ["b", "a"])
        #expect(failed(.refused, at: 3) == dials(3, .refused))
        // After three it rests for ten seconds, while another serves the connector.
        #expect(roster.links(for: "c", at: .zero + .seconds(12)).map(\.agent) == ["a", "b"])
        #expect(roster.links(for: "c", at: .zero + .seconds(13)).map(\.agent) == ["b", "a"])
        #expect(failed(nil, at: 14) == [])
    }

    @Test("a hello says which process it is, and the hub closes the links of the one before")
    func closesOld() async throws {
        let server = try await target { count in Array("\(count)".utf8) }
        let stage = try await DoorStage(listeners: ["echo"])
        try await stage.run {
            let targets = ["echo": server.localAddress?.port ?? 0]
            let token = try await stage.trust.makeToken(agent: "site-01", connectors: nil, by: "test")
            let old = try await stage.agent("site-01", targets: targets, token: token)
            let running = Task { await old.run() }
            try await holds("it is there") { old.isConnected }
            let first = try #require(stage.hub.roster.agents["site-01"]?.links.first)
            let new = try await stage.agent("site-01", targets: targets)
            try await stage.with(new) {
                try await holds("its link was closed") { stage.hub.state.withLock { $0.links[first.id] } == nil }
                running.cancel()
                await running.value
                try await holds("the new one is there") { new.isConnected }
                #expect(try await stage.echo("four").text == "4")
            }
        }
        try await server.close()
    }

    @Test("what the system refuses to accept is told once for as long as it lasts")
    func notAccepted() async throws {
        // A socket that does not listen: to accept from it fails.
        let descriptor = socket(AF_INET, CInt(SOCK_STREAM.rawValue), 0)
        let observer = CountingObserver()
        let world = World.live(log: Logger(label: "tunnel", factory: { _ in SwiftLogNoOpLogHandler() }))
        let acceptor = try ClientAcceptor(
            [descriptor], balancers: [[]], time: world.time, accepted: { ClientAcceptor.refuse($0.descriptor) },
            failed: { observer.failedToAccept("\($0)") })
        let lane = world.blocking.lane("accept")
        acceptor.start(on: lane)
        try await holds("it is told") { observer.now.notAccepted > 0 }
        acceptor.stop()
        try await lane.run {}
        lane.close()
        #expect(observer.now.notAccepted == 1)
    }
}
