import WeirWorld

/// The works that are open, and those that changed since they were last written down. Works that are complete and
/// written live in the ledger only.
struct WorkBook: Sendable {
    private(set) var works: [WorkID: Work] = [:]
    private var changed: [ConnectorID: Set<WorkID>] = [:]
    private var open: [ConnectorID: Set<WorkID>] = [:]
    /// The last time stamp given to a work of a connector, so that no two get the same id.
    private var lastStart: [ConnectorID: WallTime] = [:]

    /// Open works of one connector in memory. Connectors that never close theirs leave them behind: the oldest that
    /// waits for nothing goes to the ledger as it is.
    static let openMost = 200
    /// Works of one connector in the ledger; the oldest go.
    static let keptMost = 250
    /// Longest note that is kept, in bytes.
    static let noteBytesMost = 2_000

    subscript(id: WorkID) -> Work? { works[id] }

    func openIDs(of connector: ConnectorID) -> [WorkID] { (open[connector] ?? []).sorted() }

    func works(of connector: ConnectorID) -> [Work] { (open[connector] ?? []).compactMap { works[$0] } }

    /// The work that its connector has begun and not ended; `nil` when there are several, because then nobody knows
    /// which of them goes on.
    func running(of connector: ConnectorID) -> WorkID? {
        let running = works(of: connector).filter { $0.processedAt == nil }
        return running.count == 1 ? running.first?.id : nil
    }

    /// Takes a work back from the ledger.
    mutating func load(_ work: Work) {
        guard works[work.id] == nil else { return }
        works[work.id] = work
        open[work.connector, default: []].insert(work.id)
        lastStart[work.connector] = max(lastStart[work.connector] ?? work.startedAt, work.startedAt)
    }

    /// False until a work of this connector was seen: then the ledger knows what its newest one is.
    func knowsNewest(of connector: ConnectorID) -> Bool { lastStart[connector] != nil }

    mutating func newest(of connector: ConnectorID, startedAt: WallTime) {
        lastStart[connector] = max(lastStart[connector] ?? startedAt, startedAt)
    }

    mutating func add(connector: ConnectorID, name: String, at wall: WallTime) -> Work {
        // Milliseconds are what the id shows.
        var start = WallTime(nanoseconds: wall.nanoseconds - wall.nanoseconds % 1_000_000)
        if let last = lastStart[connector], start <= last { start = last + .milliseconds(1) }
        lastStart[connector] = start
        let work = Work(id: "work_\(connector)_\(start)", connector: connector, name: name, startedAt: start)
        works[work.id] = work
        open[connector, default: []].insert(work.id)
        changed[connector, default: []].insert(work.id)
        return work
    }

    /// Changes a work that is in memory.
    /// - Returns: it as it is now; `nil` when it is not in memory.
    @discardableResult
    mutating func change(_ id: WorkID, at wall: WallTime, _ body: (inout Work) -> Void) -> Work? {
        guard var work = works[id] else { return nil }
        let before = work.tally
        body(&work)
        if work.tally != before { work.movedAt = wall }
        work.completedAt = work.status == .complete ? work.completedAt ?? wall : nil
        works[id] = work
        changed[work.connector, default: []].insert(id)
        return work
    }

    mutating func remove(_ id: WorkID) {
        guard let work = works.removeValue(forKey: id) else { return }
        open[work.connector]?.remove(id)
        changed[work.connector]?.remove(id)
    }

    mutating func removeAll(of connector: ConnectorID) {
        for id in open[connector] ?? [] { works[id] = nil }
        open[connector] = nil
        changed[connector] = nil
    }

    /// What must be written of a connector; it counts as written from now on, and what is complete leaves memory.
    mutating func takeChanged(of connector: ConnectorID) -> [Work] {
        let taken = (changed.removeValue(forKey: connector) ?? []).sorted().compactMap { works[$0] }
        for work in taken where work.status == .complete { forget(work) }
        while let ids = open[connector], ids.count > Self.openMost,
            let oldest = ids.compactMap({ works[$0] }).filter({ !$0.isPending }).min(by: { $0.startedAt < $1.startedAt }
            )
        {
            forget(oldest)
        }
        return taken
    }

    /// What could not be written is to be written again; a newer value stays.
    mutating func wereNotWritten(_ works: [Work]) {
        for work in works {
            load(work)
            changed[work.connector, default: []].insert(work.id)
        }
    }

    private mutating func forget(_ work: Work) {
        works[work.id] = nil
        open[work.connector]?.remove(work.id)
        if open[work.connector]?.isEmpty == true { open[work.connector] = nil }
    }
}

extension Work {
    fileprivate var tally: SIMD4<Int> { SIMD4(expected, pushed, delivered, failed) }

    /// True while bundles of it are in the queue.
    var isPending: Bool { delivered + failed < pushed }

    mutating func note(_ text: String?, isError: Bool, at wall: WallTime) {
        guard let text, !text.isEmpty else {
            if isError { isInError = true }
            return
        }
        let bytes =
            text.utf8.count > WorkBook.noteBytesMost
            ? String(decoding: text.utf8.prefix(WorkBook.noteBytesMost), as: UTF8.self) + "…" : text
        let note = Note(time: wall, text: bytes)
        if isError {
            isInError = true
            errors = Array((errors + [note]).suffix(Work.notesMost))
        } else {
            messages = Array((messages + [note]).suffix(Work.notesMost))
        }
    }
}
