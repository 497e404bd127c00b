import Logging
package import ServiceLifecycle
import WeirDestinations
import WeirIdentity
import WeirSettings
import WeirWorld

extension NodeHost {
    /// Opens a node that has only the identity of a configuration: no events come in, no timers run, nobody listens
    /// for agents. It ends with `body`.
    /// - Parameters:
    ///   - console: makes the service that answers; it says its address when it is bound.
    ///   - body: is given that address.
    /// - Returns: the exit code: 0, 78 for a wrong configuration, 1 when it could not start.
    package func embed(
        load: (ConfigurationLoader) -> ConfigurationLoader.Loaded, report: @escaping @Sendable (String) -> Void,
        isColoured: Bool,
        console: (Node, @escaping @Sendable (String) async -> Void) throws -> any Service,
        body: (String) async throws -> Void
    ) async throws -> Int32 {
        var world = World.live(log: Logger(label: "weir") { _ in SwiftLogNoOpLogHandler() })
        var loaded = load(loader(world, fetchesSecrets: true))
        loaded.settings?.keepOnlyIdentity()
        let time = world.time
        world.log = Logger(label: "weir") { _ in
            OperatorLog(level: .warning, format: .text, isColoured: isColoured, time: time, write: report)
        }
        let footing = Footing(world: world)
        let result: Result<Int32, any Error>
        do {
            result = .success(try await embed(loaded, on: footing, report, isColoured, console, body))
        } catch {
            result = .failure(error)
        }
        await footing.close()
        return try result.get()
    }

    private func embed(
        _ loaded: ConfigurationLoader.Loaded, on footing: Footing, _ report: @Sendable (String) -> Void,
        _ isColoured: Bool, _ console: (Node, @escaping @Sendable (String) async -> Void) throws -> any Service,
        _ body: (String) async throws -> Void
    ) async throws -> Int32 {
        let (plan, problems) = NodePlan.make(from: loaded, means: footing.means)
        if problems.contains(where: { $0.severity == .error }) {
            report(ProblemText(isColoured: isColoured).text(problems))
        }
        guard let plan else { return 78 }
        guard plan.settings.identity != nil else {
            report("weir: the configuration has no `identity`.\n")
            return 78
        }
        let (addresses, bound) = AsyncStream.makeStream(of: String.self)
        let node: Node
        let service: any Service
        do {
            node = try await Node(plan: plan, means: footing.means, version: Release.version)
            try await node.open()
            service = try console(node) { bound.yield($0) }
        } catch {
            report("weir: \(error)\n")
            return 1
        }
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try? await node.run() }
            group.addTask {
                defer { bound.finish() }
                try? await service.run()
            }
            defer { group.cancelAll() }
            for await address in addresses { return try await body(address) }
        }
        return 0
    }
}

extension NodeSettings {
    fileprivate mutating func keepOnlyIdentity() {
        sources = SettingMap()
        destinations = SettingMap()
        connectors = SettingMap()
        routes = []
        fallback = nil
        openCTI = nil
        tunnel = nil
        identity?.sync.full = nil
        identity?.sync.delta = nil
    }
}
