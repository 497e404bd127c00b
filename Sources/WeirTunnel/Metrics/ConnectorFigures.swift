package import WeirGates
package import WeirWorld

/// What was counted for one connector at a hub since its start, and what is open now. Source of the names: the
/// reliability document of NowConnect, and docs/reference/metrics.md.
package struct ConnectorFigures: Sendable {
    /// Until a target or a policy answers, in seconds.
    package static let answers: [Double] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5]
    /// The phases of a passage (`Passage`), in seconds; 0.1 is one, because alerts compare with it.
    package static let writes: [Double] = [
        0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
    ]
    /// How long connections live, in seconds.
    package static let lives: [Double] = [0.1, 0.5, 1, 5, 15, 60, 300, 900, 3_600, 14_400, 86_400]

    package enum Direction: String, Sendable, Hashable, CaseIterable {
        case toTarget = "to_target"
        case toClient = "to_client"
    }

    /// What a connection waits for.
    package enum Cause: String, Sendable, Hashable, CaseIterable {
        /// The other end of the stream grants no more until its receiver has taken something.
        case credit
        /// The link to the agent takes no more for now.
        case link
        /// The client's socket takes no more for now.
        case receiver
        /// A bandwidth limit.
        case rate
    }

    package enum ErrorType: String, Sendable, Hashable, CaseIterable {
        case write, session, pdp, accept, dial
    }

    package struct Wait: Sendable, Hashable {
        package var direction: Direction
        package var cause: Cause

        package init(direction: Direction, cause: Cause) {
            self.direction = direction
            self.cause = cause
        }
    }

    package struct Verdict: Sendable, Hashable {
        package var result: OpenDecision.Result
        package var source: OpenDecision.Source

        package init(result: OpenDecision.Result, source: OpenDecision.Source) {
            self.result = result
            self.source = source
        }
    }

    /// How connections ended.
    package struct End: Sendable, Hashable, Comparable {
        /// `fin`, `rst`, `timeout` or `drain`.
        package var kind: String
        /// Who began it: `client`, `agent` or `hub`.
        package var side: String
        package var reason: String

        package init(kind: String, side: String, reason: String) {
            self.kind = kind
            self.side = side
            self.reason = reason
        }

        /// - Parameters:
        ///   - reason: `nil` when both directions ended as they should.
        ///   - byPeer: true when the agent's side has ended it.
        init(_ reason: StreamReason?, byPeer: Bool) {
            kind =
                switch reason {
                case nil: "fin"
                case .idle, .finishWait, .connectTimeout, .durationLimit: "timeout"
                case .draining: "drain"
                default: "rst"
                }
            side =
                switch reason {
                case .socketReset, nil: byPeer ? "agent" : "client"
                case .idle, .finishWait, .draining, .sessionLost, .durationLimit, .byteLimit, .denied, .ordered: "hub"
                default: byPeer ? "agent" : "hub"
                }
            self.reason = reason?.name ?? "none"
        }

        package static func < (left: End, right: End) -> Bool {
            (left.kind, left.side, left.reason) < (right.kind, right.side, right.reason)
        }
    }

    package var results: [ConnectionResult: UInt64] = [:]
    package var verdicts: [Verdict: UInt64] = [:]
    package var errors: [ErrorType: UInt64] = [:]
    package var ends: [End: UInt64] = [:]
    /// In nanoseconds, of waits that are over.
    package var waited: [Wait: Int64] = [:]
    package var bytesToTarget: UInt64 = 0
    package var bytesToClient: UInt64 = 0
    package var finishesSent: UInt64 = 0
    package var finishesReceived: UInt64 = 0
    package var resetsSent: UInt64 = 0
    package var resetsReceived: UInt64 = 0
    package var write = LatencyBuckets(writes)
    package var drain = LatencyBuckets(writes)
    package var dials = LatencyBuckets(answers)
    package var failedDials = LatencyBuckets(answers)
    package var decisions = LatencyBuckets(answers)
    package var durations = LatencyBuckets(lives)

    package init() {}
}

/// A connection that is open now.
package struct ConnectionFigures: Sendable {
    package var id: UInt64
    package var opening: ConnectionOpening
    package var bytesToTarget: UInt64 = 0
    package var bytesToClient: UInt64 = 0
    /// Come from the agent and not yet taken by the client's socket, in bytes.
    package var queued = 0
    /// What may still come before its client has to take some, in bytes: with `queued`, its window now.
    package var room = 256 << 10
    /// What it waits for now, and since when.
    package var waits: [ConnectorFigures.Wait: Moment] = [:]

    /// Of its window, 0 to 1.
    package var fullness: Double { queued > 0 ? Double(queued) / Double(queued + max(0, room)) : 0 }

    /// A receiver at one of its ends takes no more for now.
    package var isBlocked: Bool { waits.keys.contains { $0.cause == .credit || $0.cause == .receiver } }
}
