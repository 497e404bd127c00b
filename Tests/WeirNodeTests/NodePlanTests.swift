import AsyncHTTPClient
import Logging
import NIOCore
import NIOPosix
import Testing
import WeirDelivery
import WeirDestinations
import WeirGates
import WeirSettings
import WeirWorld

@testable import WeirNode

/// What `weir check` finds when it looks at the whole configuration.
@Suite("A plan")
struct NodePlanTests {
    private static func plan(_ text: String) -> (plan: NodePlan?, problems: [String]) {
        let world = World.live(log: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        let loops = MultiThreadedEventLoopGroup.singleton
        let means = DestinationMeans(world: world, eventLoops: loops, http: HTTPClient.shared)
        let loader = ConfigurationLoader(files: world.files, environment: [:], secrets: nil)
        let made = NodePlan.make(from: loader.load(text: text, file: "weir.yaml"), means: means)
        return (made.plan, made.problems.map(\.description))
    }

    private static let sources = "sources: { in: { type: tcp, listen: \"127.0.0.1:0\" } }\n"

    @Test("with one destination and no routes sends everything there")
    func onlyDestination() throws {
        let made = Self.plan(Self.sources + "destinations: { out: { type: drop } }")
        #expect(made.problems.isEmpty)
        #expect(try #require(made.plan).fallback == "out")
    }

    @Test("names a destination that a route, `default` or a composed destination does not find, and the nearest")
    func unknownNames() {
        let made = Self.plan(
            Self.sources + """
                destinations:
                  siem: { type: drop }
                  both: { type: fallback, order: [ siem, archve ] }
                  archive: { type: drop }
                routes:
                  - { name: a, to: [ siem, seim ] }
                  - { name: b, to: both }
                default: archiv
                """)
        #expect(made.plan == nil)
        #expect(made.problems.count { $0.contains("there is no destination named") } == 3)
        #expect(made.problems.contains { $0.contains("`seim`") && $0.contains("did you mean `siem`") })
        #expect(made.problems.contains { $0.contains("`archv") && $0.contains("weir.yaml:4") })
        #expect(made.problems.contains { $0.contains("`archiv`") && $0.contains("weir.yaml:9") })
    }

    @Test("refuses destinations that send to each other in a circle, and shows the circle")
    func circle() {
        let made = Self.plan(
            Self.sources + """
                destinations:
                  a: { type: fallback, order: [ b, c ] }
                  b: { type: balance, members: [ { to: a } ] }
                  c: { type: drop }
                default: a
                """)
        #expect(made.plan == nil)
        #expect(made.problems.contains { $0.contains("in a circle") && $0.contains("a → b → a") })
    }

    @Test("points into the expression of a route that cannot be read")
    func badExpression() throws {
        let made = Self.plan(
            Self.sources + """
                destinations: { out: { type: drop } }
                routes:
                  - { name: r, when: "event.level = 3", to: out }
                """)
        #expect(made.plan == nil)
        #expect(try #require(made.problems.first).hasPrefix("weir.yaml:4:"))
    }

    @Test("warns of what will never be used, and of what will be dropped")
    func warnings() throws {
        let made = Self.plan(
            Self.sources + """
                destinations:
                  out: { type: drop }
                  forgotten: { type: drop }
                routes:
                  - { name: some, when: "event.level == 3", to: out }
                """)
        #expect(made.plan != nil)
        #expect(made.problems.contains { $0.contains("warning") && $0.contains("nothing is sent to `forgotten`") })
        #expect(made.problems.contains { $0.contains("warning") && $0.contains("no_route") })
    }

    @Test("listens on loopback only, and says how to reach it from elsewhere")
    func loopback() {
        let made = Self.plan(
            "api: { listen: \"0.0.0.0:9471\" }\n" + Self.sources + "destinations: { out: { type: drop } }")
        #expect(made.plan == nil)
        #expect(made.problems.first?.contains("weir.yaml:1:") == true)
        #expect(made.problems.first?.contains("ssh -L 9471:127.0.0.1:9471") == true)
        #expect(
            Self.plan("api: { listen: off }\n" + Self.sources + "destinations: { out: { type: drop } }").plan != nil)
    }

    @Test("knows which sources may reach a destination: what a source's name decides is decided")
    func reach() throws {
        let plan = try #require(
            Self.plan(
                """
                sources:
                  a: { type: tcp, listen: "127.0.0.1:0" }
                  b: { type: tcp, listen: "127.0.0.1:0" }
                destinations:
                  some: { type: drop }
                  mine: { type: drop }
                  both: { type: balance, members: [ { to: one }, { to: two } ] }
                  one: { type: drop }
                  two: { type: drop }
                routes:
                  - { name: some, when: "has(event.level) && event.level == 3", to: some }
                  - { name: mine, when: "source == 'b'", to: mine }
                  - { name: mixed, when: "source == 'b' && event.level == 3", to: some }
                  - { name: rest, to: both }
                """
            ).plan)
        let senders = plan.senders
        #expect(senders["some"] == ["a", "b"], "an event may match")
        #expect(senders["mine"] == ["b"])
        #expect(senders["both"] == ["a"], "those of b were taken before")
        #expect(senders["one"] == ["both"] && senders["two"] == ["both"])
    }

    @Test("shares `memory` among the gates whose buffer nobody set, 8 MiB for one at the most")
    func memory() throws {
        let destinations = (0..<32).map { "  d\($0): { type: tcp, address: \"127.0.0.1:1\" }\n" }.joined()
        let made = Self.plan(
            Self.sources + "memory: 64MiB\ndestinations:\n" + destinations
                + "  big: { type: tcp, address: \"127.0.0.1:1\", buffer: 32MiB }\ndefault: big\n")
        let plan = try #require(made.plan)
        #expect(plan.receivers.filter { $0.name != "big" }.allSatisfy { $0.settings.buffer.bytes == 1 << 20 })
        #expect(plan.receivers.first { $0.name == "big" }?.settings.buffer.bytes == 32 << 20)
        #expect(plan.receivers.first { $0.name == "big" }?.limitOrigin == "weir.yaml:36")
        let small = Self.plan(Self.sources + "destinations: { out: { type: tcp, address: \"127.0.0.1:1\" } }")
        #expect(small.plan?.receivers.first?.settings.buffer.bytes == 8 << 20)
    }
}
