import Testing
import WeirWorld

@testable import WeirTunnel

/// The pauses of an agent in virtual time. With the agent's own settings they are 0.1 to 1 s after the first failure,
/// and 3 to 30 s after the sixth and any later one.
@Suite("An agent's pauses between its links")
struct ReturnSimulationTests {
    private static let step = Duration.milliseconds(20)

    @Test("grow while links are lost early, and begin anew after a link that stood for 10 s", arguments: 0..<5)
    func stability(seed: UInt64) throws {
        try TunnelWorld.run(seed: seed) { world in
            world.start("a")
            /// Lets the next link stand for so long, then cuts it, and measures until the agent dials again.
            func pause(after stood: Duration) async throws -> Duration {
                let there = try await world.wait(.seconds(40), by: Self.step) { world.isSettled }
                #expect(there != nil)
                _ = try await world.wait(stood, by: Self.step) { false }
                let dials = world.dials.count
                for line in world.lines { line.wire.cut() }
                let back = try await world.wait(.seconds(40), by: Self.step) { world.dials.count > dials }
                return try #require(back)
            }
            for _ in 0..<6 { _ = try await pause(after: .seconds(8)) }
            for _ in 0..<3 {
                let long = try await pause(after: .seconds(8))
                #expect(long >= .milliseconds(2_900))
            }
            let forgotten = try await pause(after: .seconds(11))
            #expect(forgotten <= .milliseconds(1_100))
            for _ in 0..<5 { _ = try await pause(after: .seconds(1)) }
            let counted = try await pause(after: .seconds(1))
            #expect(counted >= .milliseconds(2_900))
        }
    }

    @Test("grow while nothing answers, however long each attempt takes to give up")
    func silence() throws {
        try TunnelWorld.run(seed: 1) { world in
            let hang = Duration.seconds(15)
            world.dialsHang = hang
            world.start("a")
            let tried = try await world.wait(.seconds(600), by: Self.step) { world.dials.count == 10 }
            #expect(tried != nil)
            let pauses = zip(world.dials, world.dials.dropFirst()).map { $1.at - $0.at - hang }
            #expect(pauses[0] <= .milliseconds(1_100))
            let short = pauses.dropFirst(6).filter { $0 < .milliseconds(2_900) }
            #expect(short.isEmpty)
        }
    }
}

@Suite("A hub that stops")
struct StoppingSimulationTests {
    @Test("lets what is open end, and ends itself; its agents keep asking for the next one", arguments: 0..<10)
    func drains(seed: UInt64) throws {
        try TunnelWorld.run(seed: seed) { world in
            for name in ["a", "b"] { world.start(name) }
            world.serve()
            let settled = try await world.wait(.seconds(5)) { world.isSettled }
            #expect(settled != nil)
            for _ in 0..<8 { try world.arrive() }
            for _ in 0..<20 { try await world.step(trouble: false) }
            world.stopHub()
            let hasEnded = try await world.wait(.seconds(60)) { world.hasHubEnded }
            #expect(hasEnded != nil, "\(world.lines.count) links stand")
            let open = world.connections.filter { !$0.isOver }
            #expect(open.isEmpty)
            // Those whose target had answered have ended well, with all their bytes.
            for connection in world.connections where !connection.isRefused {
                #expect(connection.atHub != nil && connection.atHub?.reason == nil)
                #expect(connection.client.heard == connection.client.toHear && connection.client.hasHeardAll)
            }
            #expect(world.hub.roster.agents.isEmpty)
            let gone = try await world.wait(.seconds(5)) { world.lines.isEmpty }
            #expect(gone != nil)
            let asked = world.dials.count
            let back = try await world.wait(.seconds(70), by: .milliseconds(20)) { world.dials.count > asked + 2 }
            #expect(back != nil)
        }
    }

    @Test("ends although agents come back meanwhile: each is sent away again", arguments: 0..<5)
    func besieged(seed: UInt64) throws {
        try TunnelWorld.run(seed: seed) { world in
            for name in ["a", "b"] { world.start(name) }
            world.serve()
            let settled = try await world.wait(.seconds(5)) { world.isSettled }
            #expect(settled != nil)
            for _ in 0..<4 { try world.arrive() }
            for _ in 0..<20 { try await world.step(trouble: false) }
            world.stopHub(closesDoor: false)
            let hasEnded = try await world.wait(.seconds(60)) { world.hasHubEnded }
            #expect(hasEnded != nil)
            #expect(world.hub.roster.agents.isEmpty)
        }
    }
}
