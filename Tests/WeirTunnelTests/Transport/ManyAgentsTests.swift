import Glibc
import NIOCore
import Synchronization
import Testing
import WeirWorld

@testable import WeirTunnel

/// While the hub is away nobody answers whoever dials. What is dialled otherwise are real sockets.
private final class Presence: Sendable {
    private struct State {
        var isAway = false
        var vain: Set<String> = []
    }

    private let state = Mutex(State())

    var isAway: Bool {
        get { state.withLock { $0.isAway } }
        set { state.withLock { $0 = State(isAway: newValue) } }
    }
    /// Agents that have tried in vain since it has gone.
    var vain: Int { state.withLock { $0.vain.count } }

    func mayReach(_ agent: String) -> Bool {
        state.withLock { state in
            if state.isAway { state.vain.insert(agent) }
            return !state.isAway
        }
    }

    struct Way: LinkDialler {
        var hub: Presence
        var agent: String
        var dialler: HubDialler

        func dial(on loop: any EventLoop, ready: @escaping @Sendable (any Channel) throws -> Void)
            async throws(TunnelFailure) -> any Channel
        {
            guard hub.mayReach(agent) else { throw TunnelFailure("connect_refused", "The hub is away.") }
            return try await dialler.dial(on: loop, ready: ready)
        }
    }
}

/// How their return is spread is looked at in virtual time, in `TunnelSimulationTests`; here, that a real door and real
/// sockets take it.
@Suite("Five hundred agents on real sockets", .serialized)
struct ManyAgentsTests {
    private static let count = 500

    /// Both ends of all links are in this process.
    init() {
        let what = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
        var limits = rlimit()
        guard getrlimit(what, &limits) == 0, limits.rlim_cur < limits.rlim_max else { return }
        limits.rlim_cur = limits.rlim_max
        _ = setrlimit(what, &limits)
    }

    @Test("are served, lose their hub at the same moment, and all come back, each once")
    func comeBack() async throws {
        let server = try await target { count in Array("\(count)".utf8) }
        let target = Agent.Target(host: "127.0.0.1", port: server.localAddress?.port ?? 0)
        let stage = try await DoorStage(listeners: ["echo"], plain: true, asksProof: false)
        try await stage.run {
            let hub = Presence()
            let address = try #require(HubAddress("tcp://127.0.0.1:\(stage.door.port ?? 0)"))
            try await withThrowingTaskGroup(of: Void.self) { agents in
                for number in 0..<Self.count {
                    let name = "site-\(number)"
                    let trust = try await AgentTrust.open(AgentTrust.Settings(agent: name), world: stage.world)
                    let dialler = HubDialler(HubDialler.Settings(address: address), trust: trust, world: stage.world)
                    var settings = Agent.Settings(id: name)
                    settings.targets = ["echo": target]
                    let agent = Agent(
                        settings, dialler: Presence.Way(hub: hub, agent: name, dialler: dialler), trust: trust,
                        observer: CountingObserver(),
                        world: stage.world, eventLoops: stage.group)
                    agents.addTask { await agent.run() }
                }
                func areThere() -> Bool { stage.hub.roster.agents.count == Self.count }
                try await holds("all are there", areThere)
                #expect(try await stage.echo("five!").text == "5")
                hub.isAway = true
                for agent in stage.hub.roster.agents.keys { stage.hub.close(agent, .closed) }
                try await holds("none is there, and each has tried") {
                    stage.hub.roster.agents.isEmpty && hub.vain == Self.count
                }
                #expect(try await stage.echo("x").end != 0)
                hub.isAway = false
                try await holds("all are back", areThere)
                let links = stage.hub.roster.agents.values.map(\.links.count)
                #expect(links.max() == 1 && stage.observer.now.door == [:] && stage.door.pending == 0)
                #expect(try await stage.echo("four").text == "4")
                agents.cancelAll()
            }
        }
        try await server.close()
    }
}
