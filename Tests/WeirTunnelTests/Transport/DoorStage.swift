import AsyncHTTPClient
import Foundation
import Glibc
import Logging
import NIOCore
import NIOPosix
import Testing
import WeirGates
import WeirStore
import WeirTestKit
import WeirWorld

@testable import WeirTunnel

/// A hub with its door and its ledger, and agents that dial it, all in this process on loopback.
final class DoorStage: Sendable {
    let directory: String
    let world: World
    let ledger: Ledger
    let trust: HubTrust
    let hub: Hub
    let observer = CountingObserver()
    let door: HubDoor
    let group = MultiThreadedEventLoopGroup.singleton

    /// - Parameter keys: a JWKS file, for bearer tokens.
    /// - Parameter asksProof: false: agents are who they say.
    /// - Parameter registry: of the mesh that this hub is in, by the name of `hub`.
    init(
        listeners: [String], plain: Bool = false, keys: String? = nil, hub name: String = "hub",
        registry: ModelRegistry? = nil, asksProof: Bool = true,
        change: (inout HubTrust.Settings) -> Void = { _ in },
        door changeDoor: (inout HubDoor.Settings) -> Void = { _ in }
    ) async throws {
        directory = FileManager.default.temporaryDirectory.appending(path: "weir-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        var logger = Logger(label: "tunnel", factory: { _ in SwiftLogNoOpLogHandler() })
        logger.logLevel = .critical
        let world = World.live(log: logger)
        self.world = world
        ledger = try await Ledger.open(path: directory + "/ledger.sqlite", world: world)
        var settings = HubTrust.Settings()
        change(&settings)
        let bearer = keys.map { keys in
            var settings = BearerTrust.Settings(keys: keys)
            settings.audience = "nowconnect"
            return BearerTrust(settings, http: HTTPClient.shared, world: world)
        }
        let shared = registry.map { registry in
            SharedBook(registry: registry, secret: "correct horse battery staple", hub: name, time: world.time)
        }
        trust = try await HubTrust.open(settings, ledger: ledger, bearer: bearer, shared: shared, world: world)
        let group = group
        let mesh = registry.map { registry in
            var ownership = Ownership.Settings(hub: name, instance: UUID().uuidString, address: "")
            ownership.lease = .seconds(60)
            return Mesh(
                Mesh.Settings(mode: .active, ownership: ownership, host: "127.0.0.1", port: 0), registry: registry,
                eventLoops: group, world: world)
        }
        var hubSettings = Hub.Settings()
        hubSettings.listeners = listeners.map { .init(name: $0, host: "127.0.0.1", port: 0, connector: $0) }
        hubSettings.drainMost = .seconds(30)
        hubSettings.name = name
        hub = Hub(hubSettings, trust: asksProof ? trust : nil, observer: observer, mesh: mesh, world: world)
        mesh?.attach(hub)
        var doorSettings = HubDoor.Settings()
        doorSettings.host = "127.0.0.1"
        doorSettings.port = 0
        doorSettings.isPlain = plain
        doorSettings.handshakeMost = .seconds(5)
        changeDoor(&doorSettings)
        door = HubDoor(doorSettings, hub: hub, eventLoops: group, world: world)
    }

    /// Runs hub and door while `body` runs.
    func run(_ body: @escaping @Sendable () async throws -> Void) async throws {
        try hub.open()
        try await door.open()
        try await hub.mesh?.open(trust)
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask { await self.hub.run() }
            tasks.addTask { await self.door.run() }
            tasks.addTask { await self.hub.mesh?.run(self.hub) }
            try await body()
            tasks.cancelAll()
        }
        await ledger.close()
        try FileManager.default.removeItem(atPath: directory)
    }

    func agent(
        _ id: String, targets: [String: Int], token: String? = nil, scheme: String = "wss", path: String = "/tunnel",
        keeps: Bool = true, proxy: ProxyChoice? = nil, bearerFile: String? = nil, onlyWebSocket: Bool = false,
        host: String = "localhost"
    ) async throws -> Agent {
        var trustSettings = AgentTrust.Settings(agent: id)
        trustSettings.path = keeps ? "\(directory)/\(id)/identity.json" : nil
        trustSettings.token = token.flatMap { EnrolmentToken($0) }
        trustSettings.bearerFile = bearerFile
        let trust = try await AgentTrust.open(trustSettings, world: world)
        let address = try #require(HubAddress("\(scheme)://\(host):\(door.port ?? 0)\(path)"))
        var dial = HubDialler.Settings(address: address)
        dial.proxy = proxy
        dial.onlyWebSocket = onlyWebSocket
        var settings = Agent.Settings(id: id)
        settings.targets = targets.mapValues { .init(host: "127.0.0.1", port: $0) }
        settings.backoff = .init(first: .milliseconds(50), most: .milliseconds(200))
        settings.drainMost = .seconds(30)
        return Agent(
            settings, dialler: HubDialler(dial, trust: trust, world: world), trust: trust, observer: CountingObserver(),
            world: world, eventLoops: group)
    }

    /// Runs an agent while `body` runs.
    func with(_ agent: Agent, _ body: @escaping @Sendable () async throws -> Void) async throws {
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask { await agent.run() }
            try await body()
            tasks.cancelAll()
        }
    }

    /// A question and its answer through the tunnel.
    func echo(_ text: String, at listener: Int = 0) async throws -> (text: String, end: CInt) {
        let lane = world.blocking.lane("client")
        defer { lane.close() }
        let port = hub.ports[listener]
        let read = try await lane.run {
            let client = PlainSocket.connect(port)
            defer { client.close() }
            // A reset that has come already is told to the first who asks.
            guard client.send(Array(text.utf8)) > 0 else { return ([UInt8](), errno) }
            client.finish()
            let read = client.readAll()
            return (read.bytes, read.end)
        }
        return (String(decoding: read.0, as: UTF8.self), read.1)
    }
}

/// Waits until something holds; a minute at the most.
func holds(_ what: Comment, _ condition: () async throws -> Bool) async throws {
    let clock = ContinuousClock()
    let limit = clock.now + .seconds(60)
    while try await !condition() {
        try #require(clock.now < limit, what)
        try await Task.sleep(for: .milliseconds(10))
    }
}
