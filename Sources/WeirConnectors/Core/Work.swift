package import WeirWorld

/// One execution of a connector, and what it must still deliver.
package struct Work: Sendable, Hashable, Codable {
    package enum Status: String, Sendable, Hashable, Codable {
        /// Nothing of it was delivered yet.
        case wait
        case progress
        /// The connector has said that it is done, and everything it pushed was delivered or dead-lettered.
        case complete
    }

    package struct Note: Sendable, Hashable, Codable {
        package var time: WallTime
        package var text: String

        package init(time: WallTime, text: String) {
            self.time = time
            self.text = text
        }
    }

    /// Notes of each kind that are kept: the newest.
    package static let notesMost = 100

    package var id: WorkID
    package var connector: ConnectorID
    package var name: String
    package var startedAt: WallTime
    package var receivedAt: WallTime?
    /// When the connector said that it has pushed everything.
    package var processedAt: WallTime?
    package var completedAt: WallTime?
    /// When a bundle of it was announced, came or was dealt with last.
    package var movedAt: WallTime?
    /// As announced by the connector; 0 when it announced nothing.
    package var expected = 0
    /// Bundles that Weir has taken durably.
    package var pushed = 0
    /// Bundles whose objects were all delivered.
    package var delivered = 0
    /// Bundles that ended as dead letters.
    package var failed = 0
    package var isInError = false
    package var messages: [Note] = []
    package var errors: [Note] = []

    package init(id: WorkID, connector: ConnectorID, name: String, startedAt: WallTime) {
        self.id = id
        self.connector = connector
        self.name = name
        self.startedAt = startedAt
    }

    package var status: Status {
        if processedAt != nil, delivered + failed >= max(pushed, expected) { return .complete }
        return delivered + failed > 0 || receivedAt != nil ? .progress : .wait
    }
}
