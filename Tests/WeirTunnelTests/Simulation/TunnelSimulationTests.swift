import Testing
import WeirWorld

@testable import WeirTunnel

/// Ring 2: trouble (links cut, late, frozen and full; agents that die, come back and drain; clients that reset), then
/// calm. What must hold at every step is checked by the sockets' programs and by the world; what must hold at the end,
/// here.
@Suite("A hub, two agents and lossy links")
struct TunnelSimulationTests {
    @Test("lose, double and move no byte of what ends with FIN, and come to rest", arguments: 0..<40)
    func runs(seed: UInt64) throws {
        let world = try TunnelWorld(seed: seed)
        for _ in 0..<250 {
            try trouble(world)
            try world.step(trouble: true)
        }
        for line in world.lines {
            line.wire.isFrozen = false
            line.wire.setWritable(true)
        }
        for agent in ["a", "b"] { try world.connect(agent) }
        for _ in 0..<5 { try world.arrive() }
        var steps = 0
        while !world.connections.allSatisfy(\.isOver), steps < 20_000 {
            try world.step(trouble: false)
            steps += 1
        }
        #expect(world.connections.count { !$0.isOver } == 0, "all connections have ended")
        for _ in 0..<50 { try world.step(trouble: false) }
        try world.windowsAgree()
        for line in world.lines {
            for session in [line.hubLink.session, line.agentLink.session] {
                #expect(session.streamCount == 0 && session.unread == 0 && session.growth == 0)
            }
        }
        for connection in world.connections {
            // Who has ended well has heard all; who has not, has heard the beginning (checked as it came).
            if let end = connection.atHub, end.reason == nil {
                #expect(connection.client.heard == connection.client.toHear && connection.client.hasHeardAll)
            }
            if let end = connection.atAgent, end.reason == nil {
                #expect(connection.target.heard == connection.target.toHear && connection.target.hasHeardAll)
            }
        }
        let last = world.connections.suffix(5)
        #expect(last.contains { $0.atHub != nil && $0.atHub?.reason == nil }, "in the calm connections end well")
    }

    private func trouble(_ world: TunnelWorld) throws {
        func chance(_ one: Int) -> Bool { Int.random(in: 0..<one, using: &world.chance.generator) == 0 }
        if chance(5), world.connections.count(where: { !$0.isOver }) < 12 { try world.arrive() }
        let agent = chance(2) ? "a" : "b"
        let lines = world.lines.filter { $0.agent == agent && !$0.wire.isDown }
        guard let line = lines.last else { return try world.connect(agent) }
        if chance(60) { line.wire.cut() }
        // It comes back while its old link stands and nothing comes over it.
        if chance(80) {
            line.wire.isFrozen = true
            try world.connect(agent, isNew: true)
        }
        if chance(60) {
            if chance(2) { line.hubLink.drain() } else { line.agentLink.drain() }
            try world.connect(agent)
        }
        if chance(20) { line.wire.setWritable(chance(2)) }
        if chance(30) { line.wire.isFrozen.toggle() }
        if chance(40) { world.connections.last { !$0.isOver }?.client.abort() }
    }
}
