import Foundation
import Hummingbird
import NIOCore
import Synchronization
import Testing
import WeirFlow
import WeirGates
import WeirNode
import WeirWorld

@testable import WeirConsole

/// Serves the fake node for a person who works on the pages: `WEIR_CONSOLE=127.0.0.1:9499 swift test --filter
/// DevelopmentServer`.
@Suite("Development server")
struct DevelopmentServer {
    private static let listen = ProcessInfo.processInfo.environment["WEIR_CONSOLE"]

    @Test("It serves until it is interrupted", .enabled(if: listen != nil, "WEIR_CONSOLE is not set"))
    func serve() async throws {
        let kind = ProcessInfo.processInfo.environment["WEIR_CONSOLE_NODE"] ?? "busy"
        let node: FakeNode = kind == "empty" ? FakeNode() : kind == "hostile" ? .hostile() : .busy()
        let listen = try #require(Self.listen)
        node.clock.isLive.withLock { $0 = true }
        let server = try ConsoleServer(node: node, listen: listen, world: node.world) { print("console at \($0)") }
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await server.application.run() }
            group.addTask {
                // The fake clock goes at the wall's pace, and the relay's gate breathes.
                var turn: Int64 = 0
                while !Task.isCancelled {
                    server.observatory.sample()
                    try await ContinuousClock().sleep(for: .seconds(1))
                    node.clock.advance(.seconds(1))
                    turn += 1
                    guard kind == "busy" else { continue }
                    var relay = GateReading.relay
                    relay.level = 3 + turn % 3
                    relay.counters.takenEvents += UInt64(turn) * 120
                    relay.counters.deliveredEvents += UInt64(turn) * 118
                    if relay.level != 5 {
                        relay.state = .filling
                        relay.reason = Reason("filling", "\(relay.level ?? 0) of 5 requests are in flight; all passes.")
                        relay.since = node.clock.wall
                    }
                    node.publish(relay)
                }
            }
            try await group.next()
            group.cancelAll()
        }
    }
}
