import WeirGates
import WeirNode
import WeirWorld

/// A page of connectors.
package struct ConnectorListView: Codable, Sendable, Hashable {
    /// Of all there are, whatever was asked for.
    package var total: Int
    /// Of those that fit what was asked for, on all pages.
    package var matching: Int
    /// Of all: how many are in each state.
    package var states: [String: Int]
    /// Of all: those where nothing starts, or a person is asked for.
    package var held: Int
    /// Of all: those with a trouble.
    package var troubled: Int
    /// In all work queues that can be read.
    package var queueBytes: Int64
    package var connectors: [ConnectorView]
    /// `after` for the next page; missing on the last one.
    package var next: String?

    init(_ index: ConnectorIndex, _ selection: ConnectorSelection, _ statuses: [ConnectorStatus], at now: WallTime) {
        total = index.rows.count
        matching = selection.matching
        states = index.counts
        held = index.held
        troubled = index.troubled
        queueBytes = index.bytes
        connectors = statuses.map { ConnectorView($0, at: now) }
        next = selection.next
    }
}

/// A connector as the API shows it. Times are RFC 3339, UTC; what is not known is left out.
package struct ConnectorView: Codable, Sendable, Hashable {
    package var id: String
    package var name: String
    /// `opencti` for a process of its own; `http`, `exec` for one that Weir runs.
    package var origin: String
    package var type: String
    /// `waiting`, `running`, `buffering`, `paused`, `ended`, `failed`, `outside`.
    package var activity: String
    /// What goes on besides, in a sentence: that the run under way of a paused connector waits.
    package var activityDetail: String?
    package var lastRun: String?
    /// True where the connector's own state says it, not its scheduler.
    package var lastRunFromState: Bool
    package var nextRun: String?
    /// Run and terminate: somebody else starts it.
    package var externalSchedule: Bool
    package var lastPing: String?
    package var registeredAt: String
    /// Missing where the queue cannot be read; that counts as full.
    package var queueBytes: Int64?
    package var queueBundles: Int?
    package var thresholdBytes: Int64
    package var hardLimitBytes: Int64
    /// At its threshold or over it: the next run is put off.
    package var full: Bool
    package var buffering: Bool
    package var paused: Bool
    package var canRunNow: Bool
    /// A run that Weir has started is under way.
    package var running: Bool
    package var failures: Int
    /// What it keeps from run to run, as it wrote it. Lists leave one of more than 4,096 bytes out.
    package var state: String?
    package var stateBytes: Int
    package var gateState: String?
    package var gateReason: ReasonView?
    /// What is wrong with it, the most urgent first.
    package var troubles: [TroubleView]
    /// Bundles that could not be unpacked and are kept.
    package var deadLetters: Int
    package var openWorks: Int
    /// The newest first; only in the answer for one connector.
    package var works: [WorkView]?
    /// Who did what to it, the newest first; only in the answer for one connector.
    package var audit: [AuditView]?
    /// What stands on the page and in the table: `Not provided`, `External schedule`, `(from State)`.
    package var shown: ShownView

    package struct ShownView: Codable, Sendable, Hashable {
        /// The one word: the activity, and for `outside` the gate's state.
        package var state: String
        package var lastRun: String
        package var nextRun: String
        package var serverCapacity: String
        package var heartbeat: String
    }

    package struct AuditView: Codable, Sendable, Hashable {
        package var at: String
        package var who: String
        package var action: String
        package var why: String
    }

    /// - Parameter isAlone: the answer is for this one connector.
    init(_ status: ConnectorStatus, at now: WallTime, isAlone: Bool = false) {
        id = status.id
        name = status.name
        origin = status.origin
        type = status.type
        activity = status.activity
        activityDetail = status.activityDetail
        switch status.lastRun {
        case .at(let time): (lastRun, lastRunFromState) = (time.description, false)
        case .fromState(let time): (lastRun, lastRunFromState) = (time.description, true)
        case .notProvided: (lastRun, lastRunFromState) = (nil, false)
        }
        if case .at(let time) = status.nextRun { nextRun = time.description }
        externalSchedule = status.nextRun == .externalSchedule
        lastPing = status.lastPing?.description
        registeredAt = status.registeredAt.description
        queueBytes = status.queueBytes
        queueBundles = status.queueBundles
        thresholdBytes = status.threshold
        hardLimitBytes = status.hardLimit
        full = status.isFull
        buffering = status.isBuffering
        paused = status.isPaused
        canRunNow = status.canRunNow
        running = status.isRunning
        failures = status.failures
        stateBytes = status.state?.utf8.count ?? 0
        state = isAlone || stateBytes <= ConnectorText.stateMost ? status.state : nil
        gateState = status.gate?.state.rawValue
        gateReason = status.gate.map { ReasonView($0.reason, runbook: Runbook.gate($0)) }
        troubles = status.troubles.map(TroubleView.init)
        deadLetters = status.deadLetters
        openWorks = status.openWorks.count
        shown = ShownView(
            state: status.word, lastRun: ConnectorText.lastRun(status), nextRun: ConnectorText.nextRun(status),
            serverCapacity: ConnectorText.capacity(status), heartbeat: ConnectorText.heartbeat(status, at: now))
    }
}

/// What a person should look at, since when, and what helps.
package struct TroubleView: Codable, Sendable, Hashable {
    package var code: String
    package var sentence: String
    package var since: String?
    package var advice: String
    /// Where the project's documentation says more.
    package var runbook: String?

    init(_ trouble: Trouble) {
        code = trouble.code
        sentence = trouble.sentence
        since = trouble.since?.description
        advice = trouble.advice
        runbook = Runbook.connector(trouble.code)
    }
}

/// One execution of a connector as the API shows it.
package struct WorkView: Codable, Sendable, Hashable {
    package var id: String
    package var name: String
    /// `wait`, `progress`, `complete`.
    package var status: String
    package var startedAt: String
    package var processedAt: String?
    package var completedAt: String?
    /// Bundles that were announced; 0 when none were.
    package var expected: Int
    package var pushed: Int
    package var delivered: Int
    package var failed: Int
    package var inError: Bool
    /// When a bundle of it was announced, came or was dealt with last.
    package var movedAt: String?
    package var messages: [NoteView]
    package var errors: [NoteView]

    package struct NoteView: Codable, Sendable, Hashable {
        package var at: String
        package var text: String

        init(_ note: WorkStatus.Note) { (at, text) = (note.at.description, note.text) }
    }

    init(_ work: WorkStatus) {
        id = work.id
        name = work.name
        status = work.status
        startedAt = work.startedAt.description
        processedAt = work.processedAt?.description
        completedAt = work.completedAt?.description
        expected = work.expected
        pushed = work.pushed
        delivered = work.delivered
        failed = work.failed
        inError = work.isInError
        movedAt = work.movedAt?.description
        messages = work.messages.map(NoteView.init)
        errors = work.errors.map(NoteView.init)
    }
}
