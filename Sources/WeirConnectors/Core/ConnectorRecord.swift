package import WeirWorld

/// What a connector says of itself when it registers.
package struct ConnectorRegistration: Sendable, Hashable, Codable {
    package var id: ConnectorID
    package var name: String
    /// `EXTERNAL_IMPORT`, `INTERNAL_ENRICHMENT`, …; Weir schedules only the first.
    package var type: String
    package var scope: [String]
    package var isAutomatic = false
    /// Who brought it: `opencti` (an outside process), `http`, `exec`, `kit`.
    package var origin = "opencti"
    /// Version of the program, when it says one.
    package var version: String?

    package init(id: ConnectorID, name: String, type: String = "EXTERNAL_IMPORT", scope: [String] = []) {
        self.id = id
        self.name = name
        self.type = type
        self.scope = scope
    }
}

/// What a connector says with each ping (OpenCTI's connector_info).
package struct ConnectorReport: Sendable, Hashable, Codable {
    package var isRunAndTerminate = false
    package var isBuffering = false
    /// MB (1,000,000 bytes); 500 unless the connector was told another one.
    package var queueThreshold = 500.0
    /// MB, as of the connector's own last look.
    package var queueSize = 0.0
    package var nextRun: WallTime?
    package var lastRun: WallTime?

    package init() {}

    /// False for what pycti sends before its scheduler knows anything: its defaults, not what the connector was told.
    package var isTold: Bool { self != Self.untold }

    private static let untold = ConnectorReport()
}

/// All that is known of one connector.
package struct ConnectorRecord: Sendable, Hashable, Codable {
    package var registration: ConnectorRegistration
    /// The connector's own text, byte for byte; `nil` when it has none.
    package var state: String?
    package var report: ConnectorReport?
    /// Identifies the connector as a user towards OpenCTI clients; made once.
    package var userID: String
    package var registeredAt: WallTime
    package var lastPing: WallTime?

    package init(registration: ConnectorRegistration, userID: String, registeredAt: WallTime) {
        self.registration = registration
        self.userID = userID
        self.registeredAt = registeredAt
    }

    package var id: ConnectorID { registration.id }
}

/// What waits in a connector's work queue.
package struct WorkQueueLevel: Sendable, Hashable {
    package var messages: Int
    package var bytes: Int64

    package init(messages: Int, bytes: Int64) {
        self.messages = messages
        self.bytes = bytes
    }
}
