import Testing
import WeirWorld

@testable import WeirTunnel

/// Ring 2: trouble (links cut, late, frozen and full; agents that die, come back and drain; a hub out of reach; clients
/// that reset), then calm. What must hold at every step is checked by the sockets' programs and by the world; what must
/// hold at the end, here.
@Suite("A hub, two agents and lossy links")
struct TunnelSimulationTests {
    @Test("lose, double and move no byte of what ends with FIN, and come to rest", arguments: 0..<40)
    func runs(seed: UInt64) throws {
        try TunnelWorld.run(seed: seed) { world in
            for name in ["a", "b"] { world.start(name) }
            #expect(try await world.wait(.seconds(5)) { world.isSettled } != nil)
            for _ in 0..<250 {
                try await trouble(world)
                try await world.step(trouble: true)
            }
            try await calm(world)
            atRest(world)
        }
    }

    private func calm(_ world: TunnelWorld) async throws {
        for line in world.lines {
            line.wire.isFrozen = false
            line.wire.setWritable(true)
        }
        world.isReachable = true
        for name in ["a", "b"] where world.processes[name] == nil { world.start(name) }
        // A stopped process has 30 s for its streams; back-off is 30 s at the most.
        let back = try await world.wait(.seconds(70), by: .milliseconds(20)) { world.isSettled }
        #expect(back != nil, "both are back: \(world.lines.map(\.agent)), \(world.hub.roster.agents.keys)")
        for _ in 0..<5 { try world.arrive() }
        #expect(
            try await world.wait(.seconds(200)) { world.connections.allSatisfy(\.isOver) } != nil,
            "all connections have ended")
        for _ in 0..<50 { try await world.step(trouble: false) }
        // Dials whose client has left end in their own time, and links that drain in theirs.
        let rest = try await world.wait(.seconds(70), by: .milliseconds(20)) {
            world.isSettled && world.processes.values.allSatisfy { $0.agent.streamCount == 0 }
        }
        #expect(rest != nil, "no stream is left behind")
    }

    private func atRest(_ world: TunnelWorld) {
        #expect(throws: Never.self) { try world.windowsAgree() }
        #expect(world.isSettled)
        for line in world.lines {
            for session in [line.hubLink.session, line.agentLink.session] {
                // The conversation is left.
                #expect(session.streamCount == 1 && session.unread == 0 && session.growth == 0)
            }
        }
        for process in world.processes.values { #expect(process.agent.streamCount == 0) }
        for connection in world.connections {
            // Who has ended well has heard all; who has not, has heard the beginning (checked as it came).
            if let end = connection.atHub, end.reason == nil {
                #expect(connection.client.heard == connection.client.toHear && connection.client.hasHeardAll)
            }
            if case .success? = connection.atAgent {
                #expect(connection.target.heard == connection.target.toHear && connection.target.hasHeardAll)
            }
        }
        let last = world.connections.suffix(5)
        #expect(last.contains { $0.atHub != nil && $0.atHub?.reason == nil }, "in the calm connections end well")
    }

    private func trouble(_ world: TunnelWorld) async throws {
        func chance(_ one: Int) -> Bool { Int.random(in: 0..<one, using: &world.chance.generator) == 0 }
        if chance(5), world.connections.count(where: { !$0.isOver }) < 12 { try world.arrive() }
        if chance(50) { world.isReachable.toggle() }
        let name = chance(2) ? "a" : "b"
        guard world.processes[name] != nil else {
            if chance(10) { world.start(name) }
            return
        }
        if chance(100) { return world.kill(name) }
        let lines = world.lines.filter { $0.agent == name && !$0.wire.isDown }
        guard let line = lines.last else { return }
        if chance(60) { line.wire.cut() }
        // It comes back while its old link stands and nothing comes over it.
        if chance(80) {
            for line in lines { line.wire.isFrozen = true }
            world.stop(name)
            world.start(name)
        }
        if chance(60) {
            guard chance(2) else { return line.hubLink.drain() }
            world.stop(name)
            world.start(name)
        }
        if chance(20) { line.wire.setWritable(chance(2)) }
        if chance(30) { line.wire.isFrozen.toggle() }
        if chance(40) { world.connections.last { !$0.isOver }?.client.abort() }
        if chance(400) { try await dies(line, world) }
    }

    // Nothing comes and nothing ends: both sides find the other one dead.
    private func dies(_ line: TunnelWorld.Line, _ world: TunnelWorld) async throws {
        line.wire.isFrozen = true
        let found = try await world.wait(.seconds(26), by: .milliseconds(100), trouble: true) { line.wire.isDown }
        #expect(found != nil, "a dead peer is found within 25 s")
    }

    /// With full jitter nobody's return depends on anybody else's: no tenth of a second has more than a few of them.
    @Test("come back one by one when the hub was away, five hundred of them")
    func fiveHundred() throws {
        try TunnelWorld.run(seed: 5) { world in
            let names = (0..<500).map { "a\($0)" }
            for name in names { world.start(name) }
            let wait = Duration.milliseconds(50)
            #expect(try await world.wait(.seconds(10), by: wait) { world.isSettled } != nil)
            // They have stood for 10 s: their back-off begins anew.
            for _ in 0..<220 { try await world.step(wait, trouble: false) }
            world.isReachable = false
            for line in world.lines { line.wire.cut() }
            for _ in 0..<600 { try await world.step(wait, trouble: false) }
            let before = world.arrivals.count
            world.isReachable = true
            let back = world.outside.time.now
            #expect(try await world.wait(.seconds(31), by: wait) { world.isSettled } != nil, "all within 30 s")
            let arrivals = world.arrivals[before...].map { ($0.at - back).nanoseconds / 100_000_000 }
            #expect(arrivals.count == 500 && Set(world.arrivals[before...].map(\.agent)).count == 500, "each once")
            let most = Dictionary(grouping: arrivals, by: { $0 }).values.map(\.count).max() ?? 0
            #expect(most <= 20, "in one tenth of a second came \(most)")
            // And they are away no longer than their own back-off: half of them are back after half of it.
            #expect(arrivals.count { $0 < 200 } > 250)
        }
    }
}
