internal import Synchronization
internal import WeirGates
internal import WeirWorld

/// What a connector is written with: it registers, keeps the state, pings, schedules runs and sends what they bring.
///
/// It speaks what pycti speaks, so the platform may be Weir or OpenCTI. A connector is three lines round a callback:
///
/// ```swift
/// let configuration = try ConnectorConfiguration.load()
/// let helper = try await ConnectorHelper(configuration: configuration)
/// try await helper.scheduleISO(messageCallback: { … }, durationPeriod: "PT5H")
/// ```
///
/// Where it does better than pycti:
///
/// - The state is told to the platform after each run, and not only every 40 s.
/// - A failed run is a failed run: it moves no *last run*, closes its works as failed, and is tried again with growing
///   waits. The process goes on.
/// - A run that was put off begins when there is room, and not a period later.
/// - While the platform is away, calls wait and try again; nothing is given up before the process is told to end.
/// - Messages over AMQP are sent on while confirms are on their way, and one that leads to no queue is not lost.
///
/// A helper may be used from any task.
public final class ConnectorHelper: Sendable {
    public let configuration: ConnectorConfiguration
    public let log: ConnectorLog

    let means: Means
    let platform: Platform
    let memory: Mutex<HelperMemory>

    /// How long the platform may be away when a connector starts.
    static let startLimit = Duration.seconds(60)

    /// Looks whether the platform is there, and registers with it. For a minute it waits for one that does not answer.
    /// - Throws: `PlatformFailure` when it is not there or knows no such token; `ConfigurationError` when a file of
    ///   certificates cannot be read.
    public convenience init(configuration: ConnectorConfiguration) async throws {
        try await self.init(configuration: configuration, means: try .live(configuration))
    }

    init(configuration: ConnectorConfiguration, means: Means) async throws {
        self.configuration = configuration
        self.means = means
        log = ConnectorLog(
            name: configuration.name, least: configuration.logLevel, time: means.time, write: means.write)
        platform = Platform(transport: means.transport)
        let (platform, limit) = (platform, means.time.now + ConnectorHelper.startLimit)
        let patience = Patience(means: means, log: log, limit: limit)
        let version = try await patience.insist("look for the platform") { () async throws(PlatformFailure) in
            try await platform.version()
        }
        let registration = try await patience.insist("register") { () async throws(PlatformFailure) in
            try await platform.register(configuration)
        }
        memory = Mutex(
            HelperMemory(
                registration: registration, report: ConnectorReport(threshold: configuration.threshold)))
        log.info(
            "The connector is registered.",
            ["id": .string(registration.id), "platform": .string(version), "protocol": .string("\(queueProtocol)")])
        if configuration.queueProtocol == .amqp, registration.broker == nil {
            throw configuration.mistake(
                "CONNECTOR_QUEUE_PROTOCOL", section: "connector", key: "queue_protocol",
                "it is amqp, and the platform offers none",
                help: "write api, or remove it; Weir offers AMQP with `opencti: {amqp: {listen: …}}`")
        }
    }

    /// How bundles travel.
    var queueProtocol: ConnectorConfiguration.QueueProtocol {
        configuration.queueProtocol ?? (memory.withLock { $0.registration.broker } == nil ? .api : .amqp)
    }

    var patience: Patience { Patience(means: means, log: log) }

    // MARK: State

    /// What the connector remembers. It is sent to the platform, byte for byte, with the next ping, which follows at
    /// the end of each run; the platform keeps it when the process ends.
    ///
    /// When a person resets it on the platform, it becomes `nil` here with the next ping, at the latest after 40 s.
    /// What a run sets that began before is then not kept, so that the reset holds.
    public var state: ConnectorState? {
        get { memory.withLock { $0.state } }
        set {
            guard !memory.withLock({ $0.set(newValue) }) else { return }
            log.warning("The state was reset during this run: what the run sets is not kept.")
        }
    }
}

/// Tries again what the platform did not answer.
struct Patience: Sendable {
    let means: Means
    let log: ConnectorLog
    /// When it ends; there is none but for the start.
    var limit = Moment.distantFuture

    /// - Throws: the failure, when the same would happen again or time is up; `CancellationError`.
    func insist<Value>(
        _ what: String, _ body: () async throws(PlatformFailure) -> Value
    ) async throws -> Value {
        var backoff = Backoff(first: .seconds(1), most: .seconds(30))
        while true {
            do throws(PlatformFailure) {
                return try await body()
            } catch {
                try Task.checkCancellation()
                let now = means.time.now
                let pause = backoff.failed(at: now, random: means.random)
                guard error.isPassing, now + pause < limit else { throw error }
                log.warning(
                    "The platform is not there; it is tried again.",
                    [
                        "what": .string(what), "reason": .string(error.description),
                        "after_seconds": .real((pause.inSeconds * 10).rounded() / 10),
                    ])
                try await means.time.sleep(for: pause)
            }
        }
    }
}
