package import NIOCore
package import WeirFlow
package import WeirSettings
package import WeirWorld

/// What a source is made with.
package struct SourcePlace: Sendable {
    package var name: String
    package var intake: any Intake
    package var world: World
    package var eventLoops: any EventLoopGroup
    package var checkpoints: any CheckpointStore

    package init(
        name: String, intake: any Intake, world: World, eventLoops: any EventLoopGroup, checkpoints: any CheckpointStore
    ) {
        self.name = name
        self.intake = intake
        self.world = world
        self.eventLoops = eventLoops
        self.checkpoints = checkpoints
    }
}

/// One line of the catalogue: the type's name and settings, and how a source is made of them. Making is pure; `open`
/// acts.
package struct SourceKind: Sendable {
    package var setting: SettingKind
    private let build: @Sendable (any Settings, SourcePlace) -> (any Source)?

    init<Own: Settings>(
        _ name: String, _ settings: Own.Type, aliases: [String] = [], _ summary: String,
        make: @escaping @Sendable (Own, SourcePlace) -> any Source
    ) {
        setting = SettingKind(name, settings, aliases: aliases, summary)
        build = { settings, place in (settings as? Own).map { make($0, place) } }
    }

    /// `nil` when the settings are those of another kind.
    package func make(_ settings: any Settings, _ place: SourcePlace) -> (any Source)? { build(settings, place) }
}

/// All sources there are.
package enum SourceCatalog {
    package static let kinds: [SourceKind] = [
        SourceKind("syslog", SyslogSource.Settings.self, "Syslog over TCP and UDP, RFC 5424 and RFC 3164.") {
            SyslogSource(name: $1.name, settings: $0, intake: $1.intake, world: $1.world, eventLoops: $1.eventLoops)
        },
        SourceKind(
            "http", HTTPSource.Settings.self, "Events over HTTP: NDJSON, JSON, lines, Splunk HEC, Elasticsearch bulk."
        ) {
            HTTPSource(name: $1.name, settings: $0, intake: $1.intake, world: $1.world, eventLoops: $1.eventLoops)
        },
        SourceKind("tcp", TCPSource.Settings.self, "Lines or NDJSON over TCP.") {
            TCPSource(name: $1.name, settings: $0, intake: $1.intake, world: $1.world, eventLoops: $1.eventLoops)
        },
        SourceKind("file", FileSource.Settings.self, "Lines of files as they grow, across rotation and restarts.") {
            FileSource(name: $1.name, settings: $0, intake: $1.intake, world: $1.world, checkpoints: $1.checkpoints)
        },
        SourceKind("stdin", StdinSource.Settings.self, "Lines from the standard input.") {
            StdinSource(name: $1.name, settings: $0, intake: $1.intake, world: $1.world)
        },
    ]

    /// For the settings' own catalogue (`SettingCatalog(noun: "source", kinds:)`).
    package static var settings: [SettingKind] { kinds.map(\.setting) }

    /// Makes a source of the kind that the settings name; `nil` when there is no such kind.
    package static func make(_ kind: String, _ settings: any Settings, _ place: SourcePlace) -> (any Source)? {
        kinds.first { $0.setting.name == kind }?.make(settings, place)
    }
}
