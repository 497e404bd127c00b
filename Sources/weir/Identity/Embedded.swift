import ArgumentParser
import FoundationEssentials
import Logging
import WeirConsole
import WeirNode
import WeirWorld

/// A client of the running node, or, with a configuration and without a server, of one that lives for this command.
enum Embedded {
    static func client(
        _ config: String?, _ node: NodeOptions, _ body: (APIClient) async throws -> Void
    ) async throws {
        guard let config else { return try await node.withClient(body) }
        let host = NodeHost(environment: ProcessInfo.processInfo.environment)
        let code = try await host.embed(
            load: { $0.load(path: config) }, report: { Terminal.error.write($0) },
            isColoured: Terminal.error.hasColours,
            console: { node, bound in
                // It is cancelled at the end, which its library would tell as an error.
                var world = node.world
                world.log = Logger(label: "weir") { _ in SwiftLogNoOpLogHandler() }
                return try ConsoleServer(node: node, listen: "127.0.0.1:0", world: world, onReady: bound)
            },
            body: { address in
                var options = NodeOptions()
                options.address = address
                try await options.withClient(body)
            })
        if code != 0 { throw ExitCode(code) }
    }
}
