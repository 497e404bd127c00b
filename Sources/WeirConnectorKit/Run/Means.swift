internal import UnixSignals
internal import WeirWorld

/// What a helper reaches of the outside. Tests put a clock of their own here.
struct Means: Sendable {
    var time: any TimeSource
    var random: any RandomSource
    var transport: Transport
    /// Where log lines go.
    var write: @Sendable (String) -> Void
    /// Returns when the process is told to end.
    var untilToldToEnd: @Sendable () async -> Void

    static func live(_ configuration: ConnectorConfiguration) throws(ConfigurationError) -> Means {
        Means(
            time: LiveTime(), random: LiveRandom(), transport: try .live(configuration),
            write: { ConnectorLog.writeToStandardError($0) },
            untilToldToEnd: {
                for await _ in await UnixSignalsSequence(trapping: .sigterm, .sigint) { return }
            })
    }
}
