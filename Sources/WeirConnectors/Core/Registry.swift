import WeirWorld

/// Who is registered, with the state of each. Decides what a registration, a ping and a reset do; keeps nothing on
/// disk.
///
/// The rules of state are OpenCTI's: a ping stores the state it brings, byte for byte, and the answer says what is
/// stored. After a reset there is no state; what it takes until the process knows that is `StateReset`'s.
struct Registry: Sendable {
    struct Entry: Sendable {
        var record: ConnectorRecord
        /// A person has reset the state, and the process may not know it yet.
        var reset: StateReset?
        /// Of a connector that Weir runs itself.
        var schedule: ScheduleMemory?
        var runs = RunTally()
        /// The heartbeat as it is written down.
        var writtenPing: WallTime?
    }

    private(set) var entries: [ConnectorID: Entry] = [:]
    /// Whose report, or whose heartbeat, is to be written down.
    private var unwritten: Set<ConnectorID> = []

    /// A heartbeat that brings nothing new is written down when the written one is older: after a crash a connector's
    /// last ping is known to this and a minute. Far less than the silence that is told as one.
    static let heartbeatAge = Duration.seconds(180)
    /// More connectors are refused: each costs a few kilobytes of memory.
    static let entriesMost = 100_000
    /// A longer state is refused: it travels with every ping.
    static let stateBytesMost = 16 << 20

    subscript(id: ConnectorID) -> Entry? { entries[id] }

    /// As read from the ledger.
    mutating func restore(_ entry: Entry) { entries[entry.record.id] = entry }

    /// Makes or renews; what an earlier registration has stays.
    /// - Parameter userID: for a new one.
    mutating func register(
        _ registration: ConnectorRegistration, userID: String, at wall: WallTime
    ) throws(ConnectorFailure) -> ConnectorRecord {
        guard registration.id.isAllowedConnectorID else {
            throw ConnectorFailure(
                .invalid, "A connector's id has 1 to 256 bytes and no control characters; set another CONNECTOR_ID.")
        }
        if var entry = entries[registration.id] {
            entry.record.registration = registration
            // Its process begins with what the answer says, so it knows.
            entry.reset = nil
            entries[registration.id] = entry
            return entry.record
        }
        guard entries.count < Self.entriesMost else {
            throw ConnectorFailure(
                .invalid, "\(Self.entriesMost) connectors are registered, which is the most; remove some first.")
        }
        let record = ConnectorRecord(registration: registration, userID: userID, registeredAt: wall)
        entries[registration.id] = Entry(record: record)
        return record
    }

    enum PingEffect: Sendable, Hashable {
        /// Only the heartbeat and the report moved: to be written with the next batch.
        case heartbeat
        /// The state changed: to be written before the answer.
        case stored
        /// What was sent was dropped because of a reset: to be written before the answer.
        case dropped
    }

    /// - Parameters:
    ///   - state: what the process believes; `nil` when it says nothing of it.
    ///   - isInRun: exactly one of its works has begun and not ended.
    /// - Returns: `nil` for an unknown connector.
    mutating func ping(
        _ id: ConnectorID, state: String?, report: ConnectorReport, isInRun: Bool = false, at wall: WallTime
    ) -> (record: ConnectorRecord, effect: PingEffect)? {
        // In place: ten thousand that ping are most of what is done here.
        guard let index = entries.index(forKey: id) else { return nil }
        let effect = Self.ping(
            &entries.values[index], &unwritten, state: state, report: report.finite, isInRun: isInRun, at: wall)
        return (entries.values[index].record, effect)
    }

    /// - Returns: false, and nothing is done, where the ping brings anything but a newer heartbeat.
    mutating func pingAgain(_ id: ConnectorID, state: String, report: ConnectorReport, at wall: WallTime) -> Bool {
        guard let index = entries.index(forKey: id), entries.values[index].isAsTold(state, report) else { return false }
        _ = Self.ping(&entries.values[index], &unwritten, state: state, report: report, isInRun: false, at: wall)
        return true
    }

