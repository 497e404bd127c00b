package import WeirWorld

/// Decisions that are still good, by question. Only what a decision point has said is kept, never an error.
///
/// A client that opens a hundred connections a second asks once; a decision that was taken back is felt after
/// `allowFor` at the latest.
package struct DecisionCache: Sendable {
    /// How long an allow is good; 5 s as in the original (`cache_ttl_sec`), 0 for no memory at all.
    package let allowFor: Duration
    /// How long a deny is good; 1 s at the most, because somebody may just have been given the right, and never longer
    /// than an allow.
    package let denyFor: Duration
    /// Questions that are remembered; 10,000. The ones that end first make room.
    package var most: Int
    private var kept: [Key: Entry] = [:]

    /// What decides, without what differs from connection to connection.
    package struct Key: Sendable, Hashable {
        package var subject: String
        package var connector: String
        package var listener: String
        package var clientAddress: String?

        package init(_ question: OpenQuestion) {
            subject = question.subject
            connector = question.connector
            listener = question.listener
            clientAddress = question.clientAddress
        }
    }

    private struct Entry: Sendable {
        var decision: OpenDecision
        var until: Moment
    }

    package init(allowFor: Duration = .seconds(5), most: Int = 10_000) {
        self.allowFor = allowFor
        denyFor = min(.seconds(1), allowFor)
        self.most = most
    }

    package func decision(_ key: Key, at now: Moment) -> OpenDecision? {
        guard let entry = kept[key], entry.until > now else { return nil }
        var decision = entry.decision
        decision.source = .cache
        return decision
    }

    package mutating func keep(_ decision: OpenDecision, for key: Key, at now: Moment) {
        let duration: Duration =
            switch decision.result {
            case .allow: allowFor
            case .deny: denyFor
            case .error: .zero
            }
        guard duration > .zero, most > 0 else { return }
        if kept.count >= most, kept[key] == nil { makeRoom(at: now) }
        kept[key] = Entry(decision: decision, until: now + duration)
    }

    // A tenth at once, so that a flood of new questions does not sort at each of them.
    private mutating func makeRoom(at now: Moment) {
        kept = kept.filter { $0.value.until > now }
        guard kept.count >= most else { return }
        let first = kept.sorted { $0.value.until < $1.value.until }.prefix(max(1, most / 10))
        for (key, _) in first { kept[key] = nil }
    }

    package var count: Int { kept.count }
}

/// Spares a decision point that does not answer: after `failuresMost` errors in a row nobody is asked for `pause`, then
/// one question tries.
package struct PolicyBreaker: Sendable {
    package static let failuresMost = 5
    package static let pause = Duration.seconds(5)

    private var failures = 0
    private var closedUntil: Moment?
    private var isTrying = false

    package init() {}

    /// May the decision point be asked now? Whoever gets `true` tells how it went.
    package mutating func mayAsk(at now: Moment) -> Bool {
        guard let until = closedUntil else { return true }
        guard now >= until, !isTrying else { return false }
        isTrying = true
        return true
    }

    package mutating func answered() {
        failures = 0
        closedUntil = nil
        isTrying = false
    }

    package mutating func failed(at now: Moment) {
        failures += 1
        isTrying = false
        if failures >= Self.failuresMost { closedUntil = now + Self.pause }
    }

    package var isOpen: Bool { closedUntil != nil }
}
