import Testing
import WeirWorld

@testable import WeirTunnel

/// Ring 2: three hubs, their agents and a registry in virtual time. In the trouble: hubs that are paused for longer
/// than a lease and go on as if nothing had been, answers that are late or lost, a registry that is away, or empty
/// after it, or whose clock jumps; agents that move, and hubs that start anew. Then calm.
@Suite("Hubs that share a registry")
struct OwnershipSimulationTests {
    private struct Hub {
        var ownership: Ownership
        var isPaused = false
        var agents: Set<String> = []
        /// Beats on their way: sent, and the answer if the registry has seen it.
        var underway: [(sent: Ownership.Sent, answer: RegistryAnswer?, at: Moment)] = []
        var nextBeat = Moment.zero
        var starts = 1
    }

    private struct World {
        var random: SplitMix
        var now = Moment.zero
        /// The registry's clock is ahead of ours by so much.
        var ahead = Duration.zero
        var registry = RegistryModel()
        var isAway = false
        var hubs: [String: Hub] = [:]
        /// Where each agent's process has its link.
        var homes: [String: String] = [:]
        var losses = 0
        /// Since when a hub has believed in a number that the registry no longer has.
        var stale: [String: Moment] = [:]

        mutating func chance(_ one: Int) -> Bool { Int.random(in: 0..<one, using: &random) == 0 }
        mutating func pick(_ names: [String]) -> String { names[Int.random(in: names.indices, using: &random)] }
    }

    private static let names = ["a", "b", "c"]
    private static let agents = ["x", "y"]

    private func hub(_ name: String, _ start: Int) -> Hub {
        var settings = Ownership.Settings(hub: name, instance: "\(name)\(start)", address: "\(name):\(start)")
        settings.lease = .seconds(4)
        return Hub(ownership: Ownership(settings), starts: start)
    }

    @Test("never have an agent twice under one number, refuse what is stale, and agree in the end", arguments: 0..<60)
    func runs(seed: UInt64) throws {
        var world = World(random: SplitMix(seed: seed))
        for name in Self.names { world.hubs[name] = hub(name, 1) }
        for _ in 0..<3_000 {
            trouble(&world)
            step(&world, isCalm: false)
            try check(&world)
        }
        world.isAway = false
        for name in Self.names { world.hubs[name]?.isPaused = false }
        for agent in Self.agents where world.homes[agent] == nil { connect(agent, to: "a", &world) }
        for _ in 0..<400 {
            step(&world, isCalm: true)
            try check(&world)
        }
        for agent in Self.agents {
            let home = try #require(world.homes[agent])
            for name in Self.names {
                let ownership = try #require(world.hubs[name]).ownership
                let epoch = ownership.epoch(of: agent, at: world.now)
                #expect((epoch != nil) == (name == home), "\(agent) is at \(home); \(name) thinks \(epoch as Any)")
                let routes = ownership.routes(to: "c", at: world.now).filter { $0.agent == agent }
                #expect(routes.map(\.hub) == (name == home ? [] : [home]))
                for route in routes {
                    let forward = Forward(agent: agent, owner: route.hub, epoch: route.epoch)
                    #expect(world.hubs[home]?.ownership.judge(forward, at: world.now) == .ours)
                }
            }
        }
    }

    /// What must hold at every step.
    private func check(_ world: inout World) throws {
        for agent in Self.agents {
            var seen: [OwnershipEpoch: String] = [:]
            for name in Self.names {
                guard let epoch = world.hubs[name]?.ownership.epoch(of: agent, at: world.now) else { continue }
                try #require(seen[epoch] == nil, "\(agent) is at \(seen[epoch] ?? "") and \(name) under \(epoch)")
                seen[epoch] = name
                // Whoever has lost an agent knows it within a lease, paused or cut off.
                let place = "\(agent) \(name) \(epoch.incarnation) \(epoch.number)"
                let owner = world.registry.agents[agent]
                if owner?.hub == name, owner?.number == epoch.number {
                    world.stale[place] = nil
                } else {
                    let since = world.stale[place] ?? world.now
                    world.stale[place] = since
                    try #require(world.now - since < .seconds(4), "\(name) still believes in \(place)")
                }
            }
            // A forward is taken only by the hub that it names, under the number that this hub has.
            for from in Self.names {
                for route in world.hubs[from]?.ownership.routes(to: "c", at: world.now) ?? [] where route.agent == agent
                {
                    let forward = Forward(agent: agent, owner: route.hub, epoch: route.epoch)
                    for to in Self.names where world.hubs[to]?.ownership.judge(forward, at: world.now) == .ours {
                        try #require(to == route.hub && seen[route.epoch] == to)
                    }
                }
            }
        }
    }

    private func connect(_ agent: String, to name: String, _ world: inout World) {
        if let home = world.homes[agent] {
            world.hubs[home]?.agents.remove(agent)
            world.hubs[home]?.ownership.left(agent)
        }
        world.homes[agent] = name
        world.hubs[name]?.agents.insert(agent)
        world.hubs[name]?.ownership.joined(agent, connectors: ["c"], process: "p")
    }

    private func trouble(_ world: inout World) {
        if world.chance(40) {
            let agent = world.pick(Self.agents)
            connect(agent, to: world.pick(Self.names), &world)
        }
        // A hub that stands still neither sends nor takes; its clock goes on.
        if world.chance(60) { world.hubs[world.pick(Self.names)]?.isPaused.toggle() }
        if world.chance(80) { world.isAway.toggle() }
        if world.chance(250) {
            world.registry = RegistryModel()
            world.losses += 1
        }
        if world.chance(150) { world.ahead += .milliseconds(Int64.random(in: -6_000...6_000, using: &world.random)) }
        if world.chance(200) {
            let name = world.pick(Self.names)
            let start = (world.hubs[name]?.starts ?? 0) + 1
            for agent in world.hubs[name]?.agents ?? [] { world.homes[agent] = nil }
            world.hubs[name] = hub(name, start)
        }
    }

    private func step(_ world: inout World, isCalm: Bool) {
        world.now = world.now + .milliseconds(100)
        for name in Self.names {
            guard var hub = world.hubs[name], !hub.isPaused else { continue }
            if world.now >= hub.nextBeat, hub.underway.isEmpty {
                hub.nextBeat = world.now + .milliseconds(1_000)
                let incarnation = "\(world.losses)-\(world.random.next())"
                let sent = hub.ownership.beat(at: world.now, incarnation: incarnation)
                var answer: RegistryAnswer?
                if !world.isAway {
                    let taken = world.registry.take(sent.beat, at: world.now + world.ahead)
                    // The registry has acted, and the answer is lost on its way.
                    if isCalm || !world.chance(8) { answer = taken }
                }
                let most: Int64 = isCalm ? 50 : 3_000
                let delay = Duration.milliseconds(Int64.random(in: 0...most, using: &world.random))
                hub.underway.append((sent, answer, world.now + delay))
            }
            while let first = hub.underway.first, first.at <= world.now {
                hub.underway.removeFirst()
                if let answer = first.answer {
                    _ = hub.ownership.answered(answer, to: first.sent)
                } else {
                    hub.ownership.failed("lost")
                }
                if hub.ownership.isUrgent, isCalm { hub.nextBeat = world.now }
            }
            world.hubs[name] = hub
        }
    }
}
