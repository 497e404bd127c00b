package import NIOCore
package import WeirGates
package import WeirWorld

/// What API, console and metrics may see of a node's connectors and ask of them.
package protocol ConnectorAccess: Sendable {
    /// All of them at a glance. With many it may be some seconds old: looking takes a twentieth of the time at most.
    func index() async -> ConnectorIndex
    /// How far the first index is, where there are so many that `index` takes a while; `nil` when it answers soon.
    var indexProgress: ConnectorIndexProgress? { get }
    /// As they are now, in the order of `ids`; those that are not there are left out.
    func statuses(of ids: [String]) -> [ConnectorStatus]
    /// The newest first, those that are complete included.
    func works(of id: String, most: Int) async -> [WorkStatus]
    /// Who did what to a connector, the newest first.
    func audit(of id: String, most: Int) async throws(ConnectorOrderFailure) -> [ConnectorAudit]
    /// Carries out what a person wants; written down before it is done.
    func give(_ order: ConnectorOrder, to id: String, by who: String, why: String) async throws(ConnectorOrderFailure)

    /// Bundles that could not be unpacked, the oldest first, with the beginning of each.
    func deadLetters(of id: String, most: Int) async throws(ConnectorOrderFailure) -> [LetterStatus]
    /// One of them, with all that is kept of it.
    func deadLetter(_ letter: UInt64, of id: String) async throws(ConnectorOrderFailure) -> LetterStatus
    /// Pushes them into the work queue once more, or deletes them; written down before it is done.
    /// - Parameter letter: only this one; all that are there with `nil`.
    /// - Returns: how many.
    func handle(
        _ deed: LetterDeed, _ letter: UInt64?, of id: String, by who: String, why: String
    ) async throws(ConnectorOrderFailure) -> Int

    /// Connections at once of connectors written for OpenCTI; `nil` where they are not let in.
    var openCTIConnectionsMost: Int? { get }
    /// Answers one request at `/graphql`. May take as long as the door holds a push: up to 240 s.
    func answerOpenCTI(
        method: String, header: @Sendable (String) -> String?,
        body: some AsyncSequence<ByteBuffer, any Error> & Sendable
    ) async -> OpenCTIAnswer
    /// Weir stops: what waits at a gate is sent away, so that its connections can be closed.
    func stopTaking()
}

/// What a person can tell a connector.
package enum ConnectorOrder: String, Sendable, Hashable, CaseIterable {
    /// Runs it now, once; its gate is asked all the same. Not while it is paused.
    case run
    /// Stops the run that is under way. It counts as not run: state and last run stay, the next one comes at its time.
    case terminate
    /// No run starts, and what it pushes waits: so does the run under way, which comes to its end after `resume`.
    case pause
    case resume
    /// Forgets its state: it imports from the beginning.
    case reset
}

package struct ConnectorOrderFailure: Error, Sendable, Hashable {
    package enum Code: String, Sendable, Hashable {
        case unknown = "no_such_connector"
        case unknownLetter = "no_such_dead_letter"
        /// Such a connector does not do that, or not now.
        case notPossible = "not_possible"
        case failed = "ledger_unavailable"
    }

    package var code: Code
    package var message: String
    package var help: String

    package init(_ code: Code, _ message: String, help: String = "") {
        self.code = code
        self.message = message
        self.help = help
    }
}

package struct ConnectorAudit: Sendable, Hashable {
    package var at: WallTime
    package var who: String
    package var action: String
    package var why: String
}

/// What goes back over HTTP.
package struct OpenCTIAnswer: Sendable {
    package var status: Int
    package var headers: [(name: String, value: String)]
    package var body: ByteBuffer
    /// For when the same request comes once more, byte for byte (`DoorAnswer.again`).
    package var again: (@Sendable () -> Bool)?
}

/// One connector as people see it.
package struct ConnectorStatus: Sendable {
    /// When it ran last.
    package enum LastRun: Sendable, Hashable {
        case at(WallTime)
        /// Its own state says so, not its scheduler.
        case fromState(WallTime)
        case notProvided
    }

    package enum NextRun: Sendable, Hashable {
        case at(WallTime)
        /// Run and terminate: somebody else starts it.
        case externalSchedule
        /// Counted from the end of the run that is under way.
        case afterThisRun
        case notProvided
    }

    package var id: String
    package var name: String
    /// `opencti` for an outside process; `http`, `exec` for one that Weir runs.
    package var origin: String
    /// `EXTERNAL_IMPORT`, …
    package var type: String
    package var registeredAt: WallTime
    package var lastPing: WallTime?
    package var lastRun = LastRun.notProvided
    package var nextRun = NextRun.notProvided
    /// `waiting`, `running`, `buffering`, `paused`, `ended`, `failed`; `outside` where its process says nothing else.
    package var activity = "outside"
    /// What goes on besides, in a sentence; `nil` where the word says it all.
    package var activityDetail: String?
    /// Bytes and bundles that wait for the receivers; `nil` where that cannot be known, which counts as full.
    package var queueBytes: Int64?
    package var queueBundles: Int?
    /// From where on its runs are put off, in bytes: its own threshold when it has told one.
    package var threshold: Int64
    /// From where on its pushes wait, in bytes.
    package var hardLimit: Int64
    package var isBuffering = false
    package var isPaused = false
    /// False for one that runs in a process of its own (only Weir's own can be told to run), and while it is paused.
    package var canRunNow = false
    /// A run of Weir's own is under way.
    package var isRunning = false
    /// Its own text, byte for byte.
    package var state: String?
    /// Runs that failed since the last one that did not.
    package var failures = 0
    /// Bundles that could not be unpacked and are kept.
    package var deadLetters = 0
    package var gate: GateReading?
    /// Its gate's, also where `gate` was not read.
    package var gateState = GateState.unknown
    package var openWorks: [WorkStatus] = []
    /// What is wrong with it, each explained in words; empty when nothing is known to be.
    package var troubles: [Trouble] = []

    /// The one word for what it does: its activity, and where its process says nothing else, its gate's state.
    package var word: String { activity == "outside" ? (gate?.state ?? gateState).rawValue : activity }

    /// Over the threshold or just at it, or not measurable.
    package var isFull: Bool { queueBytes.map { $0 >= threshold } ?? true }
}

/// One execution of a connector, and how far its bundles are.
package struct WorkStatus: Sendable, Hashable {
    package struct Note: Sendable, Hashable {
        package var at: WallTime
        package var text: String
    }

    package var id: String
    package var name: String
    /// `wait`, `progress`, `complete`.
    package var status: String
    package var startedAt: WallTime
    package var completedAt: WallTime?
    /// When the connector said that it has pushed everything.
    package var processedAt: WallTime?
    package var expected: Int
    package var pushed: Int
    package var delivered: Int
    package var failed: Int
    package var isInError: Bool
    /// When a bundle of it was announced, came or was dealt with last.
    package var movedAt: WallTime?
    package var messages: [Note]
    package var errors: [Note]

    /// Bundles that it must deliver in all, as far as is known.
    package var total: Int { max(pushed, expected) }
}
