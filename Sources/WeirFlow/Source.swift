package import WeirGates

/// Where events come in. Made from checked settings; hands batches to the `Intake` (the routes) that it was given by
/// `init`.
package protocol Source: Sendable {
    /// False where the sender cannot be held back (UDP): what there is no room for is dropped and counted.
    var canBeDelayed: Bool { get }

    /// What it counts; read by API, console and metrics.
    var meter: SourceMeter { get }

    /// Binds listeners, opens files. Afterwards `addresses` is known.
    func open() async throws(SourceFailure)

    /// Moves events until `stop` was called and what had been read is handed on, or the task is cancelled.
    func run() async throws

    /// Stops reading: no new connections, no further bytes; `run` returns when what was read is handed on. Idempotent.
    func stop() async

    /// Where it listens, for people and for tests with port 0: `tcp 127.0.0.1:5514`.
    var addresses: [String] { get }
}

/// Why a source could not start; `help` says what to do.
package struct SourceFailure: Error, Sendable, Hashable, CustomStringConvertible {
    package var reason: Reason
    package var help: String
    package init(_ reason: Reason, help: String = "") {
        self.reason = reason
        self.help = help
    }
    package var description: String { help.isEmpty ? reason.sentence : "\(reason.sentence) \(help)" }
}
