internal import Logging
import Synchronization
package import WeirFlow
package import WeirGates
package import WeirSettings
package import WeirWorld

/// Follows files: lines that are appended become events, also across rotation by rename and by copy and truncate, and
/// across restarts. A place in a file counts as read only when its events are safe; after a crash the rest is read
/// again.
///
/// Files are polled: it works on every file system, and what it costs is bounded by `poll` and `max_files`.
package final class FileSource: Source {
    package struct Settings: WeirSettings.Settings {
        package var paths: OneOrMany<String> = []
        package var from = Start.end
        package var format = LineFormat.auto
        package var eventMost = ByteCount.mebibytes(1)
        package var poll = Duration.milliseconds(250)
        package var pollMost = Duration.seconds(2)
        package var rotateWait = Duration.seconds(5)
        package var filesMost = 1_000

        package init() {}

        package static let fields: [Field<Self>] = [
            field(
                "path", \.paths, required: true,
                examples: ["/var/log/dpkg.log", "[/var/log/*.log, /srv/*/access.log]"],
                aliases: ["paths"], "The files: paths, with `*`, `?` and `[a-z]` in any part; one or several."),
            field(
                "from", \.from,
                "Where to begin with files that are there at the start and have no checkpoint. Files that appear "
                    + "later are read from their beginning."
            ),
            field("format", \.format, "What a line is."),
            field(
                "max_event", \.eventMost, range: ByteCount.kibibytes(1)...ByteCount.mebibytes(64),
                "Longest line; what is longer is cut, ends with …[cut] and counts as malformed `too_long`."),
            field(
                "poll", \.poll, range: Duration.milliseconds(1)...Duration.seconds(60),
                "How soon a quiet file is looked at again."),
            field(
                "poll_most", \.pollMost, range: Duration.milliseconds(1)...Duration.seconds(300),
                "The wait doubles up to this while nothing comes."),
            field(
                "rotate_wait", \.rotateWait, range: Duration.zero...Duration.seconds(600),
                "How long a renamed or removed file is still read after its last line: its writer may not have noticed."
            ),
            field(
                "max_files", \.filesMost, range: 1...10_000,
                "Files that are followed at a time; more are left out, and the source says so."),
        ]
    }

    package enum Start: String, SettingChoice {
        case beginning, end
        package var help: String { self == .end ? "Only what is written from now on." : "All that is there." }
    }

    package let canBeDelayed = true
    package let meter: SourceMeter
    private let settings: Settings
    private let intake: any Intake
    private let world: World
    private let checkpoints: any CheckpointStore
    private let stopSignal = StopSignal()

    package init(
        name: String, settings: Settings, intake: any Intake, world: World, checkpoints: any CheckpointStore
    ) {
        meter = SourceMeter(name: name, type: "file")
        self.settings = settings
        self.intake = intake
        self.world = world
        self.checkpoints = checkpoints
    }

    package var addresses: [String] { settings.paths.values.map { "file \($0)" } }

    /// Files may appear later, so nothing that is missing keeps it from starting.
    package func open() async throws(SourceFailure) {}

    package func run() async throws {
        let lane = world.blocking.lane("source.\(meter.name)")
        defer { lane.close() }
        var follower = FileFollower(
            settings: settings, intake: intake, meter: meter, world: world, checkpoints: checkpoints, lane: lane,
            stopSignal: stopSignal)
        await follower.run()
    }

    package func stop() async { stopSignal.give() }
}
