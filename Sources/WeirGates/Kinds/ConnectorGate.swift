package import WeirWorld

/// The gate of one connector as a value: what waits in its work queue, compared with two marks.
///
/// - At the threshold (`>=`) a scheduled run is put off. There is no hysteresis: below it a run may start at once.
/// - At the hard limit (`>=`) pushes wait. One push may carry the level over it, because nobody knows the size of a
///   bundle before its end, and a bundle larger than the limit must pass some time.
/// - A level that cannot be known counts as full.
package struct ConnectorGate: Sendable {
    package struct Marks: Sendable, Hashable {
        /// Where runs are put off, in bytes; 500 MB.
        package var threshold: Limit
        /// Where pushes wait, in bytes; twice the threshold unless set.
        package var hardLimit: Limit

        package init(threshold: Limit, hardLimit: Limit? = nil) {
            self.threshold = threshold
            let twice = threshold.amount.multipliedReportingOverflow(by: 2)
            self.hardLimit = hardLimit ?? Limit(twice.overflow ? .max : twice.partialValue, .bytes)
        }

        /// - Parameter megabytes: MB (1,000,000 bytes), fractions allowed; what is no positive number counts as one
        ///   byte, so that a wrong value closes the gate instead of opening it.
        package static func bytes(megabytes: Double) -> Int64 {
            let bytes = (megabytes * 1_000_000).rounded(.up)
            return bytes >= 1 ? Int64(exactly: min(bytes, 9e18)) ?? 1 : 1
        }
    }

    package var marks: Marks
    package private(set) var level: Int64? = 0
    package private(set) var state: GateState = .open
    package private(set) var reason = Reason("open", "Runs may start and pushes pass.")
    package private(set) var since: WallTime
    package private(set) var pausedBy: String?
    /// Why the queue takes nothing now, whatever its level is (disk full).
    package private(set) var trouble: Reason?
    /// False where others take what is published and only runs can be put off (a RabbitMQ beside Weir).
    package var holdsPublishes = true
    private var unmeasured: Reason?

    package init(marks: Marks, at wall: WallTime) {
        self.marks = marks
        since = wall
    }

    // MARK: What happened

    /// - Parameters:
    ///   - level: bytes in the queue; `nil` when that cannot be known.
    ///   - unmeasured: why it cannot.
    package mutating func measured(
        _ level: Int64?, unmeasured: Reason? = nil, at wall: WallTime
    ) -> Gate.Transition? {
        self.level = level
        self.unmeasured = unmeasured
        return settle(wall)
    }

    package mutating func failed(_ trouble: Reason?, at wall: WallTime) -> Gate.Transition? {
        self.trouble = trouble
        return settle(wall)
    }

    package mutating func paused(by person: String, at wall: WallTime) -> Gate.Transition? {
        pausedBy = person
        return settle(wall)
    }

    package mutating func released(at wall: WallTime) -> Gate.Transition? {
        pausedBy = nil
        return settle(wall)
    }

    // MARK: Verdicts

    /// May a scheduled run start? `.pass` or `.postpone`.
    package var run: Verdict {
        guard pausedBy == nil, let level, level < marks.threshold.amount else { return .postpone }
        return .pass
    }

    /// May a push come in? `.pass` or `.wait`.
    /// - Parameter reserved: bytes of pushes that were let in and are not counted in the level yet.
    package func push(reserved: Int64) -> Verdict {
        guard pausedBy == nil, let level else { return .wait }
        let (sum, overflow) = level.addingReportingOverflow(reserved)
        return overflow || sum >= marks.hardLimit.amount ? .wait : .pass
    }

    private mutating func settle(_ wall: WallTime) -> Gate.Transition? {
        let (next, why) = decide()
        reason = why
        guard next != state else { return nil }
        let transition = Gate.Transition(from: state, to: next, reason: why, at: wall)
        state = next
        since = wall
        return transition
    }

    private func decide() -> (GateState, Reason) {
        if let pausedBy { return (.paused, Reason("paused", "\(pausedBy) holds this connector.")) }
        guard let level else {
            let why = unmeasured ?? Reason("unmeasured", "The work queue cannot be read, so it counts as full.")
            return (.unknown, why)
        }
        if let trouble { return (.blocking, trouble) }
        if level >= marks.hardLimit.amount {
            let what =
                holdsPublishes
                ? "pushes are held."
                : "pushes by the API are held, and runs put off. RabbitMQ still takes what is published there."
            return (.blocking, Reason("queue_limit", "\(text(level, marks.hardLimit)) wait: \(what)"))
        }
        if level >= marks.threshold.amount {
            return (
                .buffering, Reason("queue_threshold", "\(text(level, marks.threshold)) wait: the next run is put off.")
            )
        }
        if Double(level) >= 0.75 * Double(marks.threshold.amount) {
            return (.filling, Reason("filling", "\(text(level, marks.threshold)) wait; all passes."))
        }
        return (.open, Reason("open", "Runs may start and pushes pass."))
    }

    private func text(_ level: Int64, _ limit: Limit) -> String {
        "\(ConnectorGate.megabytes(level)) of \(ConnectorGate.megabytes(limit.amount))"
    }

    /// `9.90 MB`, as people know it from OpenCTI; rounded down, so that what is shown as over the limit is over it.
    package static func megabytes(_ bytes: Int64) -> String {
        let hundredths = max(0, bytes) / 10_000
        return "\(hundredths / 100).\(CivilDate.padded(Int(hundredths % 100), 2)) MB"
    }
}
