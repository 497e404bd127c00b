import Foundation
import Logging
import NIOPosix
import WeirWorld

@testable import WeirConnectors

/// A real client in Python at the AMQP ingress and the door.
enum PythonPeer {
    /// Runs a script to its end.
    /// - Returns: its exit code and what it printed on both outputs. That is read while it runs: a full pipe would
    ///   stop it.
    static func run(
        _ python: String, _ script: String, _ arguments: [String]
    ) async throws -> (code: Int32, output: String) {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: python)
        process.arguments = ["-c", script] + arguments
        let pipe = Pipe()
        process.standardOutput = pipe
        process.standardError = pipe
        try process.run()
        return await withCheckedContinuation { continuation in
            Thread.detachNewThread {
                let output = pipe.fileHandleForReading.readDataToEndOfFile()
                process.waitUntilExit()
                continuation.resume(returning: (process.terminationStatus, String(decoding: output, as: UTF8.self)))
            }
        }
    }

    /// An ingress on a free port, for as long as `body` takes.
    static func withIngress(
        to platform: any ConnectorPlatform, _ world: World, _ body: (AMQPIngress) async throws -> Void
    ) async throws {
        var settings = AMQPIngress.Settings()
        settings.port = 0
        settings.handshakeMost = .seconds(120)
        let ingress = AMQPIngress(
            platform: platform, keys: MemoryKeys(), world: world, settings: settings,
            eventLoops: MultiThreadedEventLoopGroup.singleton)
        try await ingress.open()
        let result: Result<Void, any Error>
        do { result = .success(try await body(ingress)) } catch { result = .failure(error) }
        await ingress.stop()
        try result.get()
    }

    /// A world that says nothing.
    static var world: World { World.live(log: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }) }
}
