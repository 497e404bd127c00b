import AsyncHTTPClient
import Logging
import NIOPosix
import Testing
import WeirConnectors
import WeirDestinations
import WeirSettings
import WeirWorld

@testable import WeirNode

@Suite("The settings of a broker")
struct BrokerSettingsTests {
    private static func read(_ opencti: String) -> (settings: OpenCTISettings?, problems: [String]) {
        let world = World.live(log: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        let means = DestinationMeans(
            world: world, eventLoops: MultiThreadedEventLoopGroup.singleton, http: HTTPClient.shared)
        let text = "destinations: { out: { type: drop } }\nopencti:\n  tokens: [ { env: T } ]\n" + opencti
        let loader = ConfigurationLoader(files: world.files, environment: [:], secrets: nil)
        let made = NodePlan.make(from: loader.load(text: text, file: "weir.yaml"), means: means)
        return (made.plan?.settings.openCTI, made.problems.map(\.description))
    }

    @Test("a URL alone is enough; its password is hidden and warned of")
    func short() throws {
        let made = Self.read("  broker: amqp://weir:hunter2@mq:5673/cti\n  management: http://mq:1\n")
        let settings = try #require(made.settings)
        let broker = try #require(settings.broker).settings
        #expect((broker.address.host, broker.address.port, broker.address.vhost) == ("mq", 5673, "cti"))
        #expect((broker.address.user, broker.address.password) == ("weir", "hunter2"))
        #expect(settings.management == "http://mq:1")
        #expect(made.problems.contains { $0.contains("password") && !$0.contains("hunter2") })
        #expect(!"\(broker.plain)".contains("hunter2"))
    }

    @Test("what stands beside the URL goes before what is in it; connectors may be told something else")
    func group() throws {
        let made = Self.read(
            """
              broker:
                url: amqps://mq
                user: weir
                password: hunter2
                queue_type: classic
                prefetch: 7
                connectors: { host: outside, user: feeds, password: secret }
            """)
        let broker = try #require(made.settings?.broker).settings
        #expect((broker.address.user, broker.address.password, broker.address.port) == ("weir", "hunter2", 5671))
        let settings = try broker.broker(management: "", version: "1")
        #expect(settings.management == "https://mq:15671" && !settings.usesQuorumQueues && settings.prefetch == 7)
        #expect(
            settings.told
                == BrokerConnection(
                    host: "outside", port: 5671, vhost: "/", usesTLS: true, user: "feeds", password: "secret"))
        #expect(made.problems.allSatisfy { !$0.contains("hunter2") })
    }

    @Test("the management API is called by the name of the certificate; connectors may speak TLS where Weir does not")
    func names() throws {
        let named = Self.read("  broker: { url: amqps://10.0.0.5, tls: { server_name: mq.example.org } }\n")
        let broker = try #require(named.settings?.broker).settings
        let settings = try broker.broker(management: "", version: "1")
        #expect(settings.management == "https://mq.example.org:15671" && settings.serverName == "mq.example.org")
        #expect(settings.managementNames == ["mq.example.org": "10.0.0.5"])
        #expect(try broker.broker(management: "https://other", version: "1").managementNames.isEmpty)

        let other = Self.read("  broker: { url: amqp://127.0.0.1, connectors: { host: mq.example.org, tls: true } }\n")
        let told = try #require(other.settings?.broker).settings.broker(management: "", version: "1").told
        #expect((told.host, told.port, told.usesTLS) == ("mq.example.org", 5671, true))
    }

    @Test(
        "what is no broker is refused, and no password is shown",
        arguments: [
            "broker: http://weir:hunter2@mq", "broker: { user: weir }", "broker: [ amqp://mq ]",
            "broker: { url: amqp://mq, prefetch: 0 }", "management: mq:15672",
            "broker: { url: amqp://mq, accounts: true, connectors: { user: feeds } }",
        ])
    func refused(line: String) {
        let made = Self.read("  \(line)\n")
        #expect(made.settings == nil)
        #expect(!made.problems.isEmpty && made.problems.allSatisfy { !$0.contains("hunter2") })
    }
}
