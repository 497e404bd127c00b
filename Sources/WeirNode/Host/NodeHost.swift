import AsyncHTTPClient
import Logging
import NIOCore
import NIOPosix
package import ServiceLifecycle
import UnixSignals
import WeirDestinations
import WeirFlow
import WeirGates
import WeirSettings
import WeirWorld

/// The process round a node: makes what a node stands on, reads the configuration, runs it until a signal, cleans up.
package struct NodeHost: Sendable {
    private let environment: [String: String]

    package init(environment: [String: String]) { self.environment = environment }

    /// What `weir check` says.
    package struct CheckResult: Sendable {
        /// The problems for a terminal; empty when there are none.
        package var text: String
        package var hasErrors: Bool
        package var hasWarnings: Bool
        /// "2 sources, 3 destinations, 4 routes, 1 connector of the tunnel".
        package var summary: String
    }

    package func check(
        load: (ConfigurationLoader) -> ConfigurationLoader.Loaded, fetchesSecrets: Bool, isColoured: Bool
    ) async -> CheckResult {
        let world = World.live(log: Logger(label: "weir") { _ in SwiftLogNoOpLogHandler() })
        let loaded = load(loader(world, fetchesSecrets: fetchesSecrets))
        let footing = Footing(world: world)
        let (plan, problems) = NodePlan.make(from: loaded, means: footing.means)
        await footing.close()
        return CheckResult(
            text: problems.isEmpty ? "" : ProblemText(isColoured: isColoured).text(problems),
            hasErrors: problems.contains { $0.severity == .error },
            hasWarnings: problems.contains { $0.severity == .warning },
            summary: summary(plan))
    }

    /// Runs a node.
    /// - Parameters:
    ///   - services: what else runs beside the node, made once it is open: API and console, the demo's players.
    /// - Returns: the exit code: 0 after a clean stop, 78 for a wrong configuration, 1 when it could not start or has
    ///   failed.
    package func run(
        load: (ConfigurationLoader) -> ConfigurationLoader.Loaded, report: @escaping @Sendable (String) -> Void,
        isColoured: Bool, services: @Sendable (Node) async throws -> [any Service]
    ) async -> Int32 {
        var world = World.live(log: Logger(label: "weir") { _ in SwiftLogNoOpLogHandler() })
        let loaded = load(loader(world, fetchesSecrets: true))
        let time = world.time
        let log = loaded.settings?.log ?? LogSettings()
        world.log = Logger(label: "weir") { _ in
            OperatorLog(
                level: log.level.logLevel, format: log.format == .json ? .json : .text, isColoured: isColoured,
                time: time,
                write: report)
        }
        let footing = Footing(world: world)
        let code = await run(loaded, on: footing, report, isColoured, services)
        await footing.close()
        return code
    }

    private func run(
        _ loaded: ConfigurationLoader.Loaded, on footing: Footing, _ report: @Sendable (String) -> Void,
        _ isColoured: Bool,
        _ services: @Sendable (Node) async throws -> [any Service]
    ) async -> Int32 {
        let (plan, problems) = NodePlan.make(from: loaded, means: footing.means)
        if !problems.isEmpty { report(ProblemText(isColoured: isColoured).text(problems)) }
        guard let plan else { return 78 }
        let world = footing.world
        do {
            let node = try await Node(
                plan: plan, means: footing.means, version: Release.version, environment: environment)
            try await node.open()
            let others = try await services(node)
            for source in node.sourceList {
                world.log.notice(
                    "A source listens.",
                    metadata: ["source": "\(source.name)", "at": "\(source.source.addresses.joined(separator: ", "))"])
            }
            world.log.notice("Weir is ready.", metadata: ["version": "\(Release.version)"])
            var configuration = ServiceGroupConfiguration(
                services: ([node] + others).map { .init(service: $0) }, gracefulShutdownSignals: [.sigterm, .sigint],
                cancellationSignals: [.sigquit], logger: Logger(label: "weir.life") { _ in SwiftLogNoOpLogHandler() })
            configuration.maximumGracefulShutdownDuration = plan.settings.stopWithin + .seconds(20)
            configuration.maximumCancellationDuration = .seconds(10)
            try await ServiceGroup(configuration: configuration).run()
            world.log.notice("Weir has stopped.")
            return 0
        } catch {
            world.log.error("Weir could not go on.", metadata: ["error": "\(error)"])
            return 1
        }
    }

    private func summary(_ plan: NodePlan?) -> String {
        guard let settings = plan?.settings else { return "" }
        let sources = counted(settings.sources.entries.count, "source")
        let destinations = counted(settings.destinations.entries.count, "destination")
        let connectors = settings.connectors.entries.count
        return "\(sources), \(destinations), \(counted(settings.routes.count, "route"))"
            + (connectors > 0 ? ", \(counted(connectors, "connector"))" : "")
            + (settings.tunnel.map { ", \(counted($0.connectors.entries.count, "connector")) of the tunnel" } ?? "")
    }

    func loader(_ world: World, fetchesSecrets: Bool) -> ConfigurationLoader {
        ConfigurationLoader(
            files: world.files, environment: environment,
            secrets: fetchesSecrets ? SecretReader(files: world.files, environment: environment) : nil)
    }

    private func counted(_ number: Int, _ noun: String) -> String { "\(number) \(noun)\(number == 1 ? "" : "s")" }

    /// Event loops and the HTTP client under a node.
    struct Footing: Sendable {
        let world: World
        let means: DestinationMeans
        private let group: MultiThreadedEventLoopGroup

        init(world: World) {
            self.world = world
            // Half of the cores for event loops: the other half is for the tasks that deliver and the threads that
            // sync.
            group = MultiThreadedEventLoopGroup(numberOfThreads: max(1, System.coreCount / 2))
            means = DestinationMeans(world: world, eventLoops: group, http: HTTPFamily.makeClient(eventLoops: group))
        }

        func close() async {
            try? await means.http.shutdown()
            try? await group.shutdownGracefully()
        }
    }
}
