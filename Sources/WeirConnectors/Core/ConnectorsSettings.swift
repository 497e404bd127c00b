package import WeirGates
import WeirWorld

/// What an operator may set for all connectors, and what tests make smaller.
package struct ConnectorsSettings: Sendable, Hashable {
    /// Where runs are put off, and where pushes are held: 500 MB and 1 GB.
    package var marks: ConnectorGate.Marks
    /// For single connectors, by id.
    package var marksOf: [ConnectorID: ConnectorGate.Marks] = [:]
    /// A queue's share of the workers, by connector: 1 unless set; from 0.01 to 100. See `FairTurns`.
    package var weightOf: [ConnectorID: Double] = [:]
    /// Goes before others: a share sixteen times as large for each step; 0 unless set, from -2 to 2.
    package var priorityOf: [ConnectorID: Int] = [:]
    /// Bundles over this size go to a file of their own; 1 MiB.
    package var spoolFrom = 1 << 20
    /// How often a bundle that cannot be read from disk is tried before it is a dead letter; 5.
    package var attemptsMost = 5
    /// For single connectors, by id.
    package var attemptsMostOf: [ConnectorID: Int] = [:]
    /// Queues that are worked on at the same time; 32.
    package var turnsMost = 32
    /// What one turn takes out of a queue, in bytes; 2 MiB. Also bounds what is on its way to the routes.
    package var turnBytes = 2 << 20
    /// Heartbeats are written this often.
    package var heartbeatEvery = Duration.seconds(60)
    /// What was settled is written together, at most this late.
    package var settleEvery = Duration.milliseconds(100)
    /// A queue that is empty and unused for so long is closed.
    package var idleClose = Duration.seconds(60)
    /// Dead letters of all connectors, in bytes; 1 GB.
    package var deadLettersMost: Int64 = 1_000_000_000
    /// Bytes that stay free on the file system.
    package var minFree: Int64 = 64 << 20

    package init(thresholdMegabytes: Double = 500) {
        marks = ConnectorGate.Marks(threshold: Limit(ConnectorGate.Marks.bytes(megabytes: thresholdMegabytes), .bytes))
    }

    func marks(of id: ConnectorID) -> ConnectorGate.Marks { marksOf[id] ?? marks }
}
