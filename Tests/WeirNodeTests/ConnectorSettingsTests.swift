import AsyncHTTPClient
import Logging
import NIOPosix
import Testing
import WeirConnectors
import WeirDestinations
import WeirGates
import WeirSettings
import WeirWorld

@testable import WeirNode

@Suite("The settings of connectors")
struct ConnectorSettingsTests {
    private static func read(
        _ connectors: String, environment: [String: String] = [:]
    ) -> (plan: NodePlan?, problems: [String]) {
        let world = World.live(log: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        let means = DestinationMeans(
            world: world, eventLoops: MultiThreadedEventLoopGroup.singleton, http: HTTPClient.shared)
        let text = "destinations: { out: { type: drop } }\n" + connectors
        let loader = ConfigurationLoader(files: world.files, environment: environment, secrets: nil)
        let made = NodePlan.make(from: loader.load(text: text, file: "weir.yaml"), means: means)
        return (made.plan, made.problems.map(\.description))
    }

    private static func kev(_ more: String) -> String {
        "connectors:\n  kev: { type: http, url: \"file:kev.json\"\(more.isEmpty ? "" : ", " + more) }\n"
    }

    private static func kev(_ plan: NodePlan?) -> ManagedSettings? {
        plan?.settings.connectors["kev"]?.typed.common
    }

    @Test("give a connector its schedule, its marks and its share of the workers, and say where the threshold stands")
    func managed() throws {
        let plan = try #require(
            Self.read(
                Self.kev(
                    "schedule: PT5H, queue_threshold: 8.5, hard_limit: 20MB, to: out, "
                        + "weight: 2.5, priority: -1, max_attempts: 9"
                )
            ).plan)
        #expect(try Self.kev(plan)?.schedule.connectorSchedule().timing.description == "PT5H after each run")
        let settings = plan.connectorsSettings
        #expect(settings.marksOf["kev"]?.threshold == Limit(8_500_000, .bytes, origin: "weir.yaml:3"))
        #expect(settings.marksOf["kev"]?.hardLimit.amount == 20_000_000)
        #expect(settings.weightOf == ["kev": 2.5] && settings.priorityOf == ["kev": -1])
        #expect(settings.attemptsMostOf == ["kev": 9])
    }

    @Test("have the documents' defaults: 500 MB, twice as much for pushes, equal shares")
    func defaults() throws {
        let settings = try #require(Self.read(Self.kev("")).plan).connectorsSettings
        #expect(settings.marksOf["kev"]?.threshold == Limit(500_000_000, .bytes, origin: "default"))
        #expect(settings.marksOf["kev"]?.hardLimit.amount == 1_000_000_000)
        #expect(settings.weightOf == ["kev": 1] && settings.priorityOf == ["kev": 0])
        #expect(settings.attemptsMostOf == ["kev": 5])
    }

    @Test("come from the names that OpenCTI's connectors read, where a connector does not set them itself")
    func environment() throws {
        let environment = ["CONNECTOR_DURATION_PERIOD": "P1D", "CONNECTOR_QUEUE_THRESHOLD": "8"]
        let plan = try #require(
            Self.read(
                """
                connectors:
                  kev: { type: http, url: "file:kev.json" }
                  own: { type: http, url: "file:own.json", schedule: PT1H, queue_threshold: 9 }
                """, environment: environment
            ).plan)
        let schedules = plan.settings.connectors.entries.map(\.value.typed.common.schedule)
        #expect(
            try schedules.map { try $0.connectorSchedule().timing.description } == [
                "P1D after each run", "PT1H after each run",
            ])
        #expect(schedules.map(\.queueThreshold.bytes.bytes) == [8_000_000, 9_000_000])
        #expect(plan.connectorsSettings.marksOf["kev"]?.threshold.origin == "CONNECTOR_QUEUE_THRESHOLD")
    }

    @Test("are refused by the name of the variable that they come from")
    func badEnvironment() {
        for (name, value) in [
            ("CONNECTOR_QUEUE_THRESHOLD", "1GB"), ("CONNECTOR_DURATION_PERIOD", "-PT1H"),
            ("CONNECTOR_DURATION_PERIOD", "PT0.4S"),
        ] {
            let made = Self.read(Self.kev(""), environment: [name: value])
            #expect(made.plan == nil)
            #expect(made.problems.contains { $0.contains(name) }, "\(made.problems)")
        }
    }

    @Test(
        "are refused where they would surprise, with the line and what to write",
        arguments: [
            ("queue_threshold: 1GB", "write `1000`"), ("queue_threshold: -1", "MB"), ("queue_threshold: 0", "for ever"),
            ("schedule: -PT1H", "negative"), ("schedule: PT0.4S", "less than a second"),
            ("schedule: 250ms", "less than a second"), ("schedule: \"* * * *\"", "not five"),
            ("schedule: \"0 4 * * *\", time_zone: Rome", "is not a time zone"),
            ("queue_threshold: 500, hard_limit: 1MB", "at least as much as `queue_threshold`"),
            ("weight: 0", "0.01"), ("weight: 1000", "100"), ("priority: 3", "-2"), ("max_attempts: 0", "1"),
            ("weight: heavy", "number"),
            ("queue_treshold: 5", "did you mean `queue_threshold`"), ("to: nowhere", "nowhere"),
        ])
    func refused(line: String, message: String) {
        let made = Self.read(Self.kev(line))
        #expect(made.plan == nil)
        #expect(made.problems.contains { $0.contains(message) && $0.contains("weir.yaml:3") }, "\(made.problems)")
    }

    @Test("give connectors of their own process a share by their id, and all of them the door's marks")
    func outside() throws {
        let plan = try #require(
            Self.read(
                """
                opencti:
                  tokens: [ { env: T } ]
                  queue_threshold: 8
                  connectors:
                    "6ba7b810-9dad-11d1-80b4-00c04fd430c8": { weight: 3, priority: 1 }
                """, environment: ["T": "a-long-token"]
            ).plan)
        let id = "6ba7b810-9dad-11d1-80b4-00c04fd430c8"
        let settings = plan.connectorsSettings
        #expect(settings.weightOf == [id: 3] && settings.priorityOf == [id: 1])
        #expect(settings.marks.threshold == Limit(8_000_000, .bytes, origin: "weir.yaml:4"))
        #expect(settings.marks.hardLimit.amount == 16_000_000)
    }

    @Test(
        "of the door are refused in words",
        arguments: [
            ("queue_threshold: 1GB", "write `1000`"), ("queue_threshold: -5", "MB"),
            ("queue_threshold: 500, hard_limit: 1MB", "at least as much as `queue_threshold`"),
            ("hold: 500ms", "1s"), ("hold: 5m", "4m"),
            ("connectors: { x: { weight: 0 } }", "0.01"), ("connectors: { x: { wait: 1 } }", "weight"),
        ])
    func refusedDoor(line: String, message: String) {
        let made = Self.read("opencti: { tokens: [ a-long-token ], \(line) }\n")
        #expect(made.plan == nil)
        #expect(made.problems.contains { $0.contains(message) }, "\(made.problems)")
    }

    @Test("let nobody in with an empty token, and with any of the others")
    func tokens() throws {
        #expect(Self.read("opencti: { tokens: [ \"\" ] }\n").plan == nil)
        let settings = try #require(Self.read("opencti: { tokens: [ one-token, two-token ] }\n").plan).settings.openCTI
        for (given, isAllowed) in [("one-token", true), ("two-token", true), ("one-toke", false), ("", false)] {
            #expect(settings?.allows(given) == isAllowed)
        }
    }
}