    private static func ping(
        _ entry: inout Entry, _ unwritten: inout Set<ConnectorID>, state: String?, report: ConnectorReport,
        isInRun: Bool, at wall: WallTime
    ) -> PingEffect {
        var isNews = entry.record.report != report
        if isNews { entry.record.report = report }
        entry.record.lastPing = wall
        // One that run and terminate ends buffered moves its last run too.
        if let end = report.lastRun, !report.isBuffering, entry.runs.ended(at: end) { isNews = true }
        // A clock that was set back leaves the written one in the future.
        let age = entry.writtenPing.map { wall - $0 }
        if isNews || age.map({ $0 >= heartbeatAge || $0 < .zero }) ?? true { unwritten.insert(entry.record.id) }
        var effect = PingEffect.heartbeat
        if let reset = entry.reset {
            let answer = reset.pinged(with: state, isInRun: isInRun)
            entry.reset = answer.next
            entry.record.state = answer.isDropped ? nil : state
            effect = answer.isDropped ? .dropped : .stored
        } else if let state, state.isDifferent(from: entry.record.state) {
            entry.record.state = state
            effect = .stored
        }
        return effect
    }

    /// The reset could not be written down, and the process was not told.
    mutating func resetAgain(_ id: ConnectorID) { entries[id]?.reset = StateReset() }

    /// - Returns: false for an unknown connector.
    mutating func resetState(_ id: ConnectorID) -> Bool {
        guard entries[id] != nil else { return false }
        entries[id]?.record.state = nil
        entries[id]?.reset = StateReset()
        return true
    }

    /// A run of a managed connector begins: a reset before it needs to be told to nobody, it begins with no state.
    mutating func runBegins(_ id: ConnectorID) { entries[id]?.reset = nil }

    /// A work begins: its process has heard of a reset that it was told.
    /// - Returns: true when that is to be written down.
    mutating func workBegins(_ id: ConnectorID) -> Bool {
        guard let reset = entries[id]?.reset else { return false }
        entries[id]?.reset = reset.workBegins()
        return true
    }

    /// A run of a managed connector ended: what it leaves behind.
    mutating func finish(_ id: ConnectorID, _ end: RunEnd) {
        guard var entry = entries[id] else { return }
        if let state = end.state, entry.reset == nil { entry.record.state = state }
        // A reset during the run: its state is dropped, once.
        entry.reset = nil
        var report = entry.record.report ?? ConnectorReport()
        report.lastRun = end.schedule.lastRun ?? report.lastRun
        report.nextRun = end.schedule.nextRun
        entry.schedule = end.schedule
        if let end = end.schedule.lastRun { entry.runs.ended(at: end) }
        entry.record.report = report
        unwritten.insert(id)
        entries[id] = entry
    }

    /// A bundle of it came.
    mutating func pushed(_ id: ConnectorID) {
        if entries[id]?.runs.pushed() == true { unwritten.insert(id) }
    }

    /// - Returns: false for an unknown connector.
    mutating func remember(_ schedule: ScheduleMemory, of id: ConnectorID) -> Bool {
        guard entries[id] != nil else { return false }
        entries[id]?.schedule = schedule
        return true
    }

    mutating func remove(_ id: ConnectorID) {
        entries[id] = nil
        unwritten.remove(id)
    }

    /// Those whose reports or heartbeats are to be written down; they count as written from now on.
    /// - Parameter isLast: with those whose heartbeat only is a little older on disk.
    mutating func takeUnwritten(isLast: Bool = false) -> [Entry] {
        if isLast {
            for (id, entry) in entries where entry.writtenPing != entry.record.lastPing { unwritten.insert(id) }
        }
        let taken = unwritten.sorted().compactMap { id -> Entry? in
            guard let index = entries.index(forKey: id) else { return nil }
            let entry = entries.values[index]
            entries.values[index].writtenPing = entry.record.lastPing
            return entry
        }
        unwritten = []
        return taken
    }

    mutating func wereNotWritten(_ ids: [ConnectorID]) {
        unwritten.formUnion(ids.filter { entries[$0] != nil })
    }
}

extension Registry.Entry {
    /// A ping that says this says nothing new, and nothing is to be told in its answer.
    fileprivate func isAsTold(_ state: String, _ report: ConnectorReport) -> Bool {
        reset == nil && record.report == report && !state.isDifferent(from: record.state)
    }
}

extension ConnectorReport {
    /// JSON has no word for what is no finite number.
    fileprivate var finite: ConnectorReport {
        var report = self
        if !report.queueThreshold.isFinite { report.queueThreshold = 0 }
        if !report.queueSize.isFinite { report.queueSize = 0 }
        return report
    }
}

extension String {
    /// By bytes: Swift's `==` takes texts that differ only in Unicode composition for equal.
    func isDifferent(from other: String?) -> Bool {
        guard let other else { return true }
        return !utf8.elementsEqual(other.utf8)
    }
}
