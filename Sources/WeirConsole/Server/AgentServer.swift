import Glibc
import HTTPTypes
import Hummingbird
import HummingbirdCore
import Logging
import NIOCore
import ServiceLifecycle
package import WeirNode
import WeirSettings
package import WeirTunnel
package import WeirWorld

/// What an agent shows of itself on its own machine: health, metrics, and what `weir agent status` prints.
///
/// | path | |
/// | --- | --- |
/// | `/healthz` | 200 while the process answers |
/// | `/readyz` | 200 while the hub has welcomed a link; 503 with the reason otherwise |
/// | `/metrics` | Prometheus |
/// | `/status` | JSON |
package struct AgentServer: Service {
    /// Where it is unless it is told otherwise; the node's API is one below.
    package static let usual = "127.0.0.1:9472"

    private let address: APIAddress
    private let mayBeTaken: Bool
    private let agent: Agent
    private let meters: TunnelMeters
    private let world: World

    /// - Parameter listen: on loopback; `nil` is the usual address, and the agent goes on without where it is taken.
    package init(
        _ agent: Agent, meters: TunnelMeters, listen: String?, world: World
    ) throws(TunnelFailure) {
        do throws(APIAddress.Refusal) {
            address = try APIAddress(listen ?? Self.usual)
        } catch {
            throw TunnelFailure("wish", "--listen: \(error.message).", help: error.help)
        }
        mayBeTaken = listen == nil
        self.agent = agent
        self.meters = meters
        self.world = world
    }

    /// For `AgentHost`.
    /// - Parameter listen: as in `init`.
    package static func face(listen: String?) -> AgentHost.Face {
        { agent, meters, world throws(TunnelFailure) in
            try AgentServer(agent, meters: meters, listen: listen, world: world)
        }
    }

    /// Serves until the service group stops or the task is cancelled.
    package func run() async throws {
        do {
            try await application.run()
        } catch let error as IOError where error.errnoCode == EADDRINUSE {
            let failure = TunnelFailure(
                "listen", "Another program listens at \(address.host):\(address.port) already, perhaps another agent.",
                help: "Give this one an address of its own with --listen, or `--listen off`.")
            guard mayBeTaken else { throw failure }
            world.log.warning("\(failure.message)", metadata: ["help": "\(failure.help ?? "")"])
            try? await gracefulShutdown()
        }
    }

    private var application: Application<RouterResponder<BasicRequestContext>> {
        var logger = world.log
        // The library logs every start and stop of a server.
        logger.logLevel = max(logger.logLevel, .warning)
        let (log, host) = (world.log, NetworkAddress.bracketed(address.host))
        return Application(
            router: router, configuration: .init(address: .hostname(address.host, port: address.port)),
            onServerRunning: { channel in
                log.notice(
                    "Health and metrics of the agent listen.",
                    metadata: ["at": "http://\(host):\(channel.localAddress?.port ?? 0)/"])
            },
            logger: logger)
    }

    private var router: Router<BasicRequestContext> {
        let router = Router(context: BasicRequestContext.self, options: .autoGenerateHeadEndpoints)
        router.add(middleware: SecurityHeaders())
        router.add(middleware: RequestGuard())
        router.get("/healthz") { _, _ in Answer.text("ok\n") }
        router.get("/readyz") { [agent] _, _ in
            let status = AgentSelfView(agent.look)
            return Answer.text(
                status.connected ? "ok\n" : "not ready: \(status.trouble?.sentence ?? "not connected yet")\n",
                status: status.connected ? .ok : .serviceUnavailable)
        }
        router.get("/status") { [agent] _, _ in try Answer.json(AgentSelfView(agent.look)) }
        router.get("/metrics") { [agent, meters, world] _, _ in
            Answer.text(
                AgentMetrics.text(agent.look, meters, process: ProcessReading(world.files), now: world.time.now),
                type: "text/plain; version=0.0.4; charset=utf-8")
        }
        return router
    }
}
