internal import Foundation
internal import Logging
internal import NIOCore
internal import NIOPosix
package import ServiceLifecycle
internal import UnixSignals
internal import WeirGates
internal import WeirSettings
package import WeirTunnel
package import WeirWorld

/// The process round an agent: reads what it was told, dials out, serves until a signal, lets what is open end.
package struct AgentHost: Sendable {
    /// What `weir agent` was told.
    package struct Wish: Sendable {
        /// `wss://hub.example.org/tunnel`, or `tls://hub.example.org:8765`; several hubs of a mesh.
        package var hubs: [String] = []
        /// The enrolment token's file; needed once.
        package var tokenFile: String?
        /// A file with a bearer token that others renew.
        package var bearerFile: String?
        /// The agent's name; the token says it, and what is kept of an enrolment.
        package var name: String?
        /// `addomain=127.0.0.1:389`.
        package var serve: [String] = []
        /// Where key and certificate are kept.
        package var state = "./weir-agent/identity.json"
        package var links = 1
        package var streamsMost = 2_000
        package var connectTimeout = Duration.seconds(3)
        package var pingEvery = Duration.seconds(11)
        package var pingTimeout = Duration.seconds(10)
        package var authorityFile: String?
        package var certificateFile: String?
        package var keyFile: String?
        /// `http://user:password@proxy:3128`.
        package var proxy: String?
        /// `HTTPS_PROXY` and `NO_PROXY` count.
        package var usesEnvironmentProxy = false
        package var onlyWebSocket = false
        /// Targets are told who the client is, by the PROXY protocol.
        package var tellsClient = false

        package init() {}
    }

    /// Makes what the agent shows of itself on its own machine.
    package typealias Face = @Sendable (Agent, TunnelMeters, World) throws(TunnelFailure) -> any Service

    private let environment: [String: String]
    private let face: Face?

    /// - Parameter face: `nil`: it shows nothing.
    package init(environment: [String: String], face: Face? = nil) {
        self.environment = environment
        self.face = face
    }

    /// - Returns: the exit code: 0 after a clean stop, 78 for a wish that makes no sense, 1 when it could not start.
    package func run(
        _ wish: Wish, report: @escaping @Sendable (String) -> Void, isColoured: Bool
    ) async -> Int32 {
        var world = World.live(log: Logger(label: "weir") { _ in SwiftLogNoOpLogHandler() })
        let time = world.time
        world.log = Logger(label: "weir") { _ in
            OperatorLog(level: .notice, format: .text, isColoured: isColoured, time: time, write: report)
        }
        let group = MultiThreadedEventLoopGroup(numberOfThreads: max(1, System.coreCount / 2))
        let code = await run(wish, world, group)
        try? await group.shutdownGracefully()
        return code
    }

    private func run(_ wish: Wish, _ world: World, _ group: MultiThreadedEventLoopGroup) async -> Int32 {
        do throws(TunnelFailure) {
            let (agent, meters) = try await agent(wish, world, group)
            var services: [ServiceGroupConfiguration.ServiceConfiguration] = [.init(service: Running(agent: agent))]
            if let face { services.append(.init(service: try face(agent, meters, world))) }
            world.log.notice(
                "The agent starts.",
                metadata: [
                    "agent": "\(agent.settings.id)", "hub": "\(wish.hubs.joined(separator: ", "))",
                    "serves": "\(agent.settings.targets.keys.sorted().joined(separator: ", "))",
                ])
            var configuration = ServiceGroupConfiguration(
                services: services, gracefulShutdownSignals: [.sigterm, .sigint],
                cancellationSignals: [.sigquit], logger: Logger(label: "weir.life") { _ in SwiftLogNoOpLogHandler() })
            configuration.maximumGracefulShutdownDuration = agent.settings.drainMost + .seconds(10)
            configuration.maximumCancellationDuration = .seconds(10)
            do {
                try await ServiceGroup(configuration: configuration).run()
            } catch let failure as TunnelFailure {
                throw failure
            } catch {
                throw TunnelFailure("failed", "The agent could not go on: \(error).")
            }
            world.log.notice("The agent has stopped.")
            return 0
        } catch {
            world.log.error("\(error.message)", metadata: error.help.map { ["help": "\($0)"] } ?? [:])
            return error.code == "wish" ? 78 : 1
        }
    }

    private struct Running: Service {
        let agent: Agent
        func run() async throws { await cancelWhenGracefulShutdown { await agent.run() } }
    }

    private func agent(
        _ wish: Wish, _ world: World, _ group: MultiThreadedEventLoopGroup
    ) async throws(TunnelFailure) -> (Agent, TunnelMeters) {
        let addresses = try wish.hubs.map { text throws(TunnelFailure) in
            guard let address = HubAddress(text) else {
                throw Self.wrong("`\(text)` is no address of a hub.", "Write wss://HOST/tunnel or tls://HOST:8765.")
            }
            guard address.isSafe else {
                throw Self.wrong(
                    "\(address) has no TLS: tokens and data would cross the network unencrypted.",
                    "Write wss:// or tls://; without TLS only 127.0.0.1 and ::1 are taken.")
            }
            return address
        }
        guard !addresses.isEmpty else { throw Self.wrong("No hub is named.", "Give one with --hub.") }
        let token = try token(wish)
        guard let name = wish.name ?? token?.agent ?? kept(wish.state) else {
            throw Self.wrong(
                "This agent has no name yet.",
                "Give the enrolment token with --token-file, or a name with --name.")
        }
        var trusting = AgentTrust.Settings(agent: name)
        trusting.path = wish.bearerFile == nil && wish.certificateFile == nil ? wish.state : nil
        trusting.token = token
        trusting.bearerFile = wish.bearerFile
        trusting.certificateFile = wish.certificateFile
        trusting.keyFile = wish.keyFile
        trusting.authorityFile = wish.authorityFile
        let trust = try await AgentTrust.open(trusting, world: world)
        let proxy = try proxy(wish)
        let diallers = addresses.map { address in
            var dialling = HubDialler.Settings(address: address)
            dialling.onlyWebSocket = wish.onlyWebSocket
            dialling.proxy = proxy
            return HubDialler(dialling, trust: trust, world: world)
        }
        var settings = Agent.Settings(id: name)
        settings.version = Release.version
        settings.targets = try targets(wish)
        settings.links = wish.links
        settings.streamsMost = wish.streamsMost
        settings.connectTimeout = wish.connectTimeout
        settings.session.pingEvery = wish.pingEvery
        settings.session.pingTimeout = wish.pingTimeout
        let meters = TunnelMeters(connectors: settings.targets.keys.sorted(), time: world.time)
        let agent = Agent(
            settings, dialler: HubDiallers(diallers), trust: trust, observer: meters,
            world: world, eventLoops: group)
        return (agent, meters)
    }

    private static func wrong(_ message: String, _ help: String) -> TunnelFailure {
        TunnelFailure("wish", message, help: help)
    }

    private func token(_ wish: Wish) throws(TunnelFailure) -> EnrolmentToken? {
        guard let path = wish.tokenFile else { return nil }
        guard let text = try? String(contentsOfFile: path, encoding: .utf8) else {
            // It was good once; afterwards the certificate is what counts.
            if kept(wish.state) != nil { return nil }
            throw Self.wrong("\(path) cannot be read.", "`weir tunnel token` on the hub makes a token.")
        }
        guard let token = EnrolmentToken(text.trimmingCharacters(in: .whitespacesAndNewlines)) else {
            throw Self.wrong(
                "\(path) holds no enrolment token.",
                "It begins with `\(EnrolmentToken.prefix)`; a bearer token (JWT) goes with --bearer-file.")
        }
        return token
    }

    /// The name in what is kept of an enrolment.
    private func kept(_ path: String) -> String? {
        guard let bytes = FileManager.default.contents(atPath: path) else { return nil }
        return (try? JSONDecoder().decode(AgentTrust.Credentials.self, from: bytes))?.agent
    }

    private func proxy(_ wish: Wish) throws(TunnelFailure) -> ProxyChoice? {
        guard let url = wish.proxy else {
            return wish.usesEnvironmentProxy ? ProxyChoice.environment(environment) : nil
        }
        guard let proxy = ProxyChoice(url: url) else {
            throw Self.wrong("`\(url)` is no HTTP proxy.", "Write http://USER:PASSWORD@HOST:3128.")
        }
        return proxy
    }

    private func targets(_ wish: Wish) throws(TunnelFailure) -> [String: Agent.Target] {
        var targets: [String: Agent.Target] = [:]
        for text in wish.serve {
            let parts = text.split(separator: "=", maxSplits: 1).map(String.init)
            guard parts.count == 2, !parts[0].isEmpty, let address = NetworkAddress(parts[1]) else {
                throw Self.wrong("`\(text)` says no target.", "Write NAME=HOST:PORT, such as addomain=127.0.0.1:389.")
            }
            var target = Agent.Target(host: address.host, port: address.port)
            target.tellsClient = wish.tellsClient
            targets[parts[0]] = target
        }
        guard !targets.isEmpty else {
            throw Self.wrong("This agent serves nothing.", "Say with --serve NAME=HOST:PORT what it may reach.")
        }
        return targets
    }
}
