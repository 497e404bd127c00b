import AsyncHTTPClient
import Logging
import NIOCore
import NIOPosix
import Testing
import WeirDestinations
import WeirFlow
import WeirGates
import WeirSettings
import WeirTestKit
import WeirWorld

@testable import WeirNode

@Suite("A node")
struct NodeTests {
    /// Runs a node of this configuration while `body` looks at it, then stops it; the directory goes away at the end.
    private static func run(_ text: String, _ body: (Node, String) async throws -> Void) async throws {
        let temporary = try TemporaryFolder()
        defer { temporary.remove() }
        let folder = temporary.path
        let world = World.live(log: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        try await run(text, in: folder, world, body)
    }

    private static func run(
        _ text: String, in folder: String, _ world: World, _ body: (Node, String) async throws -> Void
    ) async throws {
        let means = DestinationMeans(
            world: world, eventLoops: MultiThreadedEventLoopGroup.singleton, http: HTTPClient.shared)
        let loader = ConfigurationLoader(files: world.files, environment: [:], secrets: nil)
        let loaded = loader.load(text: "data: \(folder)\n" + text, file: "weir.yaml")
        let made = NodePlan.make(from: loaded, means: means)
        let plan = try #require(made.plan, "\(made.problems.map(\.description))")
        let node = try await Node(plan: plan, means: means, version: "test")
        try await node.open()
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await node.run() }
            try await body(node, folder)
            group.cancelAll()
        }
    }

    private static func send(_ text: String, to node: Node) async throws {
        let port = try #require(node.port(ofSource: "in"))
        let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .connect(host: "127.0.0.1", port: port).get()
        try await channel.writeAndFlush(ByteBuffer(string: text))
        try await channel.close()
    }

    @Test("keeps a second node off its data directory, and lets it in when it has stopped")
    func alone() async throws {
        let text = "destinations: { a: { type: drop } }"
        try await Self.run(text) { node, folder in
            let second = await #expect(throws: NodeFailure.self) {
                try await Self.run(text, in: folder, node.world) { _, _ in }
            }
            #expect(second?.message.contains("Another Weir runs on the data directory") == true)
        }
    }

    @Test("brings what comes in to where its routes say, and accounts for all of it")
    func flow() async throws {
        let text = """
            sources: { in: { type: tcp, listen: "127.0.0.1:0" } }
            destinations: { a: { type: drop }, b: { type: drop } }
            routes:
              - { name: errors, when: "event.level == 'error'", to: a }
              - { name: rest, to: b }
            """
        try await Self.run(text) { node, _ in
            let lines = (0..<100).map { "{\"n\":\($0),\"level\":\"\($0 % 4 == 0 ? "error" : "info")\"}\n" }.joined()
            try await Self.send(lines, to: node)
            #expect(
                await eventually {
                    node.gates.readings.reduce(0) { $0 + $1.counters.deliveredEvents } == 100
                })
            #expect(node.gates.reading("a")?.counters.deliveredEvents == 25)
            #expect(node.routes.map(\.matchedEvents) == [25, 75])
            #expect(node.gates.readings.allSatisfy { $0.counters.unaccounted == 0 })
            #expect(node.sources.first?.reading.events == 100)
            #expect(node.health.allSatisfy { $0.isOK })
        }
    }

    @Test("keeps what its receiver cannot take, delivers it after a restart, and shows a queue that nobody owns")
    func restart() async throws {
        let temporary = try TemporaryFolder()
        defer { temporary.remove() }
        let folder = temporary.path
        let world = World.live(log: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        let source = "sources: { in: { type: tcp, listen: \"127.0.0.1:0\" } }\n"
        // Nobody listens on port 1.
        let down =
            source + """
                destinations:
                  out:
                    type: tcp
                    address: "127.0.0.1:1"
                    on_backpressure: queue
                    queue: { mode: always }
                """
        try await Self.run(down, in: folder, world) { node, _ in
            try await Self.send("one\ntwo\nthree\n", to: node)
            #expect(await eventually { node.gates.reading("out")?.queue?.events == 3 })
        }
        try await Self.run(down, in: folder, world) { node, _ in
            #expect(node.gates.reading("out")?.counters.recoveredEvents == 3)
            #expect(node.queues.map(\.isOrphan) == [false])
        }
        try await Self.run(source + "destinations: { other: { type: drop } }", in: folder, world) { node, _ in
            #expect(node.queues.map(\.name) == ["out"] && node.queues.map(\.isOrphan) == [true])
            #expect(node.queues.first?.reading.events == 3)
        }
        let other = source + "destinations: { other: { type: drop } }"
        try await Self.run(other, in: folder, world) { node, _ in
            #expect(!node.drainQueue("out", to: "nobody") && !node.drainQueue("nothing", to: "other"))
        }
        let shelf = QueueShelf(data: folder, files: world.files)
        var texts: [String] = []
        try shelf.events("out", .queue) { event in
            texts.append(String(buffer: event.content))
            return true
        }
        #expect(texts == ["one", "two", "three"])
        // Through another destination's gate, and then it is gone; asked for twice, it is done once.
        try await Self.run(other, in: folder, world) { node, _ in
            #expect(node.drainQueue("out", to: "other"))
            #expect(!node.drainQueue("out", to: "other"))
            #expect(node.queues.first?.drainsTo == "other")
            #expect(await eventually { node.queues.isEmpty })
            #expect(node.gates.reading("other")?.counters.deliveredEvents == 3)
        }
        #expect(try shelf.entries("out").filter { $0.part == .queue }.isEmpty)
    }
}
